"""Walks an artifact's files on disk, for `add` and `status`.

Yields what is there, by name and stat; never opens a file, never follows a link. Skips a nested `.git`, whatever
`.aimdvcignore` names, and what is aimdvc's own.
"""

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import Protocol

from aimdvc.errors import UnsafePath
from aimdvc.model.entries import path_text

DiskStat = tuple[int, int, int, int, int]
"""(mode as Git has it, bytes, mtime in ns, ctime in ns, inode)."""

_IGNORE_FILE = b".aimdvcignore"
_OWN = frozenset({b".aimdvc", b"aimdvc.lock"})


@dataclass(slots=True)
class Walked:
    """What a walk found. Paths are relative to the artifact's root, in bytes."""

    files: dict[bytes, DiskStat] = field(default_factory=dict)
    ignored: int = 0
    nested_git: list[bytes] = field(default_factory=list)
    special: list[bytes] = field(default_factory=list)
    empty_directories: int = 0


class Filter(Protocol):
    """Leaves paths out. Paths are relative to the artifact's root, in bytes."""

    def enter(self, directory: bytes) -> None:
        """Is told of a directory that holds an ignore file, before its entries are asked for."""
        ...

    def drops(self, path: bytes, is_directory: bool) -> bool:
        """Returns whether a path is to be left out."""
        ...


def walk(root: bytes, under: bytes = b"", filter_: Filter | None = None, is_workspace: bool = False) -> Walked:
    """Returns the files at or below `under`, a path relative to `root`; `b""` is all.

    `is_workspace` says that the root is the workspace's own directory, where `.aimdvc` and `aimdvc.lock` are not
    content. Takes 2.5 µs a file; holds 250 bytes a file. Raises UnsafePath for a path that is too long, OSError.
    """
    found = Walked()
    start = os.path.join(root, under) if under else root
    try:
        status = os.lstat(start)
    except (FileNotFoundError, NotADirectoryError):
        return found
    is_directory = stat.S_ISDIR(status.st_mode)
    if filter_ is not None and under:
        _enter_parents(root, under, filter_)
        parts = under.split(b"/")
        for depth in range(1, len(parts) + 1):
            if filter_.drops(b"/".join(parts[:depth]), depth < len(parts) or is_directory):
                found.ignored += 1
                return found
    if not is_directory:
        _take(found, under or b"", status)
        return found
    try:
        _descend(found, start, under + b"/" if under else b"", filter_, is_workspace)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG or not isinstance(error.filename, bytes):
            raise
        inside = path_text(error.filename[len(root) + 1 :])
        raise UnsafePath(f"{inside[:200]}…", "is longer than this system can name") from error
    return found


def _enter_parents(root: bytes, under: bytes, filter_: Filter) -> None:
    parts = under.split(b"/")
    for depth in range(len(parts)):
        parent = b"/".join(parts[:depth])
        if os.path.exists(os.path.join(root, parent, _IGNORE_FILE)):
            filter_.enter(parent)


def _descend(found: Walked, directory: bytes, prefix: bytes, filter_: Filter | None, is_workspace: bool) -> None:
    files = found.files
    pending = [(directory, prefix)]
    while pending:
        directory, prefix = pending.pop()
        with os.scandir(directory) as scanned:
            entries = list(scanned)
        if not entries and prefix:
            found.empty_directories += 1
        if filter_ is not None and any(entry.name == _IGNORE_FILE for entry in entries):
            filter_.enter(prefix[:-1])
        for entry in entries:
            name = entry.name
            path = prefix + name
            is_directory = entry.is_dir(follow_symlinks=False)
            if name == b".git":
                found.nested_git.append(path)
                continue
            if is_workspace and not prefix and name in _OWN:
                continue
            if filter_ is not None and filter_.drops(path, is_directory):
                found.ignored += 1
                continue
            if is_directory:
                pending.append((entry.path, path + b"/"))
                continue
            status = entry.stat(follow_symlinks=False)
            mode = status.st_mode
            if stat.S_ISREG(mode):
                files[path] = (
                    0o100755 if mode & 0o100 else 0o100644,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    status.st_ino,
                )
            else:
                _take(found, path, status)


def _take(found: Walked, path: bytes, status: os.stat_result) -> None:
    mode = git_mode(status.st_mode)
    if mode == 0:
        found.special.append(path)
        return
    found.files[path] = (mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def is_there(root: bytes, path: bytes) -> bool:
    """Returns whether a file or link is at a path below `root`, reached through real directories only."""
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        try:
            mode = os.lstat(os.path.join(root, *parts[:depth])).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_ISDIR(mode) != (depth < len(parts)):
            return False
    return True


def git_mode(mode: int) -> int:
    """Returns the mode that Git gives a file of this `st_mode`; 0 for what Git can't hold (sockets, pipes, devices)."""
    if stat.S_ISREG(mode):
        return 0o100755 if mode & 0o100 else 0o100644
    return 0o120000 if stat.S_ISLNK(mode) else 0
