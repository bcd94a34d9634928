"""Blobs in a bucket: small ones that came together lie together in blob packs, others alone.

    blobs/ab/<oid>-<random>      one blob
    blobs/ab/<random>            one blob, whose oid was not known before it came
    packs/<random>.pack          many, in the format of blob packs (model/frames.py)

Keys are never written twice, so what was checked stays what it is. Bytes first, then the row that names them
(bucket_index.py): a process that dies leaves at most a key that nothing names.
"""

import hashlib
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from aimdvc.errors import CorruptBlob, MissingBlob
from aimdvc.model.frames import FRAME, MAGIC, end_frame, frame_header
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.bucket_index import BucketIndex, Place
from aimdvc.server.bucket_reading import Ahead, iter_contents
from aimdvc.server.bucket_upload import put_stream
from aimdvc.server.limits import CHUNK_BYTES
from aimdvc.server.objects import Objects

_PACK_BYTES = 64 << 20
_BATCH = 500
_BATCH_BYTES = 8 << 20


def blob_key(oid: Oid) -> str:
    """Returns a new key for a blob."""
    return f"blobs/{oid[:2]}/{oid}-{secrets.token_hex(8)}"


class BucketBlobs:
    """The blobs of one server in a bucket."""

    def __init__(self, objects: Objects, index: BucketIndex, scratch: Path) -> None:
        self._objects = objects
        self._index = index
        self._scratch = scratch
        self._ahead = Ahead()

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Returns those of the blobs that aren't here."""
        wanted = set(oids)
        return wanted - self._index.find(wanted).keys()

    def receive(self, pointer: Pointer, chunks: Iterable[bytes]) -> None:
        """Stores one blob. Reads and hashes all the bytes even when the blob is here: they are the proof.

        Raises CorruptBlob when they are others; nothing is kept then.
        """
        checked = _checked(pointer, chunks)
        if self._index.touch([pointer.oid]):
            for _ in checked:
                pass
            return
        key = blob_key(pointer.oid)
        put_stream(self._objects, key, checked, pointer.size, self._scratch)
        self._index.add([Place(pointer.oid, pointer.size, key, None)])

    def store(self, chunks: Iterable[bytes], most: int) -> Pointer:
        """Stores a blob of which nothing is known before but that it has at most so many bytes; returns its pointer.

        Nothing of it is kept where the chunks raise.
        """
        name = secrets.token_hex(32)
        key, coming = f"blobs/{name[:2]}/{name}", _Hashed(chunks)
        put_stream(self._objects, key, iter(coming), most, self._scratch)
        pointer = coming.pointer
        if self._index.touch([pointer.oid]):
            self._objects.delete([key])
        else:
            self._index.add([Place(pointer.oid, pointer.size, key, None)])
        return pointer

    def receive_many(self, blobs: Iterable[tuple[Pointer, bytes]]) -> None:
        """Stores many small blobs, a pack at a time. What came before an error is kept, and durable."""
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            pack = _Pack(self._objects, self._index, cast(BinaryIO, file))
            try:
                for pointer, content in blobs:
                    for checked in _checked(pointer, (content,)):
                        pack.add(pointer, checked)
                    if not content:
                        pack.add(pointer, b"")
            finally:
                pack.finish()

    def read(self, pointer: Pointer) -> bytes:
        """Returns a small blob's bytes, hashed. Raises MissingBlob, CorruptBlob."""
        return b"".join(self.iter_blob(pointer))

    def iter_download(self, pointer: Pointer) -> Iterator[bytes]:
        """See storage.BlobStorage."""
        return self.iter_blob(pointer)

    def iter_blob(self, pointer: Pointer) -> Iterator[bytes]:
        """Yields a blob's bytes, hashed on the way: of a damaged one the last chunk is never given.

        Raises MissingBlob before the first chunk, CorruptBlob instead of the last.
        """
        place = self._place(pointer)
        held = b""
        try:
            chunks = self._objects.get(place.key, *_span(place))
            for chunk in _checked(pointer, chunks):
                if held:
                    yield held
                held = chunk
        except KeyError as error:
            self._index.set_aside(place)
            raise MissingBlob(pointer.oid) from error
        except CorruptBlob:
            self._index.set_aside(place)
            raise
        if held:
            yield held

    def iter_range(self, pointer: Pointer, start: int, end: int) -> Iterator[bytes]:
        """Yields the bytes from `start` up to `end`; hashed only when that is the whole, else the client does it."""
        if (start, end) == (0, pointer.size):
            yield from self.iter_blob(pointer)
            return
        place = self._place(pointer)
        at = place.offset or 0
        left = end - start
        try:
            for chunk in self._objects.get(place.key, at + start, at + end):
                left -= len(chunk)
                yield chunk
        except KeyError as error:
            self._index.set_aside(place)
            raise MissingBlob(pointer.oid) from error
        if left:
            raise CorruptBlob(pointer.oid, f"{left} bytes are missing")

    def iter_frames(self, pointers: Iterable[Pointer]) -> Iterator[bytes]:
        """Yields an aimd-pack stream of small blobs, in the order in which they lie in the bucket, hashed."""
        sizes = dict(pointers)
        places = self._index.find(sizes)
        for oid, size in sizes.items():
            if oid not in places:
                raise MissingBlob(oid)
            if places[oid].size != size:
                raise CorruptBlob(oid, f"{places[oid].size} bytes, expected {size}")
        parts, held, count = [MAGIC], len(MAGIC), 0
        for place, content in iter_contents(self._objects, places.values(), self._ahead):
            if content is None or len(content) != place.size or hashlib.sha256(content).hexdigest() != place.oid:
                self._index.set_aside(place)
                raise CorruptBlob(place.oid, "it is damaged" if content is not None else "it is gone")
            parts += (frame_header(place.oid, place.size), content)
            held += place.size
            count += 1
            if held >= CHUNK_BYTES:
                yield b"".join(parts)
                parts, held = [], 0
        parts.append(end_frame(count))
        yield b"".join(parts)

    def close(self) -> None:
        """Holds nothing open."""

    def _place(self, pointer: Pointer) -> Place:
        place = self._index.find([pointer.oid]).get(pointer.oid)
        if place is None:
            raise MissingBlob(pointer.oid)
        if place.size != pointer.size:
            raise CorruptBlob(pointer.oid, f"{place.size} bytes, expected {pointer.size}")
        return place


