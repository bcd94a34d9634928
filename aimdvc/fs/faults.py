"""Maps what the operating system says into errors of ours, at this one place."""

import errno
import os
from pathlib import Path
from types import TracebackType

from aimdvc.errors import DiskFull, ReadOnlyStorage, StorageError
from aimdvc.fs.system import free_space, user_id

_FULL = {errno.ENOSPC: "no space left", errno.EDQUOT: "the quota is used up", errno.EFBIG: "the file is too large"}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def storage_error(error: OSError, path: Path | str) -> StorageError:
    """Returns our error for an OSError at a path; no space, no inodes and no rights are told apart."""
    shown = str(path)
    if error.errno in _FULL:
        reason = "no inodes left" if error.errno == errno.ENOSPC and has_no_inodes(path) else _FULL[error.errno]
        return DiskFull(shown, reason)
    reason = (error.strerror or str(error)).lower()
    if error.errno in _READ_ONLY:
        return ReadOnlyStorage(shown, reason, hint="make it writable, then run it again")
    return StorageError(shown, reason)


class mapped:  # noqa: N801 - used as a function; a generator's context takes three times as long, once for each file
    """Raises storage_error of any OSError inside, save a missing or existing file, which callers tell apart."""

    __slots__ = ("_path",)

    def __init__(self, path: Path | str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, (FileNotFoundError, FileExistsError)):
            raise storage_error(error, self._path) from error


def is_unreadable(error: OSError | StorageError) -> bool:
    """Returns whether the disk could not give the bytes that were asked for; other files may well be whole."""
    cause = error.__cause__ if isinstance(error, StorageError) else error
    return isinstance(cause, OSError) and cause.errno == errno.EIO


def is_full(path: Path | str, least_bytes: int = 256 << 10) -> bool:
    """Returns whether the file system of a path has next to no space left: SQLite then says only "I/O error"."""
    status = _file_system(path)
    return status is not None and status.f_bavail * status.f_frsize < least_bytes


def require_space(path: Path | str, size: int) -> None:
    """Raises DiskFull when the file system of a path has no room for `size` bytes more; before anything is written."""
    status = _file_system(path)
    if status is None or not status.f_blocks:
        return
    free = (status.f_bfree if user_id() == 0 else status.f_bavail) * status.f_frsize
    if size > free:
        raise DiskFull(str(path), f"{size:,} bytes are needed, {free:,} are free")


def has_no_inodes(path: Path | str) -> bool:
    """Returns whether the file system of a path can hold no more files, whatever their size."""
    status = _file_system(path)
    return status is not None and status.f_files > 0 and status.f_favail == 0


def _file_system(path: Path | str) -> "os.statvfs_result | None":
    probe = Path(path)
    while not probe.exists() and probe != probe.parent:
        probe = probe.parent
    return free_space(probe)
