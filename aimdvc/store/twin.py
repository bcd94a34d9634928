"""The file that has a blob's name already, laid beside the blob that comes: while they agree nothing is written.

What the disk holds under a name may be a crash's or its own doing, so it is trusted only where each of its bytes is the
one in hand. To compare takes less than hashing it, and the blob is not written a second time.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from aimdvc.errors import StorageError
from aimdvc.fs import system
from aimdvc.fs.directories import has_name
from aimdvc.fs.disk import TempFile
from aimdvc.fs.faults import is_unreadable, mapped
from aimdvc.model.pointer import Pointer
from aimdvc.store.hashing import hashed

_READ = 64 << 10
"""Bytes; comparing 64 KiB at a time takes a quarter of the processor's time of 1 MiB: their memory is used again."""


class Twin:
    """The open file of a blob's name, and what comes for it; a context manager. Holds one chunk in memory."""

    def __init__(self, path: Path, create_temp: Callable[[], TempFile]) -> None:
        """Raises FileNotFoundError where the name is free."""
        with mapped(path):
            self._fd = os.open(path, system.READ)
        self._path = path
        self._create_temp = create_temp
        self._size = 0
        self._temp: TempFile | None = None

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yields the chunks. From the first on that is not in the file, they go into a temporary one."""
        for chunk in chunks:
            if self._temp is None and not self._agrees(chunk):
                self._begin()
            if self._temp is not None:
                self._temp.write(chunk)
            self._size += len(chunk)
            yield chunk

    def is_copy_of(self, descriptor: int) -> bool:
        """Returns whether the file has the bytes of another that is open, no others, and still has the name."""
        for chunk in _iter_file(descriptor):
            if not self._agrees(chunk):
                return False
            self._size += len(chunk)
        return self.is_same()

    def is_same(self) -> bool:
        """Returns whether the file has the bytes that came, no others, and still has the name."""
        return self._temp is None and os.fstat(self._fd).st_size == self._size and has_name(self._path, self._fd)

    def taken(self, pointer: Pointer) -> TempFile:
        """Returns a file of the blob that came, to be published; it goes with this if it isn't.

        A part of it was read out of a damaged file a second time, so it is hashed as it lies. Raises CorruptBlob.
        """
        temp = self._temp or self._begin()
        temp.sync()
        hashed(_iter_file(temp.fd), pointer)
        # Some systems don't replace a file that is open.
        self._close()
        return temp

    def _close(self) -> None:
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _begin(self) -> TempFile:
        self._temp = self._create_temp()
        with mapped(self._path):
            for at in range(0, self._size, _READ):
                self._temp.write(system.pread(self._fd, min(_READ, self._size - at), at))
        return self._temp

    def _agrees(self, chunk: bytes) -> bool:
        try:
            with mapped(self._path):
                parts = ((at, chunk[at : at + _READ]) for at in range(0, len(chunk), _READ))
                return all(system.pread(self._fd, len(part), self._size + at) == part for at, part in parts)
        except StorageError as error:
            if not is_unreadable(error):
                raise
            return False

    def __enter__(self) -> "Twin":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        if self._temp is not None:
            self._temp.__exit__(kind, error, trace)


def _iter_file(descriptor: int) -> Iterator[bytes]:
    at = 0
    while chunk := system.pread(descriptor, _READ, at):
        at += len(chunk)
        yield chunk
