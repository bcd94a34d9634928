"""Walks an artifact's files on disk, for `add` and `status`.

Yields what is there, by name and stat; never opens a file, never follows a link. Skips a nested `.git`, whatever
`.aimdvcignore` names, and what is aimdvc's own.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

DiskStat = tuple[int, int, int, int, int]
"""(mode as Git has it, bytes, mtime in ns, ctime in ns, inode)."""

_OWN = frozenset({b".aimdvc", b"aimdvc.lock"})


@dataclass(slots=True)
class Walked:
    """What a walk found. Paths are relative to the artifact's root, in bytes."""

    files: dict[bytes, DiskStat] = field(default_factory=dict)
    ignored: int = 0
    nested_git: list[bytes] = field(default_factory=list)
    special: list[bytes] = field(default_factory=list)
    empty_directories: int = 0
    ignore_files: list[bytes] = field(default_factory=list)


IsIgnored = Callable[[bytes, bool], bool]
"""Tells of a path relative to the artifact's root, and whether it is a directory, if it is to be left out."""


def walk(root: bytes, under: bytes = b"", is_ignored: IsIgnored | None = None, is_workspace: bool = False) -> Walked:
    """Returns the files at or below `under`, a path relative to `root`; `b""` is all.

    `is_workspace` says that the root is the workspace's own directory, where `.aimdvc` and `aimdvc.lock` are not
    content. Takes 2.5 µs a file; holds 250 bytes a file.
    """
    found = Walked()
    start = os.path.join(root, under) if under else root
    try:
        status = os.lstat(start)
    except (FileNotFoundError, NotADirectoryError):
        return found
    if not stat.S_ISDIR(status.st_mode):
        _take(found, under or b"", status)
        return found
    _descend(found, start, under + b"/" if under else b"", is_ignored, is_workspace)
    return found


def _descend(found: Walked, directory: bytes, prefix: bytes, is_ignored: IsIgnored | None, is_workspace: bool) -> None:
    files = found.files
    pending = [(directory, prefix)]
    while pending:
        directory, prefix = pending.pop()
        count = 0
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                count += 1
                path = prefix + name
                is_directory = entry.is_dir(follow_symlinks=False)
                if name == b".git":
                    found.nested_git.append(path)
                    continue
                if is_workspace and not prefix and name in _OWN:
                    continue
                if is_ignored is not None and is_ignored(path, is_directory):
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
        if not count and prefix:
            found.empty_directories += 1


def _take(found: Walked, path: bytes, status: os.stat_result) -> None:
    mode = git_mode(status.st_mode)
    if mode == 0:
        found.special.append(path)
        return
    found.files[path] = (mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def git_mode(mode: int) -> int:
    """Returns the mode that Git gives a file of this `st_mode`; 0 for what Git can't hold (sockets, pipes, devices)."""
    if stat.S_ISREG(mode):
        return 0o100755 if mode & 0o100 else 0o100644
    return 0o120000 if stat.S_ISLNK(mode) else 0
