"""The blobs of a remote that is a folder: Git LFS's own storage in the bare repository, `lfs/objects/ab/cd/OID`.

Stock git-lfs reads and writes the same files over a file URL. A blob appears by rename, whole, after the file system
was told to make it durable: once for a group, since an fsync for each of many small files takes far longer.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from aimdvc.errors import CorruptBlob, MissingBlob
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.remote.transfer import BlobSink, BlobSource, Transferred

_CHUNK = 1 << 20
_GROUP_BLOBS = 500
_GROUP_BYTES = 256 << 20


class FolderBlobs:
    """LFS storage beside a bare repository."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._objects = path / "lfs" / "objects"
        self._temporary = path / "lfs" / "tmp"
        self._disk = disk

    def upload(self, pointers: Iterable[Pointer], source: BlobSource, progress: Progress) -> Transferred:
        """Copies the blobs that the folder lacks. Raises CorruptBlob for a damaged one of ours, which isn't copied."""
        blobs = size = 0
        group: list[tuple[Path, Path]] = []
        grouped = 0
        progress.start("push", None, "bytes")
        remove_leftovers(self._temporary)
        try:
            for pointer in pointers:
                if self._has(pointer):
                    continue
                self._disk.make_directory(self._temporary)
                group.append((self._copy_in(pointer, source, progress), self._path(pointer.oid)))
                blobs, size, grouped = blobs + 1, size + pointer.size, grouped + pointer.size
                if len(group) >= _GROUP_BLOBS or grouped >= _GROUP_BYTES:
                    self._disk.publish_all(group, 0o444)
                    group, grouped = [], 0
            self._disk.publish_all(group, 0o444)
        except BaseException:  # After an interrupt, too, the unpublished copies are of no use to anybody.
            for temporary, _ in group:
                temporary.unlink(missing_ok=True)
            raise
        progress.finish()
        return Transferred(blobs, size)

    def download(self, pointers: Iterable[Pointer], sink: BlobSink, progress: Progress) -> Transferred:
        """Copies blobs from the folder, hash-checked. Raises MissingBlob, CorruptBlob."""
        wanted = list(pointers)
        progress.start("pull", sum(pointer.size for pointer in wanted), "bytes")
        for pointer in wanted:
            sink.receive(pointer, self._chunks(pointer.oid))
            progress.advance(pointer.size)
        progress.finish()
        return Transferred(len(wanted), sum(pointer.size for pointer in wanted))

    def present(self, pointers: Iterable[Pointer], progress: Progress) -> set[Oid]:
        """Returns those of the blobs that the folder has, at their size."""
        found = set()
        for pointer in pointers:
            with mapped(self._objects):
                if self._has(pointer):
                    found.add(pointer.oid)
            progress.advance(1)
        return found

    def open(self, pointer: Pointer) -> BinaryIO:
        """Returns a blob as a file. Raises MissingBlob."""
        path = self._path(pointer.oid)
        try:
            with mapped(path):
                return path.open("rb")
        except FileNotFoundError:
            raise MissingBlob(pointer.oid) from None

    def _path(self, oid: Oid) -> Path:
        return self._objects / oid[:2] / oid[2:4] / oid

    def _has(self, pointer: Pointer) -> bool:
        path = self._path(pointer.oid)
        return path.exists() and path.stat().st_size == pointer.size

    def _copy_in(self, pointer: Pointer, source: BlobSource, progress: Progress) -> Path:
        digest = hashlib.sha256()
        with self._disk.create_temp(self._temporary) as temp:
            with mapped(temp.path), source.open(pointer.oid) as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    temp.write(chunk)
                    progress.advance(len(chunk))
            if digest.hexdigest() != pointer.oid:
                raise CorruptBlob(pointer.oid, "its bytes have another hash")
            temp.keep()
        return temp.path

    def _chunks(self, oid: Oid) -> Iterator[bytes]:
        path = self._path(oid)
        try:
            with mapped(path), path.open("rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise MissingBlob(oid, hint=f"'{self._objects}' lacks it too: push from a workspace that has it") from None
