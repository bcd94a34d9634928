"""Where a server keeps bytes: blobs, and the git packs of each artifact. One small interface, and its local kind.

Nothing here knows users, ownership or refs. Another kind (object storage) implements the same two Protocols.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Protocol

from aimdvc.errors import CorruptBlob, StorageError
from aimdvc.fs.disk import Disk
from aimdvc.model.frames import MAGIC, end_frame, frame_header
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.group_commit import GroupCommit
from aimdvc.server.keeping import Keeping, LocalKeeping
from aimdvc.server.limits import CHUNK_BYTES
from aimdvc.server.pieces import Pieces
from aimdvc.server.quickcheck import QuickChecks
from aimdvc.server.repositories import Repository, ensure_repository
from aimdvc.server.uploads import LocalUploads
from aimdvc.store.blobs import BlobStore
from aimdvc.store.catalog import PackedBlob
from aimdvc.store.checking import Check, FullCheck
from aimdvc.store.layout import SMALL


class BlobStorage(Protocol):
    """Blobs by oid. What is taken in was hashed and is durable when the call returns."""

    def missing(self, oids: Iterable[Oid]) -> set[Oid]: ...

    def receive(self, pointer: Pointer, chunks: Iterable[bytes]) -> None: ...

    def receive_many(self, blobs: Iterable[tuple[Pointer, bytes]]) -> None: ...

    def store(self, chunks: Iterable[bytes], most: int) -> Pointer: ...

    def read(self, pointer: Pointer) -> bytes: ...

    def iter_blob(self, pointer: Pointer) -> Iterator[bytes]: ...

    def iter_download(self, pointer: Pointer) -> Iterator[bytes]: ...

    def iter_range(self, pointer: Pointer, start: int, end: int) -> Iterator[bytes]: ...

    def iter_frames(self, pointers: Iterable[Pointer]) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Direct(Protocol):
    """A storage that clients send large blobs to, and get them from, without the server in between."""

    def takes(self, pointer: Pointer) -> bool: ...

    def upload_href(self, artifact: str, pointer: Pointer, lifetime_s: int) -> str: ...

    def download_hrefs(self, pointers: Iterable[Pointer], lifetime_s: int) -> dict[Oid, str]: ...

    def take_in(self, artifact: str, pointer: Pointer) -> bool: ...


class Upload(Protocol):
    """A blob that comes in pieces, as one request sees it; it outlives that. A context manager, which closes it."""

    size_bytes: int

    def append(self, piece: bytes) -> None: ...

    def sync(self) -> None: ...

    def finish(self) -> None: ...

    def __enter__(self) -> "Upload": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Uploads(Protocol):
    """Uploads that were begun, each of one blob to one artifact."""

    def offset(self, artifact: str, pointer: Pointer) -> int: ...

    def open(self, artifact: str, pointer: Pointer) -> Upload: ...


class Storage(Protocol):
    """All that a server keeps outside its database."""

    @property
    def blobs(self) -> BlobStorage: ...

    @property
    def direct(self) -> Direct | None: ...

    @property
    def uploads(self) -> Uploads | None:
        """What goes on with uploads that were cut; None where they begin anew."""

    @property
    def keeping(self) -> Keeping: ...

    def repository(self, artifact: str) -> Repository:
        """Returns the open git packs of an artifact, made when there are none; close it."""

    def git_size(self) -> tuple[int, int]:
        """Returns how many git packs there are of all artifacts, and how many bytes these have."""

    def drop_artifact(self, artifact: str) -> None:
        """Deletes the git packs of an artifact, and what of blobs was begun to be sent to it. Safe to repeat.

        Cut anywhere, none of its packs is there, or all. Only while nobody can push to it.
        """

    def check(self) -> None:
        """Raises StorageError where nothing can be read now."""

    def close(self) -> None: ...


_PLACES = 20_000


class LocalBlobs:
    """Blobs in a blob store on this machine."""

    def __init__(self, store: BlobStore, checks: QuickChecks) -> None:
        self._store = store
        self._checks = checks
        self._group = GroupCommit(self.receive_many)
        self._pieces = Pieces()
        self._places: dict[Oid, PackedBlob] = {}
        """Where blobs lay that were read lately; threads don't wait for each other at the catalog then."""

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Returns those of the blobs that aren't here."""
        return self._store.missing(oids)

    def receive(self, pointer: Pointer, chunks: Iterable[bytes]) -> None:
        """Stores one blob. Reads and hashes all the bytes even when the blob is here: they are the proof.

        Raises CorruptBlob when they are others; nothing is kept then.
        """
        if pointer.size < SMALL:
            content = b"".join(chunks)
            if len(content) != pointer.size or hashlib.sha256(content).hexdigest() != pointer.oid:
                raise CorruptBlob(pointer.oid, f"{len(content)} other bytes arrived")
            self._group.store(pointer, content)
            return
        arriving = self._checks.passing(pointer, chunks)
        with self._store.writer() as writer:
            writer.receive(pointer, arriving)
        arriving.note()

    def store(self, chunks: Iterable[bytes], most: int) -> Pointer:
        """Stores a blob of which nothing is known before but that it has at most so many bytes; returns its pointer.

        Nothing of it is kept where the chunks raise.
        """
        coming = iter(chunks)
        head = b""
        while len(head) < SMALL and (chunk := next(coming, b"")):
            head += chunk
        if len(head) < SMALL:
            pointer = Pointer(Oid(hashlib.sha256(head).hexdigest()), len(head))
            self._group.store(pointer, head)
            return pointer
        with self._store.writer() as writer:
            return writer.add_chunks(chain((head,), coming))

    def receive_many(self, blobs: Iterable[tuple[Pointer, bytes]]) -> None:
        """Stores many small blobs with one fsync. What came before an error is kept, and durable."""
        with self._store.writer() as writer:
            for pointer, content in blobs:
                writer.receive(pointer, (content,))

    def read(self, pointer: Pointer) -> bytes:
        """Returns a small blob's bytes, hashed. Raises MissingBlob, CorruptBlob."""
        place = self._places.get(pointer.oid)
        if place is None:
            place = self._store.find_many([pointer.oid]).get(pointer.oid)
            if place is not None:
                if len(self._places) >= _PLACES:
                    self._places.clear()
                self._places[pointer.oid] = place
        # One that lies elsewhere by now has other bytes here: then the store looks it up once more.
        content = self._store.read(pointer.oid) if place is None else self._store.read_packed(pointer.oid, place)
        if len(content) != pointer.size:
            raise CorruptBlob(pointer.oid, f"{len(content)} bytes, expected {pointer.size}")
        return content

    def iter_blob(self, pointer: Pointer) -> Iterator[bytes]:
        """Yields a blob's bytes, hashed on the way: of a damaged one the last chunk is never given.

        Raises MissingBlob before the first chunk, CorruptBlob instead of the last.
        """
        return self._read(pointer, FullCheck)

    def iter_download(self, pointer: Pointer) -> Iterator[bytes]:
        """Yields a blob's bytes, as `iter_blob`, but checked as quickly as can be: the client hashes them, too."""
        return self._read(pointer, self._checks.check)

    def _read(self, pointer: Pointer, check: Callable[[Oid], Check]) -> Iterator[bytes]:
        held = b""
        size = 0
        with self._pieces.sized() as piece:
            for chunk in self._store.iter_chunks(pointer.oid, piece, check):
                if held:
                    yield held
                held = chunk
                size += len(chunk)
        if size != pointer.size:
            raise CorruptBlob(pointer.oid, f"{size} bytes, expected {pointer.size}")
        if held:
            yield held

    def iter_range(self, pointer: Pointer, start: int, end: int) -> Iterator[bytes]:
        """Yields the bytes from `start` up to `end`; hashed only when that is the whole, else the client does it."""
        if (start, end) == (0, pointer.size):
            yield from self.iter_download(pointer)
            return
        with self._pieces.sized() as piece, self._store.open(pointer.oid) as file:
            file.seek(start)
            left = end - start
            while left:
                chunk = file.read(min(left, piece))
                if not chunk:
                    raise CorruptBlob(pointer.oid, f"{left} bytes are missing")
                left -= len(chunk)
                yield chunk

    def iter_frames(self, pointers: Iterable[Pointer]) -> Iterator[bytes]:
        """Yields an aimd-pack stream of small blobs, in the order in which they lie on disk, hashed on the way."""
        # A client that is slow to take it holds what is left to send, and nothing else.
        waiting = self._in_order(pointers)
        del pointers
        count = len(waiting)
        parts, held = [MAGIC], len(MAGIC)
        while waiting:
            pack, offset, oid, size = waiting.pop()
            content = self._store.read_packed(oid, PackedBlob(pack, offset, size)) if pack else self._store.read(oid)
            if len(content) != size:
                raise CorruptBlob(oid, f"{len(content)} bytes, expected {size}")
            parts += (frame_header(oid, size), content)
            held += len(content)
            if held >= CHUNK_BYTES:
                yield b"".join(parts)
                parts, held = [], 0
        parts.append(end_frame(count))
        yield b"".join(parts)

    def _in_order(self, pointers: Iterable[Pointer]) -> list[tuple[str, int, Oid, int]]:
        """Returns where the blobs lie, the last one first; without a pack those that are files."""
        sizes = dict(pointers)
        places = self._store.find_many(sizes)
        found = [(*_position(places.get(oid)), oid, size) for oid, size in sizes.items()]
        return sorted(found, reverse=True)

    def close(self) -> None:
        """Closes the store."""
        self._checks.close()
        self._store.close()


