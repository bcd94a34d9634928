"""The blob store: contents by their SHA-256. Blobs of 64 KiB and more are files, smaller ones lie in blob packs.

A blob appears by rename, whole and durable, and is never rewritten. Reading checks the hash. Safe for many processes;
a process that dies leaves files in `tmp/` that the next writer removes. Maintenance may move a blob while it is wanted:
a reader that finds it gone looks up once more, then brings it back from the trash.
"""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from aimdvc.errors import CorruptBlob, MissingBlob, StorageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import is_unreadable, mapped
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.fs.system import READ, open_files, pread
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.store.blobwriter import BlobWriter
from aimdvc.store.catalog import Catalog, PackedBlob
from aimdvc.store.checking import Check, FullCheck
from aimdvc.store.layout import Layout
from aimdvc.store.sweep import Sweeper
from aimdvc.store.trash import Trash, put_back_file, read_packed

CHUNK = 1 << 20
_OPEN_PACKS_AT_MOST = 2048


class BlobStore:
    """The open store of one process."""

    def __init__(self, root: Path, disk: Disk) -> None:
        """Opens or makes the store at `root`."""
        self.layout = Layout(root)
        self._disk = disk
        for directory in self.layout.directories():
            disk.make_directory(directory)
        self.catalog = Catalog(root, disk)
        self.trash = Trash(self.layout, disk)
        self._opened: dict[str, _OpenPack] = {}
        self._open_at_most = min(open_files() // 4, _OPEN_PACKS_AT_MOST)
        self._opened_since = 0
        """Packs that were opened since those open were looked at."""
        self._lock = threading.Lock()

    def has(self, oid: Oid) -> bool:
        """Returns whether a blob is here, by name."""
        return self.catalog.find(oid) is not None or os.path.exists(self.layout.blob_path(oid))

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Returns those of the blobs that aren't here."""
        wanted = set(oids)
        wanted -= self.catalog.find_many(wanted).keys()
        return {oid for oid in wanted if not os.path.exists(self.layout.blob_path(oid))}

    def claim(self, oids: Iterable[Oid]) -> set[Oid]:
        """Returns those of the blobs that aren't here; the others are noted as wanted now, so that prune leaves them.

        For verbs that count on blobs being here: noted first, looked for afterwards. Those in the trash come back.
        """
        wanted = set(oids)
        missing = self.missing(wanted)
        if self.catalog.touch(wanted - missing):
            missing = self.missing(wanted)
        return self.rescue(missing)

    def rescue(self, oids: set[Oid]) -> set[Oid]:
        """Puts blobs back that lie in the trash; returns those that don't. Durable."""
        if not oids or self.trash.is_empty():
            return oids
        left = set(oids)
        for oid in oids:
            path = self.trash.find_file(oid)
            if path is not None:
                put_back_file(path, self.layout, self.catalog, self._disk)
                left.discard(oid)
        with self.writer() as writer:
            for oid, pack, offset, size in self.trash.iter_packed(left.copy()):
                if oid in left and writer.add_bytes(read_packed(pack, oid, offset, size)).oid == oid:
                    left.discard(oid)
        return left

    def sizes(self, oids: Iterable[Oid]) -> dict[Oid, int]:
        """Returns the sizes in bytes of those of the blobs that are here."""
        wanted = set(oids)
        found = {oid: place.size for oid, place in self.catalog.find_many(wanted).items()}
        for oid in wanted - found.keys():
            status = self.file_status(oid)
            if status is not None:
                found[oid] = status.st_size
        return found

    def file_status(self, oid: Oid) -> os.stat_result | None:
        """Returns the stat of a blob that is stored as a file, or None: for asking of many, most of which aren't."""
        try:
            return os.stat(self.layout.blob_path(oid))
        except FileNotFoundError:
            return None

    def path_of(self, oid: Oid) -> Path | None:
        """Returns the file of a blob that is stored as one, or None."""
        path = self.layout.blob_file(oid)
        return path if path.exists() else None

    def find_many(self, oids: Iterable[Oid]) -> dict[Oid, PackedBlob]:
        """Returns where the packed ones of these blobs lie."""
        return self.catalog.find_many(oids)

    def read_packed(self, oid: Oid, place: PackedBlob) -> bytes:
        """Returns a packed blob's bytes, hash-checked. Raises CorruptBlob, MissingBlob."""
        try:
            return self._read_place(oid, place)
        except CorruptBlob:
            self.set_aside(oid)
            raise

    def read(self, oid: Oid) -> bytes:
        """Returns a blob's bytes at once, hash-checked; for small ones. Raises MissingBlob, CorruptBlob."""
        place = self.catalog.find(oid)
        if place is not None:
            return self.read_packed(oid, place)
        return b"".join(self.iter_chunks(oid))

    def iter_contents(self, pointers: Sequence[Pointer]) -> Iterator[tuple[Pointer, bytes]]:
        """Yields small blobs with their bytes, hash-checked, in the order in which they lie on disk."""
        places = self.find_many(pointer.oid for pointer in pointers)
        packed = [(places[pointer.oid], pointer) for pointer in pointers if pointer.oid in places]
        for place, pointer in sorted(packed, key=lambda pair: (pair[0].pack, pair[0].offset)):
            yield pointer, self.read_packed(pointer.oid, place)
        for pointer in pointers:
            if pointer.oid not in places:
                yield pointer, self.read(pointer.oid)

    def open(self, oid: Oid) -> BinaryIO:
        """Returns an open file of a blob's bytes; the reader checks the hash. Raises MissingBlob."""
        place = self.catalog.find(oid)
        if place is not None:
            return BytesIO(self.read_packed(oid, place))
        path = self.layout.blob_file(oid)
        try:
            with mapped(path):
                return path.open("rb", buffering=0)
        except FileNotFoundError:
            if self.rescue({oid}):
                raise MissingBlob(oid) from None
            return self.open(oid)

    def iter_chunks(
        self, oid: Oid, chunk_bytes: int = CHUNK, check: Callable[[Oid], Check] = FullCheck
    ) -> Iterator[bytes]:
        """Yields a blob's bytes, a large one's in chunks; of a damaged one the last chunk is never given.

        `check` is how a large one is found to be damaged. Raises CorruptBlob instead of the last chunk (the blob is set
        aside), MissingBlob at the start.
        """
        place = self.catalog.find(oid)
        if place is not None:
            yield self.read_packed(oid, place)
            return
        held = b""
        try:
            for chunk in self._checked(oid, check(oid), chunk_bytes):
                if held:
                    yield held
                held = chunk
        except CorruptBlob:
            self.set_aside(oid)
            raise
        if held:
            yield held

    def _checked(self, oid: Oid, check: Check, chunk_bytes: int = CHUNK) -> Iterator[bytes]:
        size = 0
        with _read_errors(oid, 0):
            file = self.open(oid)
        with file:
            while True:
                with _read_errors(oid, size), mapped(self.layout.blob_file(oid)):
                    chunk = file.read(chunk_bytes)
                if not chunk:
                    break
                check.update(chunk)
                size += len(chunk)
                yield chunk
        if not check.is_right():
            raise CorruptBlob(oid, f"{size} bytes with another hash")

    def verify(self, oid: Oid, advance: Callable[[int], None] = lambda size: None) -> None:
        """Reads and hashes a blob, and leaves it where it is. Raises CorruptBlob, MissingBlob."""
        place = self.catalog.find(oid)
        if place is None:
            for chunk in self._checked(oid, FullCheck(oid)):
                advance(len(chunk))
            return
        advance(len(self._read_place(oid, place)))

    def check(self, oid: Oid, advance: Callable[[int], None] = lambda size: None) -> None:
        """Reads and hashes a blob, and sets a damaged one aside. Raises CorruptBlob, MissingBlob."""
        try:
            self.verify(oid, advance)
        except CorruptBlob:
            self.set_aside(oid)
            raise

    def is_whole(self, oid: Oid) -> bool:
        """Returns whether a blob is here and its bytes are what its name says."""
        try:
            self.verify(oid)
        except (CorruptBlob, MissingBlob):
            return False
        return True

    def set_aside(self, oid: Oid) -> None:
        """Takes a damaged blob out of the store, or leaves it where the store can't be written."""
        with contextlib.suppress(StorageError, OSError):
            self.take_out(oid)

    def take_out(self, oid: Oid) -> None:
        """Takes a damaged blob out of the store, so that it counts as missing and is fetched or added again.

        A file goes to `damaged/`, never to be read again; in a pack the blob is forgotten. Raises StorageError.
        """
        path = self.layout.blob_file(oid)
        if path.exists():
            if self._is_good_file(path, oid):
                return  # Another process has replaced it since.
            self._disk.make_directory(self.layout.damaged)
            self._disk.rename(path, self.layout.damaged / oid)
            return
        place = self.catalog.find(oid)
        # What is there by now may be another's good copy.
        if place is not None and not self._is_good(oid, place):
            self.catalog.forget(oid, place)

    def iter_pointers(self) -> Iterator[Pointer]:
        """Yields every blob here with its size in bytes."""
        for oid, place in self.catalog.iter_blobs():
            yield Pointer(oid, place.size)
        for prefix in self.layout.prefixes():
            for oid, status in self.layout.iter_files(prefix):
                yield Pointer(oid, status.st_size)

    def size_on_disk(self) -> int:
        """Returns how many bytes all blobs take, each counted once."""
        files = (status.st_size for prefix in self.layout.prefixes() for _, status in self.layout.iter_files(prefix))
        return sum(size for size, _ in self.layout.iter_packs()) + sum(files)

    def writer(self) -> BlobWriter:
        """Returns a writer, to use as a context manager: all it took in is durable when that ends."""
        remove_leftovers(self.layout.temporary)
        return BlobWriter(self.layout, self.catalog, self._disk, self._is_whole_here)

    def sweeper(self) -> Sweeper:
        """Returns what takes blobs out of the store."""
        return Sweeper(self.layout, self.catalog, self._disk)

    def close(self) -> None:
        """Closes files and database."""
        self._opened.clear()
        self.catalog.close()

    def __enter__(self) -> "BlobStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_place(self, oid: Oid, place: PackedBlob) -> bytes:
        """Returns the bytes of a packed blob, hash-checked. It may have been moved since its place was looked up.

        Raises MissingBlob, and CorruptBlob when what the catalog names now is damaged.
        """
        is_rescued = False
        while True:
            content = self._read_at(oid, place)
            if content is not None and hashlib.sha256(content).hexdigest() == oid:
                return content
            again = self.catalog.find(oid)
            if again is None or again == place:
                if content is not None:
                    raise CorruptBlob(oid, f"{len(content)} bytes with another hash in pack '{place.pack}'")
                if is_rescued or self.rescue({oid}):
                    raise MissingBlob(oid)
                is_rescued = True
                again = self.catalog.find(oid)
            if again is None:
                raise MissingBlob(oid)
            place = again

    def _is_whole_here(self, oid: Oid) -> bool:
        """Returns whether a blob is whole where it lies now; the trash does not count."""
        place = self.catalog.find(oid)
        return self._is_good_file(self.layout.blob_file(oid), oid) if place is None else self._is_good(oid, place)

    def _is_good_file(self, path: Path, oid: Oid) -> bool:
        digest = hashlib.sha256()
        try:
            with mapped(path), path.open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        except FileNotFoundError:
            return False
        except StorageError as error:
            if not is_unreadable(error):
                raise
            return False
        return digest.hexdigest() == oid

    def _is_good(self, oid: Oid, place: PackedBlob) -> bool:
        content = self._read_at(oid, place)
        return content is not None and hashlib.sha256(content).hexdigest() == oid

    def _read_at(self, oid: Oid, place: PackedBlob) -> bytes | None:
        try:
            pack = self._open_pack(place.pack)
        except FileNotFoundError:
            return None
        try:
            return pread(pack.descriptor, place.size, place.offset)
        except OSError as error:
            if not is_unreadable(error):
                raise
            return b""  # As bytes with another hash: a sector that can't be read is damage like any other.

    def _open_pack(self, name: str) -> "_OpenPack":
        pack = self._opened.get(name)
        if pack is not None:
            return pack
        # Opened by each thread that misses it rather than by one that the others wait for.
        pack = _OpenPack(self.layout.packs / name)
        with self._lock:
            self._let_go()
            if len(self._opened) >= self._open_at_most:
                # Closed when the last thread that reads from it has done so.
                del self._opened[next(iter(self._opened))]
            self._opened[name] = pack
        return pack

    def _let_go(self) -> None:
        """Closes packs that were deleted. Looks at all only after as many were opened: one look for each, not 256."""
        self._opened_since += 1
        if self._opened_since >= len(self._opened):
            self._opened_since = 0
            self._opened = {name: pack for name, pack in self._opened.items() if not pack.is_deleted()}


@contextlib.contextmanager
def _read_errors(oid: Oid, position: int) -> Iterator[None]:
    """Takes what the disk can't read for damage of this blob, so that those who look at many go on with the next."""
    try:
        yield
    except StorageError as error:
        if not is_unreadable(error):
            raise
        raise CorruptBlob(oid, f"can't be read from byte {position} on") from error


class _OpenPack:
    """An open blob pack, closed when nobody refers to it any more: never under a thread that reads from it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        with mapped(path):
            self.descriptor = os.open(path, READ)

    def is_deleted(self) -> bool:
        """Returns whether its file has no name any more, so that its room is free once nobody has it open."""
        return os.fstat(self.descriptor).st_nlink == 0

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
