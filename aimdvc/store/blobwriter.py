"""Takes blobs in: small ones together into one pack, large ones each into a file, durable when the writer ends.

Hashes what is written, never what might have changed meanwhile, so an oid is always that of the stored bytes.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from aimdvc.errors import AimdvcError, CorruptBlob
from aimdvc.fs import system
from aimdvc.fs.directories import name_open_file
from aimdvc.fs.disk import Disk, TempFile, reflink
from aimdvc.fs.faults import require_space
from aimdvc.fs.leftovers import temporary_name
from aimdvc.fs.system import pread
from aimdvc.model.frames import FRAME, MAGIC, end_frame, frame_header
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.settings import Link
from aimdvc.store.catalog import Catalog
from aimdvc.store.hashing import hashed
from aimdvc.store.layout import SMALL, Layout
from aimdvc.store.partial import PartialBlob
from aimdvc.store.twin import Twin

CHUNK = 1 << 20
PACK_LIMIT = 64 << 20
"""Bytes; a pack that reaches this is ended, and the next begun."""

_BUFFER = 1 << 20
_GROUP_FILES = 500
_GROUP_BYTES = 128 << 20
_ALONE = 16 << 20
"""Bytes; files from this size on are synced each by itself: they were mostly written out while they grew."""


class BlobWriter:
    """One session of writing; safe to use from several threads. Nothing is promised before the `with` ends."""

    def __init__(self, layout: Layout, catalog: Catalog, disk: Disk, is_whole: Callable[[Oid], bool]) -> None:
        """`is_whole` tells whether what the store has under a name already is what the name says."""
        self._is_whole = is_whole
        self._has_met_files = False
        self._layout = layout
        self._catalog = catalog
        self._disk = disk
        self._lock = threading.RLock()
        self._temp: TempFile | None = None
        self._pending: dict[Oid, bytes] = {}
        self._pending_bytes = 0
        self._size = 0
        self._blobs: dict[Oid, tuple[int, int]] = {}
        self._met: set[Oid] = set()
        self._files: list[tuple[Path, Path]] = []
        self._files_bytes = 0

    def add_bytes(self, content: bytes) -> Pointer:
        """Stores small content and returns its pointer; content that is here already is only noted as seen."""
        oid = Oid(hashlib.sha256(content).hexdigest())
        if len(content) >= SMALL:
            return self._add_stream(iter((content,)), None)
        self._pack(oid, content)
        return Pointer(oid, len(content))

    def add_chunks(self, chunks: Iterable[bytes]) -> Pointer:
        """Stores content that is not small, as it comes, and returns its pointer; nothing of it where they raise."""
        return self._add_stream(chunks, None)

    def add_file(
        self, descriptor: int, status: os.stat_result, advance: Callable[[int], None], link: Link = "copy"
    ) -> Pointer:
        """Stores an open file, streamed, and returns its pointer; no more is read than its `status` says.

        Large ones share their blocks with the blob where `link` and the file system allow it; with `hardlink` the file
        itself becomes the blob, read-only from now on, when it has no other name. What can share neither is copied.
        `advance` takes the bytes read since its last call. Raises DiskFull, before anything is written, for a copy that
        has no room.
        """
        size = status.st_size
        if size < SMALL:
            return self.add_bytes(b"".join(_told(_chunks(descriptor, size), advance)))
        if link == "hardlink" and can_be_linked(status):
            temporary = self._second_name(descriptor)
            if temporary is not None:
                return self._add_linked(temporary, descriptor, status, advance)
        with self._disk.create_temp(self._layout.temporary) as temp:
            if link == "reflink" and reflink(descriptor, temp.fd):
                # The clone is read, not the file: that may change meanwhile.
                chunks = _told(_chunks(temp.fd, size), advance)
            else:
                if size >= _ALONE:
                    require_space(self._layout.temporary, min(size, getattr(status, "st_blocks", size) * 512))
                chunks = _written(_told(_chunks(descriptor, size), advance), temp)
            pointer = hashed(chunks, None)
            self._take(temp, pointer)
            return pointer

    def _second_name(self, descriptor: int) -> Path | None:
        """Returns a new name in `tmp/` of an open file; None where the system gives it none."""
        temporary = self._layout.temporary / temporary_name("tmp-")
        self._disk.before("link", temporary)
        try:
            name_open_file(descriptor, temporary)
        except OSError:
            return None
        return temporary

    def _add_linked(
        self, temporary: Path, descriptor: int, status: os.stat_result, advance: Callable[[int], None]
    ) -> Pointer:
        digest = hashlib.sha256()
        try:
            for chunk in _told(_chunks(descriptor, status.st_size), advance):
                digest.update(chunk)
        except OSError:
            temporary.unlink()
            raise
        pointer = Pointer(Oid(digest.hexdigest()), status.st_size)
        is_here = self._is_here(descriptor, pointer)
        now = os.fstat(descriptor)
        # A file that changed while it was read is no blob: the caller, who looks at the stat too, reads it again.
        has_changed = (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns)
        if has_changed or is_here:
            temporary.unlink()
        else:
            # The file may be old; that it is wanted as a blob is new, and prune must know before it can see it.
            self._catalog.touch([pointer.oid])
            self._publish_later(temporary, self._layout.blob_file(pointer.oid), pointer.size)
        return pointer

    def receive(self, pointer: Pointer, chunks: Iterable[bytes]) -> None:
        """Stores a blob that arrives from elsewhere. Raises CorruptBlob when it is another; nothing is kept then."""
        if pointer.size < SMALL:
            content = b"".join(chunks)
            if len(content) != pointer.size or hashlib.sha256(content).hexdigest() != pointer.oid:
                raise CorruptBlob(pointer.oid, f"{len(content)} other bytes arrived")
            self._pack(pointer.oid, content)
            return
        try:
            twin = self._twin(pointer.oid)
        except FileNotFoundError:
            self._add_stream(chunks, pointer)
            return
        with twin:
            hashed(twin.passing(chunks), pointer)
            # It may have taken long to come: prune leaves it from now on, and what it took before that is missed here.
            self._catalog.touch([pointer.oid])
            if twin.is_same():
                # Whoever wrote it may not have lived to sync its directory.
                self._has_met_files = True
            else:
                self._publish(twin.taken(pointer), pointer)

    def take_file(self, temp: TempFile, pointer: Pointer) -> None:
        """Stores a blob that was hashed where it lies, on the store's file system; the file becomes it, or goes."""
        with temp:
            if pointer.size < SMALL:
                self._pack(pointer.oid, pread(temp.fd, pointer.size, 0))
            else:
                # The file may be old; that it is wanted as a blob is new, and prune must know before it can see it.
                self._catalog.touch([pointer.oid])
                self._take(temp, pointer)

    def partial(self, pointer: Pointer) -> PartialBlob:
        """Returns the begun download of a large blob, to go on with; what is there survives a crash."""
        return PartialBlob(self._layout, self._disk, pointer)

    def _pack(self, oid: Oid, content: bytes) -> None:
        with self._lock:
            if oid in self._blobs or oid in self._pending or oid in self._met:
                return
            self._pending[oid] = content
            self._pending_bytes += len(content) + FRAME.size
            if self._pending_bytes >= _BUFFER:
                self._write_pending()
            if self._size >= PACK_LIMIT:
                self._end_pack()

    def _write_pending(self) -> None:
        """Appends the pending blobs that the store lacks: one look-up and one write for all of them."""
        # Noted as wanted first, and looked at afterwards: what prune took before that is written anew.
        self._catalog.touch(self._catalog.find_many(self._pending))
        stored = {oid for oid in self._catalog.find_many(self._pending) if self._is_whole(oid)}
        self._met.update(stored)
        parts: list[bytes] = []
        for oid, content in self._pending.items():
            if oid in stored:
                continue
            if self._temp is None:
                self._temp = self._disk.create_temp(self._layout.temporary)
                parts.append(MAGIC)
                self._size = len(MAGIC)
            self._blobs[oid] = (self._size + FRAME.size, len(content))
            parts += (frame_header(oid, len(content)), content)
            self._size += FRAME.size + len(content)
        self._pending, self._pending_bytes = {}, 0
        if self._temp is None or not parts:
            return
        try:
            self._temp.write(b"".join(parts))
        except BaseException:  # After an interrupt, too, it isn't known how much was written: nothing of it may count.
            self.discard()
            raise

    def _end_pack(self) -> None:
        self._write_pending()
        if self._temp is None:
            return
        name = f"{os.urandom(16).hex()}.pack"
        try:
            self._temp.write(end_frame(len(self._blobs)))
            self._disk.publish(self._temp, self._layout.packs / name, 0o444)
            blobs = ((oid, offset, size) for oid, (offset, size) in self._blobs.items())
            self._catalog.insert_pack(name, blobs)
        except BaseException:  # After an interrupt, too: never synced again; named already, the next open finds it.
            self.discard()
            raise
        self._temp = None
        self._blobs, self._size = {}, 0

    def _add_stream(self, chunks: Iterable[bytes], expected: Pointer | None) -> Pointer:
        with self._create_temp() as temp:
            pointer = hashed(_written(chunks, temp), expected)
            self._take(temp, pointer)
            return pointer

    def _create_temp(self) -> TempFile:
        return self._disk.create_temp(self._layout.temporary)

    def _take(self, temp: TempFile, pointer: Pointer) -> None:
        if not self._is_here(temp.fd, pointer):
            self._publish(temp, pointer)

    def _publish(self, temp: TempFile, pointer: Pointer) -> None:
        target = self._layout.blob_file(pointer.oid)
        if pointer.size >= _ALONE:
            self._disk.make_directory(target.parent)
            self._disk.publish(temp, target, 0o444)
            return
        temp.keep()
        self._publish_later(temp.path, target, pointer.size)

    def _is_here(self, descriptor: int, pointer: Pointer) -> bool:
        """Returns whether the blob is here already, with the bytes of an open file that was hashed."""
        try:
            twin = self._twin(pointer.oid)
        except FileNotFoundError:
            return False
        with twin:
            is_here = twin.is_copy_of(descriptor)
        self._has_met_files |= is_here
        return is_here

    def _twin(self, oid: Oid) -> Twin:
        """Opens what lies where a large blob belongs. Raises FileNotFoundError."""
        path = self._layout.blob_file(oid)
        if path.exists():
            # Noted as wanted before it is looked at: from here on prune leaves it.
            self._catalog.touch([oid])
        return Twin(path, self._create_temp)

    def _publish_later(self, temporary: Path, target: Path, size: int) -> None:
        with self._lock:
            self._files.append((temporary, target))
            self._files_bytes += size
            if len(self._files) >= _GROUP_FILES or self._files_bytes >= _GROUP_BYTES:
                self._publish_files()

    def _publish_files(self) -> None:
        files, self._files, self._files_bytes = self._files, [], 0
        try:
            self._disk.publish_all(files, 0o444)
        except BaseException:  # After an interrupt, too, nobody publishes them; nor is a failed sync trusted.
            for temporary, _ in files:
                temporary.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Makes everything durable."""
        with self._lock:
            self._publish_files()
            self._end_pack()
            if self._has_met_files:
                self._disk.sync_filesystem(self._layout.files)
                self._has_met_files = False

    def discard(self) -> None:
        """Throws away what isn't durable yet."""
        with self._lock:
            temp, self._temp = self._temp, None
            self._blobs, self._pending, self._pending_bytes, self._size = {}, {}, 0, 0
            if temp is not None:
                temp.discard()
            for temporary, _ in self._files:
                temporary.unlink(missing_ok=True)
            self._files, self._files_bytes = [], 0

    def __enter__(self) -> "BlobWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, (Exception, KeyboardInterrupt)):
            if self._temp is not None:
                self._temp.close()
            return
        # What arrived whole before an error is kept: a rerun then fetches or hashes only the rest.
        try:
            self.close()
        except (AimdvcError, OSError):
            self.discard()
            # Whoever counts what arrived before an error must hear that it is not kept after all.
            if not isinstance(error, KeyboardInterrupt):
                raise


def _chunks(descriptor: int, size: int) -> Iterable[bytes]:
    while size and (chunk := os.read(descriptor, min(CHUNK, size))):
        size -= len(chunk)
        yield chunk


def can_be_linked(status: os.stat_result) -> bool:
    """Returns whether a file may become a blob as it is: ours, not executable, and known by no other name."""
    return status.st_nlink == 1 and not status.st_mode & 0o111 and system.user_id() in (0, status.st_uid)


def _written(chunks: Iterable[bytes], temp: TempFile) -> Iterable[bytes]:
    for chunk in chunks:
        temp.write(chunk)
        yield chunk


def _told(chunks: Iterable[bytes], advance: Callable[[int], None]) -> Iterable[bytes]:
    for chunk in chunks:
        yield chunk
        advance(len(chunk))
