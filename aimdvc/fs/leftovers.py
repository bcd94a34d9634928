"""The names of temporary files, and what killed processes left behind.

A name tells the process that owns it: its id, and the machine and process namespace in which that id counts. Containers
and network file systems share directories, not process ids.
"""

import hashlib
import os
import platform
import shutil
import time
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from aimdvc.fs.system import IS_WINDOWS

_FOREIGN_AGE_S = 24 * 3600
"""Seconds; what a process of elsewhere owns, which we can't see, goes when it is as old as this."""


def temporary_name(prefix: str) -> str:
    """Returns a new name that begins with `prefix` and tells this process."""
    return f"{prefix}{owner(os.getpid())}-{os.urandom(6).hex()}"


def owner(pid: int) -> str:
    """Returns what stands for a process of this machine in a name."""
    return f"{_machine()}.{pid}"


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
        namespace = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        boot, namespace = platform.node(), ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:8]


def remove_leftovers(directory: Path, prefixes: Collection[str] = ("tmp-", ".tmp-")) -> None:
    """Removes what is named by a prefix and a process that doesn't run any more, files and directories."""
    for path in find_leftovers(directory, prefixes):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def find_leftovers(directory: Path, prefixes: Collection[str]) -> list[Path]:
    """Returns what is named by a prefix and a process that doesn't run any more."""
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        if prefix is not None and _is_orphan(directory / name, name[len(prefix) :]):
            found.append(directory / name)
    return found


def _is_orphan(path: Path, rest: str) -> bool:
    machine, dot, tail = rest.partition(".")
    pid, dash, _ = tail.partition("-")
    if not dot or not dash or not pid.isdecimal():
        return False
    if machine == _machine():
        return not is_running(int(pid))
    return _age_s(path) >= _FOREIGN_AGE_S


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return 0


def is_running(pid: int) -> bool:
    """Returns whether a process of this machine and namespace runs, or ended and was not waited for."""
    if IS_WINDOWS:
        return True  # There a signal 0 is Ctrl-C.
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