def _span(place: Place) -> tuple[int, int | None]:
    return (0, None) if place.offset is None else (place.offset, place.offset + place.size)


def _checked(pointer: Pointer, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the chunks; the last one only when all of them are the blob. Raises CorruptBlob."""
    digest = hashlib.sha256()
    size = 0
    held = b""
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
        if held:
            yield held
        held = chunk
    if size != pointer.size:
        raise CorruptBlob(pointer.oid, f"{size} bytes, expected {pointer.size}")
    if digest.hexdigest() != pointer.oid:
        raise CorruptBlob(pointer.oid, f"{size} bytes with another hash")
    if held:
        yield held


class _Hashed:
    """Chunks, and the pointer of what they were when they have passed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digest.update(chunk)
            self._size += len(chunk)
            yield chunk

    @property
    def pointer(self) -> Pointer:
        return Pointer(Oid(self._digest.hexdigest()), self._size)


class _Pack:
    """A blob pack in the making. What it was given is durable, and has its row, when `finish` returns."""

    def __init__(self, objects: Objects, index: BucketIndex, file: BinaryIO) -> None:
        self._objects = objects
        self._index = index
        self._file = file
        self._pending: dict[Oid, bytes] = {}
        self._pending_bytes = 0
        self._places: list[Place] = []
        self._key = ""

    def add(self, pointer: Pointer, content: bytes) -> None:
        if self._pending.setdefault(pointer.oid, content) is content:
            self._pending_bytes += len(content)
        if len(self._pending) >= _BATCH or self._pending_bytes >= _BATCH_BYTES:
            self._write()
        if self._file.tell() >= _PACK_BYTES:
            self._store()

    def finish(self) -> None:
        self._write()
        self._store()

    def _write(self) -> None:
        """Appends those of the blobs that aren't here."""
        pending, self._pending, self._pending_bytes = self._pending, {}, 0
        here = self._index.touch(list(pending)) if pending else set()
        known = {place.oid for place in self._places}
        for oid, content in pending.items():
            if oid in here or oid in known:
                continue
            if not self._places:
                self._key = f"packs/{secrets.token_hex(16)}.pack"
                self._file.write(MAGIC)
            self._places.append(Place(oid, len(content), self._key, self._file.tell() + FRAME.size))
            self._file.write(frame_header(oid, len(content)) + content)

    def _store(self) -> None:
        places, self._places = self._places, []
        if not places:
            return
        self._file.write(end_frame(len(places)))
        self._file.flush()
        self._objects.put(self._key, self._file)
        self._file.seek(0)
        self._file.truncate()
        self._index.add(places)
