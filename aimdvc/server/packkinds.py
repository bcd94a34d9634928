"""Types of the objects in a published git pack, read from its index and entry headers: nothing is inflated.

Published packs are whole, so a delta's base is in the same pack.
"""

import mmap
import struct
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from aimdvc.errors import CorruptRepository
from aimdvc.git.kinds import BLOB, COMMIT, TAG, TREE

INDEX_MAGIC = b"\377tOc\0\0\0\2"
FANOUT_END = 8 + 1024
_OFS_DELTA, _REF_DELTA = 6, 7
_FULL = (BLOB, COMMIT, TAG, TREE)


class PackKinds:
    """One pack and its index, mapped. Close it."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count
        self._index = _mapped(path.with_suffix(".idx"))
        self._pack = _mapped(path)
        self._names_end = FANOUT_END + 20 * count

    def find(self, wanted: Iterable[bytes]) -> dict[bytes, int]:
        """Returns the types of those of the objects (raw ids) that are in the pack."""
        wanted = set(wanted)
        if len(wanted) < self._count:
            places = {name: self._position(name) for name in wanted}
            return {name: self._kind(place) for name, place in places.items() if place is not None}
        names = self._index[FANOUT_END : self._names_end]
        found = {}
        for position in range(self._count):
            name = names[20 * position : 20 * position + 20]
            if name in wanted:
                found[name] = self._kind(position)
        return found

    def _position(self, name: bytes) -> int | None:
        """Returns which of the sorted names this is."""
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

    def _offset(self, position: int) -> int:
        offsets = self._names_end + 4 * self._count
        offset = int(struct.unpack_from(">I", self._index, offsets + 4 * position)[0])
        if offset & 0x80000000:
            far = offsets + 4 * self._count + 8 * (offset & 0x7FFFFFFF)
            offset = int(struct.unpack_from(">Q", self._index, far)[0])
        return offset

    def _kind(self, position: int) -> int:
        """Returns an object's type: that at the bottom of its chain of deltas."""
        try:
            return self._kind_at(self._offset(position))
        except (IndexError, struct.error) as error:
            raise CorruptRepository(self._path.name, "its index leads outside") from error

    def _kind_at(self, offset: int) -> int:
        pack = self._pack
        for _ in range(self._count):
            kind = (pack[offset] >> 4) & 7
            if kind in _FULL:
                return kind
            at = offset
            while pack[at] & 0x80:
                at += 1
            at += 1
            if kind == _REF_DELTA:
                base = self._position(pack[at : at + 20])
                if base is None:
                    break
                offset = self._offset(base)
            elif kind == _OFS_DELTA:
                distance = pack[at] & 0x7F
                while pack[at] & 0x80:
                    at += 1
                    distance = ((distance + 1) << 7) | (pack[at] & 0x7F)
                if not 0 < distance < offset:
                    break
                offset -= distance
            else:
                break
        raise CorruptRepository(self._path.name, "a delta without its base")

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
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
