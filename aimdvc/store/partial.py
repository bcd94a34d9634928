"""Downloads under way: files in the store that outlive their process, so that the next try goes on where they end."""

import hashlib
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from aimdvc.errors import CorruptBlob, StorageError
from aimdvc.fs import system
from aimdvc.fs.disk import Disk, TempFile
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import find_leftovers, remove_leftovers, temporary_name
from aimdvc.model.pointer import Pointer
from aimdvc.store.layout import Layout

_CHUNK = 1 << 20


class PartialFile:
    """A download into a file of this try alone, named by its process, with the hash of what is there.

    What an earlier try left under the name is taken over by renaming it: only one can, also where locks do nothing.
    """

    def __init__(self, directory: Path, disk: Disk, name: str) -> None:
        self._disk = disk
        self._left = directory / name
        self._temp = self._open(directory, f"{name}-")
        self.size_bytes = os.fstat(self._temp.fd).st_size
        self._digest = hashlib.sha256()
        for chunk in self._chunks():
            self._digest.update(chunk)

    def _open(self, directory: Path, prefix: str) -> TempFile:
        path = directory / temporary_name(prefix)
        for left in (self._left, *find_leftovers(directory, [prefix])):
            with suppress(FileNotFoundError):  # Another was faster.
                if left.exists():
                    self._disk.rename(left, path)
                    break
        with mapped(path):
            return TempFile(self._disk, path, os.open(path, system.WRITE, 0o600))

    @property
    def sha256(self) -> str:
        """The hash of what is there."""
        return self._digest.hexdigest()

    def append(self, chunk: bytes) -> None:
        """Adds bytes to the end."""
        self._temp.write(chunk)
        self._digest.update(chunk)
        self.size_bytes += len(chunk)

    def restart(self) -> None:
        """Throws away what is there."""
        os.ftruncate(self._temp.fd, 0)
        os.lseek(self._temp.fd, 0, os.SEEK_SET)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def publish(self, target: Path, mode: int) -> None:
        """Makes the file appear under its name, whole and durable; its directory is made.

        Copied where that is on another file system.
        """
        try:
            self._temp.sync()
        except StorageError:
            self._temp.discard()  # What the disk failed to write is fetched again, never synced again.
            raise
        self._disk.make_directory(target.parent)
        if os.fstat(self._temp.fd).st_dev == target.parent.stat().st_dev:
            self._disk.publish(self._temp, target, mode)
            return
        remove_leftovers(target.parent)
        with self._disk.create_temp(target.parent, ".") as copy:
            for chunk in self._chunks():
                copy.write(chunk)
            self._disk.publish(copy, target, mode)
        self._temp.discard()

    def discard(self) -> None:
        """Removes the file."""
        self._temp.discard()

    def close(self) -> None:
        """Leaves what arrived for the next try, if it was not published or discarded."""
        if self._temp.fd >= 0:
            self._temp.close()
            self._disk.rename(self._temp.path, self._left)

    def _chunks(self) -> Iterable[bytes]:
        left = self.size_bytes
        os.lseek(self._temp.fd, 0, os.SEEK_SET)
        while left and (chunk := os.read(self._temp.fd, min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk


def forgotten_downloads(directory: Path, before_s: float) -> list[tuple[Path, int]]:
    """Returns begun downloads that got no byte since a time (seconds since the epoch), with their sizes in bytes."""
    found = []
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # It was finished meanwhile.
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(about.st_mode) and about.st_mtime < before_s:
                    found.append((directory / entry.name, about.st_size))
    return found


class PartialBlob(PartialFile):
    """A large blob that is being downloaded."""

    def __init__(self, layout: Layout, disk: Disk, pointer: Pointer) -> None:
        super().__init__(layout.partial, disk, pointer.oid)
        self._layout = layout
        self._pointer = pointer
        if self.size_bytes > pointer.size:
            self.restart()

    def finish(self) -> None:
        """Makes the blob appear, durable. Raises CorruptBlob when the bytes are others, and throws them away."""
        if self.size_bytes != self._pointer.size or self.sha256 != self._pointer.oid:
            self.discard()
            raise CorruptBlob(self._pointer.oid, f"{self.size_bytes} other bytes arrived")
        self.publish(self._layout.blob_file(self._pointer.oid), 0o444)
