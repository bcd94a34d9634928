"""Walks an artifact's files on disk, for `add` and `status`.

Yields what is there, by path and stat; never opens a file, never follows a link. Skips a nested `.git`, whatever
`.aimdvcignore` names, and what is aimdvc's own.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from aimdvc.errors import UnsafePath
from aimdvc.model.entries import path_text

DiskStat = tuple[int, int, int, int, int]
"""(mode as Git has it, bytes, mtime in ns, ctime in ns, inode)."""
DiskFile = tuple[bytes, int, int, int, int, int]
"""A path, relative to the artifact's root, and its DiskStat: as the index has its entries."""

_IGNORE_FILE = b".aimdvcignore"
_OWN = frozenset({b".aimdvc", b"aimdvc.lock"})
_SLASH = ord("/")
_KIND, _REGULAR = 0o170000, 0o100000


@dataclass(slots=True)
class Walked:
    """What a walk met beside files, once it is at its end. Paths are relative to the artifact's root, in bytes."""

    ignored: int = 0
    nested_git: list[bytes] = field(default_factory=list)
    special: list[bytes] = field(default_factory=list)
    empty_directories: int = 0


class Filter(Protocol):
    """Leaves paths out. Paths are relative to the artifact's root, in bytes."""

    @property
    def has_rules(self) -> bool:
        """Whether there is anything, in the directories entered so far, by which a path could be left out."""
        ...

    def enter(self, directory: bytes) -> None:
        """Is told of a directory that holds an ignore file, before its entries are asked for."""
        ...

    def drops(self, path: bytes, is_directory: bool) -> bool:
        """Returns whether a path is to be left out."""
        ...


def walk(
    root: bytes, under: bytes, filter_: Filter | None, found: Walked, is_workspace: bool = False
) -> Iterator[DiskFile]:
    """Yields the files at or below `under`, a path relative to `root`, in the order of their paths; `b""` is all.

    `is_workspace` says that the root is the workspace's own directory, where `.aimdvc` and `aimdvc.lock` are not
    content. Holds the names of one directory on each level. Raises UnsafePath for a path that is too long, OSError.
    """
    start = os.path.join(root, under) if under else root
    try:
        status = os.lstat(start)
    except (FileNotFoundError, NotADirectoryError):
        return
    is_directory = stat.S_ISDIR(status.st_mode)
    if filter_ is not None and under:
        _enter_parents(root, under, filter_)
        parts = under.split(b"/")
        for depth in range(1, len(parts) + 1):
            if filter_.drops(b"/".join(parts[:depth]), depth < len(parts) or is_directory):
                found.ignored += 1
                return
    if not is_directory:
        yield from _other(found, under, status)
        return
    try:
        yield from _descend(found, start, under + b"/" if under else b"", filter_, is_workspace)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG or not isinstance(error.filename, bytes):
            raise
        inside = path_text(error.filename[len(root) + 1 :])
        raise UnsafePath(f"{inside[:200]}…", "is longer than this system can name") from error


def _enter_parents(root: bytes, under: bytes, filter_: Filter) -> None:
    parts = under.split(b"/")
    for depth in range(len(parts)):
        parent = b"/".join(parts[:depth])
        if os.path.exists(os.path.join(root, parent, _IGNORE_FILE)):
            filter_.enter(parent)


def _descend(
    found: Walked, directory: bytes, prefix: bytes, filter_: Filter | None, is_workspace: bool
) -> Iterator[DiskFile]:
    levels = [(prefix, _entries(found, directory, prefix, filter_))]
    while levels:
        prefix, entries = levels[-1]
        drops = filter_.drops if filter_ is not None and filter_.has_rules else None
        for name, entry in entries:
            path = prefix + name
            is_directory = name[-1] == _SLASH
            if is_directory:
                path, name = path[:-1], name[:-1]
            if name == b".git":
                found.nested_git.append(path)
                continue
            if is_workspace and not prefix and name in _OWN:
                continue
            if drops is not None and drops(path, is_directory):
                found.ignored += 1
                continue
            if is_directory:
                levels.append((path + b"/", _entries(found, entry.path, path + b"/", filter_)))
                break
            status = entry.stat(follow_symlinks=False)
            mode = status.st_mode
            if mode & _KIND == _REGULAR:
                yield (
                    path,
                    0o100755 if mode & 0o100 else 0o100644,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    status.st_ino,
                )
            else:
                yield from _other(found, path, status)
        else:
            levels.pop()


def _entries(
    found: Walked, directory: bytes, prefix: bytes, filter_: Filter | None
) -> Iterator[tuple[bytes, "os.DirEntry[bytes]"]]:
    """Returns what is in a directory, a directory with its slash, so that the paths below come in their order."""
    with os.scandir(directory) as scanned:
        # By name: a system may list twice what is replaced meanwhile.
        entries = {entry.name + b"/" if entry.is_dir(follow_symlinks=False) else entry.name: entry for entry in scanned}
    if not entries and prefix:
        found.empty_directories += 1
    if filter_ is not None and _IGNORE_FILE in entries:
        filter_.enter(prefix[:-1])
    return iter(sorted(entries.items()))


def _other(found: Walked, path: bytes, status: os.stat_result) -> Iterator[DiskFile]:
    mode = git_mode(status.st_mode)
    if mode == 0:
        found.special.append(path)
    else:
        yield path, mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


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
