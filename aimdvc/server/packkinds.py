"""The objects of a published git pack: their types, for which nothing is inflated, and their entries as they stand.

Published packs are whole, so a delta's base is in the same pack.
"""

import mmap
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from aimdvc.errors import CorruptRepository
from aimdvc.git.kinds import BLOB, COMMIT, OFS_DELTA, REF_DELTA, TAG, TREE

INDEX_MAGIC = b"\377tOc\0\0\0\2"
FANOUT_END = 8 + 1024
_FULL = (BLOB, COMMIT, TAG, TREE)
_STEP = 1 << 16
RELEASED_EVERY = 500
"""Objects looked at until the pages that they brought into memory are let go; they stay in the system's cache.

Linux maps 64 KiB at each: 500 in no order are 32 MiB.
"""


@dataclass(frozen=True, slots=True)
class PackEntry:
    """An entry: type and inflated size, the deflated data, and of a delta the offset of its base."""

    head: bytes
    data: bytes
    base: int | None


class PackKinds:
    """One pack and its index, mapped. Close it."""

    def __init__(self, path: Path, count: int, index: Path | None = None) -> None:
        self._path = path
        self._count = count
        self._index = _mapped(index or path.with_suffix(".idx"))
        self._pack = _mapped(path)
        self._names_end = FANOUT_END + 20 * count
        self._looked_up = 0

    @property
    def count(self) -> int:
        """How many objects it has; a position is below that, and tells where an object stands in the index."""
        return self._count

    @property
    def index(self) -> mmap.mmap:
        """The index, as it stands."""
        return self._index

    @property
    def raw(self) -> mmap.mmap:
        """The pack, as it stands."""
        return self._pack

    def name_at(self, position: int) -> bytes:
        """Returns the raw id of the object at a position."""
        return self._index[FANOUT_END + 20 * position : FANOUT_END + 20 * position + 20]

    def crc_at(self, position: int) -> int:
        """Returns what the index has as checksum of the entry."""
        return int(struct.unpack_from(">I", self._index, self._names_end + 4 * position)[0])

    def release(self) -> None:
        """Lets go of the memory that was mapped; what is read next is mapped again."""
        if sys.platform.startswith("linux"):
            self._index.madvise(mmap.MADV_DONTNEED)
            self._pack.madvise(mmap.MADV_DONTNEED)

    def find(self, wanted: Iterable[bytes]) -> dict[bytes, int]:
        """Returns the types of those of the objects (raw ids) that are in the pack."""
        return {name: self.kind(offset) for name, offset in self.offsets(wanted).items()}

    def offsets(self, wanted: Iterable[bytes]) -> dict[bytes, int]:
        """Returns where the entries begin of those of the objects (raw ids) that are in the pack."""
        try:
            return self._offsets(set(wanted))
        except (IndexError, struct.error) as error:
            raise CorruptRepository(self._path.name, "its index leads outside") from error

    def iter_small_blobs(self, limit: int) -> Iterator[tuple[bytes, bytes | None]]:
        """Yields raw id and content of each blob with fewer than `limit` bytes; None for those that are deltas, or
        deflated as no git does.

        Raises CorruptRepository.
        """
        for position in range(self._count):
            name = self.name_at(position)
            if position % RELEASED_EVERY == 0:
                self.release()
            try:
                offset = self.offset_at(position)
                if self.kind(offset) != BLOB:
                    continue
                if (self._pack[offset] >> 4) & 7 != BLOB:
                    yield name, None
                    continue
                _, size, data_at = self.header(offset)
                if size < limit:
                    # Deflated text of a few hundred bytes: what follows it is not looked at. Padded by empty blocks it
                    # may be longer.
                    content = zlib.decompressobj().decompress(self._pack[data_at : data_at + 2 * limit], limit)
                    yield name, content if len(content) == size else None
            except (IndexError, struct.error, zlib.error) as error:
                raise CorruptRepository(self._path.name, f"git object {name.hex()} can't be read") from error

    def header(self, offset: int) -> tuple[int, int, int]:
        """Returns the type of the entry that begins here, its inflated size, and where what follows both begins."""
        byte = self._pack[offset]
        kind, size, shift = (byte >> 4) & 7, byte & 15, 4
        while byte & 0x80:
            offset += 1
            byte = self._pack[offset]
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 60:
                raise CorruptRepository(self._path.name, "an object's size can't be read")
        return kind, size, offset + 1

    def _offsets(self, wanted: set[bytes]) -> dict[bytes, int]:
        if len(wanted) < self._count:
            places = {name: self.position(name) for name in wanted}
            return {name: self.offset_at(place) for name, place in places.items() if place is not None}
        names = self._index[FANOUT_END : self._names_end]
        found = {}
        for position in range(self._count):
            name = names[20 * position : 20 * position + 20]
            if name in wanted:
                found[name] = self.offset_at(position)
        return found

    def entry(self, offset: int) -> PackEntry:
        """Returns the entry that begins here. Raises CorruptRepository."""
        try:
            kind = (self._pack[offset] >> 4) & 7
            data_at = self._header_end(offset)
            head = self._pack[offset:data_at]
            base = None
            if kind not in _FULL:
                base, data_at = self.base(kind, offset, data_at)
            return PackEntry(head, self._pack[data_at : self._data_end(data_at)], base)
        except (IndexError, struct.error, zlib.error) as error:
            raise CorruptRepository(self._path.name, f"the entry at {offset} can't be read") from error

    def end_of(self, offset: int) -> int:
        """Returns where the entry ends that begins here."""
        kind, _, data_at = self.header(offset)
        return self._data_end(data_at if kind in _FULL else self.base(kind, offset, data_at)[1])

    def _data_end(self, position: int) -> int:
        """Returns where deflated data ends, which only inflating tells; a step of it at a time is held."""
        inflater = zlib.decompressobj()
        step = 512
        while not inflater.eof:
            chunk = inflater.unconsumed_tail or self._pack[position : position + step]
            if not chunk:
                raise IndexError
            if not inflater.unconsumed_tail:
                position += len(chunk)
                step = _STEP
            inflater.decompress(chunk, _STEP)
        return position - len(inflater.unused_data)

    def position(self, name: bytes) -> int | None:
        """Returns which of the sorted names this is, None where the pack has no such object."""
        self._looked_up += 1
        if self._looked_up % RELEASED_EVERY == 0:
            self.release()
        fanout = 8 + 4 * name[0]
        low = struct.unpack_from(">I", self._index, fanout - 4)[0] if name[0] else 0
        high = struct.unpack_from(">I", self._index, fanout)[0]
        while low < high:
            middle = (low + high) // 2
            start = FANOUT_END + 20 * middle
            found = self._index[start : start + 20]
            if found == name:
                return int(middle)
            low, high = (middle + 1, high) if found < name else (low, middle)
        return None

    def offset_at(self, position: int) -> int:
        """Returns where the entry of the object at a position begins."""
        offsets = self._names_end + 4 * self._count
        offset = int(struct.unpack_from(">I", self._index, offsets + 4 * position)[0])
        if offset & 0x80000000:
            far = offsets + 4 * self._count + 8 * (offset & 0x7FFFFFFF)
            offset = int(struct.unpack_from(">Q", self._index, far)[0])
        return offset

    def kind(self, offset: int) -> int:
        """Returns an object's type: that at the bottom of its chain of deltas."""
        try:
            for _ in range(self._count):
                kind = (self._pack[offset] >> 4) & 7
                if kind in _FULL:
                    return kind
                offset, _ = self.base(kind, offset, self._header_end(offset))
        except (IndexError, struct.error) as error:
            raise CorruptRepository(self._path.name, "its index leads outside") from error
        raise self._without_base()

    def _header_end(self, offset: int) -> int:
        while self._pack[offset] & 0x80:
            offset += 1
        return offset + 1

    def base(self, kind: int, offset: int, at: int) -> tuple[int, int]:
        """Returns where a delta's base lies, and where the delta's data begins; what names the base is at `at`."""
        pack = self._pack
        if kind == REF_DELTA:
            place = self.position(pack[at : at + 20])
            if place is None:
                raise self._without_base()
            return self.offset_at(place), at + 20
        if kind != OFS_DELTA:
            raise self._without_base()
        distance = pack[at] & 0x7F
        while pack[at] & 0x80:
            at += 1
            distance = ((distance + 1) << 7) | (pack[at] & 0x7F)
            if distance > offset:
                break
        if not 0 < distance < offset:
            raise self._without_base()
        return offset - distance, at + 1

    def _without_base(self) -> CorruptRepository:
        return CorruptRepository(self._path.name, "a delta without its base")

    def close(self) -> None:
        """Lets go of both files."""
        self._index.close()
        self._pack.close()

    def __enter__(self) -> "PackKinds":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise CorruptRepository(path.name, "is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
