"""What not every operating system has, each with what is done where it is missing: the one place that names it.

There the work is the same, and less is promised: without `dir_fd` and O_NOFOLLOW a directory that another process
swaps for a link between the check and the use is followed; without locks two commands at once are kept apart by
SQLite and the refs' lock files alone; without sync() the workspace's files are durable when the system writes them.
"""

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


def _optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_fcntl = _optional("fcntl")
_msvcrt = _optional("msvcrt")
_resource = _optional("resource")

_BINARY: int = getattr(os, "O_BINARY", 0)
_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY: int = getattr(os, "O_DIRECTORY", 0)
_CLOEXEC: int = getattr(os, "O_CLOEXEC", 0)
_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)

READ = os.O_RDONLY | _CLOEXEC | _BINARY
"""Flags to read a file of our own."""

READ_ANY = READ | _NOFOLLOW | _NONBLOCK
"""Flags to read what anyone may have put there: no link is followed, no pipe waited for."""

READ_DIRECTORY = READ | _DIRECTORY | _NOFOLLOW
WRITE = os.O_RDWR | os.O_CREAT | _NOFOLLOW | _CLOEXEC | _BINARY
"""Flags to open a file of our own, made if need be."""

CREATE = WRITE | os.O_EXCL
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _CLOEXEC | _BINARY
EXTEND = os.O_RDWR | os.O_APPEND | _NOFOLLOW | _CLOEXEC | _BINARY
"""Flags to append to a file that is there, and to read it."""

HAS_DIRECTORIES = bool(_DIRECTORY)
"""Whether directories can be opened, and so made durable."""

HAS_DIR_FD = HAS_DIRECTORIES and {os.open, os.mkdir, os.stat, os.unlink, os.rmdir, os.rename} <= os.supports_dir_fd
"""Whether files can be worked on relative to an open directory."""

HAS_SYNC = hasattr(os, "sync")
HAS_FORK = hasattr(os, "fork")
"""Whether a process can go on as two."""

IS_WINDOWS = os.name == "nt"

_SEEKING = threading.Lock()


def open_any(path: str | bytes) -> int:
    """Opens to read what anyone may have put there. Raises OSError, ELOOP for a link."""
    if not _NOFOLLOW and os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return os.open(path, READ_ANY)


def set_mode(descriptor: int, path: str | bytes | os.PathLike[str], mode: int) -> None:
    """Sets the mode of an open file, by its path where that is the only way."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, mode)
    else:
        os.chmod(path, mode)


def open_files() -> int:
    """Returns how many files this process may have open at once, 512 where that isn't known."""
    limit: int = _resource.getrlimit(_resource.RLIMIT_NOFILE)[0] if _resource is not None else 512
    return limit if limit >= 0 else sys.maxsize  # no limit is told as a negative one


def allow_open_files(count: int) -> None:
    """Lets this process, and those it makes, have so many files open, or as many as the system lets it."""
    if _resource is None or open_files() >= count:
        return
    most: int = _resource.getrlimit(_resource.RLIMIT_NOFILE)[1]
    _resource.setrlimit(_resource.RLIMIT_NOFILE, (count if most < 0 else min(count, most), most))


