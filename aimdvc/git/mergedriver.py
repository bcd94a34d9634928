"""How Git is told to merge `aimdvc.lock` by aimdvc: two settings of the repository, and a line of its info/attributes.

Both are this clone's, never committed: what a repository brings along can't make anyone run a program.
"""

import re
from enum import Enum
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.git.program import Git

DRIVER = "aimdvc hook merge-driver %O %A %B %P"
_NAME = "aimdvc.lock, artifact by artifact"
_LINE = b"aimdvc.lock merge=aimdvc-lock"
"""Without a slash: it fits the lock of a workspace in any directory of the work tree."""

_OTHER = re.compile(rb'^"?\S*aimdvc\.lock"?\s(?:.*\s)?[-!]?merge(?:=\S*)?(?:\s.*)?$')
_SETTINGS = {"merge.aimdvc-lock.name": _NAME, "merge.aimdvc-lock.driver": DRIVER}


class DriverState(Enum):
    """Whether Git merges aimdvc.lock by aimdvc."""

    REGISTERED = "registered"
    DIFFERS = "differs"
    """The user has said otherwise."""
    NOT_REGISTERED = "not-registered"


def driver_state(git: Git, common_dir: Path) -> DriverState:
    """Returns whether aimdvc.lock is merged by aimdvc."""
    driver = git.ask("config", "--get", "merge.aimdvc-lock.driver")
    lines = _read(common_dir).splitlines()
    if driver not in (None, DRIVER) or _has_other(lines):
        return DriverState.DIFFERS
    return DriverState.REGISTERED if driver == DRIVER and _LINE in lines else DriverState.NOT_REGISTERED


def register_driver(git: Git, common_dir: Path, disk: Disk) -> bool:
    """Has Git merge aimdvc.lock by aimdvc, unless the user said otherwise; returns whether anything was changed."""
    is_changed = False
    if git.ask("config", "--get", "merge.aimdvc-lock.driver") is None:
        for key, value in _SETTINGS.items():
            git.do("config", "--local", key, value)
        is_changed = True
    content = _read(common_dir)
    if _LINE in content.splitlines() or _has_other(content.splitlines()):
        return is_changed
    # Where the last line has no end it gets one, and ours none: so taking ours away brings back every byte.
    has_open_end = bool(content) and not content.endswith(b"\n")
    _write(common_dir, content + (b"\n" + _LINE if has_open_end else _LINE + b"\n"), disk)
    return True


def unregister_driver(git: Git, common_dir: Path, disk: Disk) -> bool:
    """Takes back what `register_driver` did; returns whether there was anything."""
    is_changed = False
    for key, value in _SETTINGS.items():
        if git.ask("config", "--local", "--get", key) == value:
            git.do("config", "--local", "--unset", key)
            is_changed = True
    content = _read(common_dir)
    rest = re.sub(rb"(?m)^" + re.escape(_LINE) + rb"\n", b"", content)
    rest = re.sub(rb"(?:\A|\n)" + re.escape(_LINE) + rb"\Z", b"", rest)
    if rest == content:
        return is_changed
    _write(common_dir, rest, disk)
    return True


def _has_other(lines: list[bytes]) -> bool:
    return any(_OTHER.match(line) and line != _LINE for line in lines)


def _read(common_dir: Path) -> bytes:
    path = common_dir / "info" / "attributes"
    with mapped(path):
        return path.read_bytes() if path.exists() else b""


def _write(common_dir: Path, content: bytes, disk: Disk) -> None:
    path = common_dir / "info" / "attributes"
    if not content:
        disk.unlink(path)
        disk.sync_directory(path.parent)
        return
    disk.make_directory(path.parent)
    disk.replace_file(path, content)
