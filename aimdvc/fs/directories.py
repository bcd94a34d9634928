"""Directories below a base, opened component by component and never through a link.

What is then done relative to the descriptor stays below the base, whoever swaps directories for links meanwhile. Where
the system has no such descriptors a directory is its path, checked when it is opened.
"""

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from aimdvc.fs import system

Handle = int | bytes
"""An open directory: a descriptor, or its path where there are none."""

Name = str | bytes
"""A name in a directory, without a slash."""


class Place(NamedTuple):
    """Where files go: a directory at `inner` below `base`. No link between them is followed."""

    base: str
    inner: str

    @property
    def full(self) -> str:
        """The whole path."""
        return os.path.normpath(os.path.join(self.base, self.inner))


class Directories:
    """Holds the directory that was opened last. Paths are bytes, relative to the base; b"" is the base itself."""

    def __init__(self, base: bytes) -> None:
        """Opens the base, which exists. Raises OSError: ELOOP or ENOTDIR where it is a link."""
        self._base = open_directory(base)
        self._current = _again(self._base)
        self._inside = b""

    def open(self, path: bytes, make: bool = False) -> Handle:
        """Returns a directory, which stays ours; with `make` missing ones are made.

        Raises FileNotFoundError, and NotADirectoryError where a link or a file is in the way.
        """
        if path != self._inside:
            handle = _again(self._base)
            for part in path.split(b"/") if path else ():
                handle = self._step(handle, part, make)
            close_directory(self._current)
            self._current, self._inside = handle, path
        return self._current

    def _step(self, handle: Handle, part: bytes, make: bool) -> Handle:
        try:
            try:
                return _open_below(handle, part)
            except FileNotFoundError:
                if not make:
                    raise
                _make(handle, part)
                return _open_below(handle, part)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    raise
                raise NotADirectoryError(error.errno, "is no directory", part) from error
        finally:
            close_directory(handle)

    def forget(self) -> None:
        """Opens anew next time: a directory that was held may be gone."""
        self.open(b"")

    def close(self) -> None:
        """Closes what is held."""
        close_directory(self._base)
        close_directory(self._current)

    def __enter__(self) -> "Directories":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_directory(path: bytes) -> Handle:
    """Opens a directory. Raises OSError where it is a link, or none."""
    if system.HAS_DIR_FD:
        return os.open(path, system.READ_DIRECTORY)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(20, "is no directory", path)
    return path


def close_directory(handle: Handle) -> None:
    """Closes an open directory."""
    if isinstance(handle, int):
        os.close(handle)


def _again(handle: Handle) -> Handle:
    return os.dup(handle) if isinstance(handle, int) else handle


def _open_below(handle: Handle, part: bytes) -> Handle:
    if isinstance(handle, int):
        return os.open(part, system.READ_DIRECTORY, dir_fd=handle)
    return open_directory(_path(handle, part))


def _make(handle: Handle, part: bytes) -> None:
    if isinstance(handle, int):
        os.mkdir(part, dir_fd=handle)
    else:
        os.mkdir(_path(handle, part))


def _path(handle: bytes, name: Name) -> bytes:
    return os.path.join(handle, os.fsencode(name))


def stat_in(handle: Handle, name: Name) -> os.stat_result:
    """Returns the status of what has the name, links not followed."""
    if isinstance(handle, int):
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    return os.lstat(_path(handle, name))


def create_in(handle: Handle, name: Name, mode: int) -> int:
    """Makes a new file and returns its descriptor."""
    if isinstance(handle, int):
        return os.open(name, system.CREATE, mode, dir_fd=handle)
    return os.open(_path(handle, name), system.CREATE, mode)


def symlink_in(handle: Handle, name: Name, target: bytes) -> None:
    """Makes a symbolic link."""
    if isinstance(handle, int):
        os.symlink(target, name, dir_fd=handle)
    else:
        os.symlink(target, _path(handle, name))


def link_in(handle: Handle, name: Name, source: str | os.PathLike[str]) -> None:
    """Makes a hard link to a file."""
    if isinstance(handle, int):
        os.link(source, name, dst_dir_fd=handle)
    else:
        os.link(os.fsencode(source), _path(handle, name))


def unlink_in(handle: Handle, name: Name) -> None:
    """Removes a file."""
    if isinstance(handle, int):
        os.unlink(name, dir_fd=handle)
    else:
        os.unlink(_path(handle, name))


def rmdir_in(handle: Handle, name: Name) -> None:
    """Removes an empty directory."""
    if isinstance(handle, int):
        os.rmdir(name, dir_fd=handle)
    else:
        os.rmdir(_path(handle, name))


def rename_in(handle: Handle, name: Name, to: Handle, new_name: Name) -> None:
    """Renames a file, in the place of what has the new name; both handles are of one kind."""
    if isinstance(handle, int) and isinstance(to, int):
        os.rename(name, new_name, src_dir_fd=handle, dst_dir_fd=to)
    else:
        assert isinstance(handle, bytes) and isinstance(to, bytes)
        os.replace(_path(handle, name), _path(to, new_name))


def rename_into(path: bytes, to: Handle, new_name: Name) -> None:
    """Renames a directory into an open one, where nothing has the name."""
    if isinstance(to, int):
        os.rename(path, new_name, dst_dir_fd=to)
    else:
        os.rename(path, _path(to, new_name))


def name_open_file(descriptor: int, name: Path) -> None:
    """Gives an open file one more name, whatever its old one leads to by now (open(2), AT_SYMLINK_FOLLOW).

    Raises OSError where the system can't, and for another file system.
    """
    directory = os.open("/proc/self/fd", system.READ_DIRECTORY)
    try:
        os.link(str(descriptor), name, src_dir_fd=directory, follow_symlinks=True)
    finally:
        os.close(directory)


def has_name(path: Path, descriptor: int) -> bool:
    """Returns whether an open file still has this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