def lock(descriptor: int, is_waiting: bool = False, is_shared: bool = False) -> bool:
    """Locks an open file against other processes until it is closed; returns False when another one has it.

    Those that share it keep off only one that wants it alone; where a system has no such locks, it is had alone.
    """
    try:
        if _fcntl is not None:
            kind = _fcntl.LOCK_SH if is_shared else _fcntl.LOCK_EX
            _fcntl.flock(descriptor, kind if is_waiting else kind | _fcntl.LOCK_NB)
        elif _msvcrt is not None:
            _msvcrt.locking(descriptor, _msvcrt.LK_LOCK if is_waiting else _msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True


def unlock(descriptor: int) -> None:
    """Unlocks an open file that this process has locked."""
    if _fcntl is not None:
        _fcntl.flock(descriptor, _fcntl.LOCK_UN)
    elif _msvcrt is not None:
        _msvcrt.locking(descriptor, _msvcrt.LK_UNLCK, 1)


def clone_blocks(source: int, target: int, request: int) -> bool:
    """Makes one file share another's blocks by an ioctl; returns False where that can't be."""
    if _fcntl is None:
        return False
    try:
        _fcntl.ioctl(target, request, source)
    except OSError:
        return False
    return True


def go_on_apart(work: Callable[[], int]) -> int:
    """Does some work in a copy of this process, which ends with what the work returns; returns the copy's id."""
    process = os.fork()
    if process == 0:
        code = 70
        try:
            code = work()
        finally:
            os._exit(code)
    return process


def wait_for(process: int, is_killed: bool = False) -> int:
    """Returns what a copy of this process ended with; `is_killed` ends it now, as a power cut would."""
    if is_killed:
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def open_unnamed(directory: str | os.PathLike[str]) -> int:
    """Opens a new file that has no name. Raises OSError where there are none."""
    flag: int | None = getattr(os, "O_TMPFILE", None)
    if flag is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return os.open(directory, flag | os.O_RDWR, 0o600)


def send_range(source: int, target: int, size: int, position: int) -> int:
    """Copies bytes to the same position of another file within the kernel, never by sharing blocks; returns how many.

    Raises OSError, ENOSYS where the system can't.
    """
    send: Callable[[int, int, int, int], int] | None = getattr(os, "sendfile", None)
    if send is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    os.lseek(target, position, os.SEEK_SET)
    return send(target, source, position, size)


def user_id() -> int | None:
    """Returns who runs the process, None where users have no numbers."""
    get: Callable[[], int] | None = getattr(os, "getuid", None)
    return None if get is None else get()


def free_space(path: str | os.PathLike[str]) -> "os.statvfs_result | None":
    """Returns what is free on the file system of a path, None where the system doesn't tell."""
    get: Callable[[str | os.PathLike[str]], os.statvfs_result] | None = getattr(os, "statvfs", None)
    try:
        return None if get is None else get(path)
    except OSError:
        return None


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    with _SEEKING:
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)
        finally:
            os.lseek(descriptor, before, os.SEEK_SET)


def _pwrite(descriptor: int, content: bytes | memoryview, offset: int) -> int:
    with _SEEKING:
        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.write(descriptor, content)
        finally:
            os.lseek(descriptor, before, os.SEEK_SET)


def _read_into(descriptor: int, buffer: bytearray, offset: int) -> int:
    content = pread(descriptor, len(buffer), offset)
    buffer[: len(content)] = content
    return len(content)


def _read_into_at_once(descriptor: int, buffer: bytearray, offset: int) -> int:
    return os.preadv(descriptor, [buffer], offset)


pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _pread)
"""Reads so many bytes from an offset; the file's own position stays."""

pwrite: Callable[[int, bytes | memoryview, int], int] = getattr(os, "pwrite", _pwrite)
"""Writes bytes at an offset; the file's own position stays."""

read_into: Callable[[int, bytearray, int], int] = _read_into_at_once if hasattr(os, "preadv") else _read_into
"""Fills a buffer from an offset, and returns how many bytes there were."""


def next_bytes(descriptor: int, position: int, size: int) -> int:
    """Returns where, from a position on, the next bytes lie that take room; `size` when there are none.

    Where holes can't be told, all bytes take room.
    """
    if not hasattr(os, "SEEK_DATA"):
        return position
    try:
        return os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size


def next_hole(descriptor: int, position: int, size: int) -> int:
    """Returns where the next hole begins; `size` when there is none, or holes can't be told."""
    return os.lseek(descriptor, position, os.SEEK_HOLE) if hasattr(os, "SEEK_HOLE") else size