def _position(place: object) -> tuple[str, int]:
    return (getattr(place, "pack", ""), getattr(place, "offset", 0))


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # Joined with others meanwhile.
        return 0


class LocalStorage:
    """Everything in one directory: a blob store, and `repos/` with the git packs."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._repos = directory / "repos"
        self._disk = disk
        disk.make_directory(self._repos)
        store = BlobStore(directory, disk)
        self._blobs = LocalBlobs(store, QuickChecks(directory))
        self._uploads = LocalUploads(directory / "uploads", store, disk)
        self._keeping = LocalKeeping(store, self._uploads.clean)

    @property
    def blobs(self) -> BlobStorage:
        """The blobs of all artifacts."""
        return self._blobs

    @property
    def uploads(self) -> LocalUploads:
        """The uploads that were begun."""
        return self._uploads

    @property
    def keeping(self) -> Keeping:
        """Maintenance of the blobs."""
        return self._keeping

    @property
    def direct(self) -> None:
        """All goes through the server."""
        return None

    def check(self) -> None:
        """Raises StorageError where nothing can be read now."""
        if not self._repos.is_dir() or not os.access(self._repos, os.R_OK | os.X_OK):
            raise StorageError(self._repos.name, "can't be read")

    def repository(self, artifact: str) -> Repository:
        """Returns the open git packs of an artifact, made when there are none; close it."""
        directory = self._repos / artifact[:2] / f"{artifact}.git"
        ensure_repository(directory, self._disk)
        return Repository(directory, self._disk)

    def git_size(self) -> tuple[int, int]:
        """Returns how many git packs there are of all artifacts, and how many bytes these have."""
        sizes = [size for size in map(_size_of, self._repos.glob("*/*.git/objects/pack/*.pack")) if size]
        return len(sizes), sum(sizes)

    def drop_artifact(self, artifact: str) -> None:
        """See Storage."""
        self._uploads.drop(artifact)
        directory = self._repos / artifact[:2] / f"{artifact}.git"
        away = directory.with_suffix(".gone")
        self._disk.remove_tree(away)
        if directory.exists():
            # By one rename: a pack without its index would be taken for damage.
            self._disk.rename(directory, away)
            self._disk.sync_directory(directory.parent)
            self._disk.remove_tree(away)

    def close(self) -> None:
        """Closes the blobs."""
        self._blobs.close()
