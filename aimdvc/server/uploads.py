"""Uploads that were begun, on this machine: parts of blobs that outlive the requests and processes which took them in.

A part belongs to one artifact, oid and size: what was sent to one artifact is never another's. No lock is held while a
client sends. Each piece is appended under the file's lock, and only where the part ends just there: of two who send at
once one goes on and the other is told, and a connection that is dead but not known to be holds up nobody. The part that
is whole is hashed and becomes the blob by a rename. None of this counts for anybody's quota.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from aimdvc.errors import Busy, CorruptBlob, StorageError
from aimdvc.fs import system
from aimdvc.fs.directories import has_name
from aimdvc.fs.disk import Disk, TempFile
from aimdvc.fs.faults import mapped
from aimdvc.fs.locks import lock, locked
from aimdvc.model.pointer import Pointer
from aimdvc.server.guard import HttpError
from aimdvc.store.blobs import BlobStore

FORGOTTEN_S = 24 * 3600
"""Seconds; a part that got no byte for as long is removed by whoever begins another."""

_WAIT_S = 1.0
_READ = 1 << 20
_CATCH_UP = 8 << 20
"""Bytes of what came in earlier requests, hashed beside each piece: the hash is there soon after the last one."""


class LocalUploads:
    """See storage.Uploads."""

    def __init__(self, directory: Path, store: BlobStore, disk: Disk, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._store = store
        self._disk = disk
        self._now = now
        disk.make_directory(directory)

    def offset(self, artifact: str, pointer: Pointer) -> int:
        """Returns how many bytes of a blob are here, all of them perhaps."""
        try:
            return self._path(artifact, pointer).stat().st_size
        except FileNotFoundError:
            return 0

    def open(self, artifact: str, pointer: Pointer) -> "LocalUpload":
        """Returns the upload of a blob to an artifact, begun now if need be; close it."""
        path = self._path(artifact, pointer)
        if not path.exists():
            self.clean(self._now() - FORGOTTEN_S)
            self._disk.before("create", path)
        return LocalUpload(path, pointer, self._store, self._disk)

    def clean(self, before_s: float) -> None:
        """Removes the parts that got no byte since a time, in seconds since the epoch."""
        for entry in os.scandir(self._directory):
            with suppress(FileNotFoundError):  # It was finished meanwhile.
                if entry.stat(follow_symlinks=False).st_mtime < before_s:
                    self._remove(Path(entry.path), before_s)

    def drop(self, artifact: str) -> None:
        """Removes all parts that were sent to an artifact; whoever sends more is told that the upload begins anew."""
        for path in self._directory.glob(f"{artifact}-*"):
            self._disk.unlink(path)

    def _remove(self, path: Path, before_s: float) -> None:
        descriptor = os.open(path, system.READ)
        try:
            # Somebody may write to it, or finish it, just now.
            if system.lock(descriptor) and has_name(path, descriptor) and os.fstat(descriptor).st_mtime < before_s:
                self._disk.unlink(path)
        finally:
            os.close(descriptor)

    def _path(self, artifact: str, pointer: Pointer) -> Path:
        return self._directory / f"{artifact}-{pointer.oid}-{pointer.size}"


class LocalUpload:
    """See storage.Upload. Of one request; holds one piece in memory."""

    def __init__(self, path: Path, pointer: Pointer, store: BlobStore, disk: Disk) -> None:
        with mapped(path):
            self._temp = TempFile(disk, path, os.open(path, system.WRITE, 0o600))
        self.size_bytes = os.fstat(self._temp.fd).st_size
        self._pointer = pointer
        self._store = store
        self._disk = disk
        self._digest = hashlib.sha256()
        self._hashed = 0

    def append(self, piece: bytes) -> None:
        """Adds bytes to the end. Raises HttpError where somebody else has added some, finished it or removed it."""
        with self._locked(), mapped(self._temp.path):
            self._check_end()
            os.lseek(self._temp.fd, self.size_bytes, os.SEEK_SET)
            self._temp.write(piece)
        if self._hashed == self.size_bytes:
            self._digest.update(piece)
            self._hashed += len(piece)
        self.size_bytes += len(piece)
        self._catch_up(_CATCH_UP)

    def sync(self) -> None:
        """Makes durable what came, for the next request. What the disk fails to write is sent again."""
        try:
            self._temp.sync()
        except StorageError:
            self._drop()
            raise
        self._disk.sync_directory(self._temp.path.parent)

    def finish(self) -> None:
        """Makes the blob appear, durable; nobody else finishes or removes this upload until it is closed.

        Raises CorruptBlob for other bytes, which are thrown away, and HttpError as `append` does.
        """
        self._catch_up(self.size_bytes)
        try:
            lock(self._temp.fd, "the upload", _WAIT_S)
        except Busy as error:
            raise _busy() from error
        self._check_end()
        if not has_name(self._temp.path, self._temp.fd):
            raise _elsewhere(self.size_bytes)
        if self.size_bytes != self._pointer.size or self._digest.hexdigest() != self._pointer.oid:
            self._drop()
            raise CorruptBlob(self._pointer.oid, f"{self.size_bytes} other bytes arrived")
        # The second descriptor, of the same open file, leaves the lock to the first.
        with self._store.writer() as writer, mapped(self._temp.path):
            writer.take_file(TempFile(self._disk, self._temp.path, os.dup(self._temp.fd)), self._pointer)

    def close(self) -> None:
        """Leaves what came for the next request."""
        self._temp.close()

    def _check_end(self) -> None:
        about = os.fstat(self._temp.fd)
        if about.st_nlink == 0 or about.st_size != self.size_bytes:
            raise _elsewhere(about.st_size if about.st_nlink else 0)

    def _catch_up(self, most: int) -> None:
        while most > 0 and self._hashed < self.size_bytes:
            piece = system.pread(self._temp.fd, min(_READ, self.size_bytes - self._hashed), self._hashed)
            if not piece:
                return
            self._digest.update(piece)
            self._hashed += len(piece)
            most -= len(piece)

    def _drop(self) -> None:
        if has_name(self._temp.path, self._temp.fd):
            self._disk.unlink(self._temp.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with locked(self._temp.fd, "the upload", _WAIT_S):
                yield
        except Busy as error:
            raise _busy() from error

    def __enter__(self) -> "LocalUpload":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _elsewhere(offset: int) -> HttpError:
    return HttpError(409, f"the upload goes on at byte {offset}", {"Upload-Offset": str(offset)})


def _busy() -> HttpError:
    return HttpError(423, "the upload is being finished", {"Retry-After": "1"})
