"""A file of lines that one process appends to and any may read: what a long run notes while it goes.

A line is appended by one write: it is there, whole, when the call returns, whatever kills the process afterwards. A
power cut may take lines of the last second, and leave a piece of one: a piece is read as nothing, and cut off before
the next line is appended. Which process appends is told by a lock beside the file, which the kernel lets go of when
that process ends. Nothing here knows what the lines say.
"""

import errno
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from aimdvc.errors import StorageError
from aimdvc.fs import locks, system
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped

SYNC_EVERY_S = 1.0
"""Seconds; a line that comes later than this after the last fsync is synced at once."""

_WAIT_S = 2.0
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
"""What a file system without locks answers, such as Lustre as it is often mounted."""

_CHUNK = 1 << 20


class Journal:
    """An open journal: the lock's descriptor, then the file's. Safe to use from several threads.

    What garbage collection takes is closed.
    """

    def __init__(self, path: Path, disk: Disk, descriptors: list[int]) -> None:
        self.path = path
        self._disk = disk
        self._fault: StorageError | None = None
        self._synced_s = time.monotonic() - SYNC_EVERY_S
        # Without it a thread could write where another one has closed, into whatever file has the number by then.
        self._using = threading.Lock()
        self._descriptors = descriptors
        self._end = weakref.finalize(self, _close, self._descriptors)
        # At the end of the process the kernel closes them.
        self._end.atexit = False

    @classmethod
    def open(cls, path: Path, disk: Disk) -> "Journal":
        """Opens a journal, which exists, to append to; cuts a torn last line off. Raises Busy while another has it."""
        with mapped(path):
            held = os.open(lock_path(path), system.WRITE, 0o666)
            descriptors = [held]
            try:
                _lock(held, path)
                descriptors.append(os.open(path, system.EXTEND))
                _cut(descriptors[-1], path, disk)
            except BaseException:  # Whatever stopped it, an interrupt too, leaves nothing open.
                _close(descriptors)
                raise
        return cls(path, disk, descriptors)

    def append(self, line: bytes) -> None:
        """Appends a line, which ends with a newline and has no other.

        It survives the process when this returns. At most once a second it is synced, too: what is appended less often
        than that survives a power cut when this returns. Raises StorageError, DiskFull; then nothing of it is there.
        """
        with self._using:
            descriptor = self._writable()
            self._disk.before("append", self.path)
            with mapped(self.path):
                written = os.write(descriptor, line)
                if written < len(line):
                    _write_rest(descriptor, line, written)
            if time.monotonic() - self._synced_s >= SYNC_EVERY_S:
                self._sync(descriptor)

    def _writable(self) -> int:
        if self._fault is not None:
            raise self._fault
        if not self._descriptors:
            raise StorageError(str(self.path), "is closed")
        return self._descriptors[-1]

    def sync(self) -> None:
        """Makes all lines durable. After a failure the journal takes no more: what it holds can't be told."""
        with self._using:
            self._sync(self._writable())

    def _sync(self, descriptor: int) -> None:
        try:
            self._disk.before("fsync", self.path)
            with mapped(self.path):
                os.fsync(descriptor)
        except StorageError as error:
            self._fault = error
            raise
        self._synced_s = time.monotonic()

    def replace(self, lines: Iterable[bytes]) -> None:
        """Makes the journal hold these lines instead, all of them or none, whatever happens; goes on after them."""
        with self._using:
            self._writable()
            with self._disk.create_temp(self.path.parent, ".") as temp:
                for line in lines:
                    temp.write(line)
                self._disk.publish(temp, self.path, self.path.stat().st_mode & 0o777)
            with mapped(self.path):
                opened = os.open(self.path, system.EXTEND)
            before, self._descriptors[-1] = self._descriptors[-1], opened
            os.close(before)

    def close(self) -> None:
        """Closes the file and lets go of the lock, also for children that have it from this process. Safe to repeat."""
        with self._using:
            if self._descriptors:
                with suppress(OSError):
                    system.unlock(self._descriptors[0])
            _close(self._descriptors)


def lock_path(path: Path) -> Path:
    """Returns the file whose lock the process has that appends to a journal."""
    return path.with_suffix(".lock")


def is_held(path: Path) -> bool | None:
    """Returns whether a process has a journal open to append to, None where a file system has no locks."""
    try:
        with mapped(path):
            descriptor = os.open(lock_path(path), system.READ)
    except FileNotFoundError:
        return False
    try:
        return not system.lock(descriptor, is_shared=True)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    """Locks a journal. Raises Busy. Where there are no locks nothing keeps two writers apart but their users."""
    try:
        locks.lock(descriptor, f"'{path}'", _WAIT_S)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def iter_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yields (where the next one begins, line without its newline) of the whole lines from a position on.

    A piece of a line at the end is left out. Raises FileNotFoundError, StorageError.
    """
    with mapped(path):
        descriptor = os.open(path, system.READ)
    try:
        position, rest = start, b""
        while True:
            with mapped(path):
                chunk = system.pread(descriptor, _CHUNK, position + len(rest))
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                position += len(line) + 1
                yield position, line
    finally:
        os.close(descriptor)


def _cut(descriptor: int, path: Path, disk: Disk) -> None:
    """Cuts off what comes after the last newline."""
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        begin = max(0, end - 4096)
        found = system.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            end = begin + found + 1
            break
        end = begin
    if end < size:
        disk.before("truncate", path)
        os.ftruncate(descriptor, end)


def _write_rest(descriptor: int, line: bytes, written: int) -> None:
    """Writes the rest of a line, or takes back what there is of it: nobody else appends."""
    begin = os.fstat(descriptor).st_size - written
    try:
        while written < len(line):
            written += os.write(descriptor, line[written:])
    except OSError:
        os.ftruncate(descriptor, begin)
        raise


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
