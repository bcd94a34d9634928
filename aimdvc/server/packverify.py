"""Reads a published pack and its index whole, whatever their size: memory goes with the largest objects alone.

Objects in full are read in the order of the pack, deltas after them. Each has to hash to the name under which the index
has its entry; so both are right where nothing is raised. A pack that arrives has no index yet: see git/packcheck.py.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator

from aimdvc.git.fsck import BadObjectError
from aimdvc.git.kinds import BLOB, COMMIT, KIND_NAMES, TAG, TREE
from aimdvc.git.packcheck import inflate
from aimdvc.server.packcontents import PackContents, allow_size
from aimdvc.server.packkinds import FANOUT_END, INDEX_MAGIC, PackKinds

Take = Callable[[bytes, int, bytes], None]
"""Gets raw id, type and content of an object."""

_FULL = (BLOB, COMMIT, TAG, TREE)
_CHUNK = 1 << 20
_RELEASED_EVERY = 8 << 20
_RUN = 50_000
"""Deltas that are sorted together, so that their bases are met in the order of the pack."""
_OTHER = "its index is that of another"


def verify_pack(stored: PackKinds, take: Take) -> None:
    """Reads a pack whole, and hands each of its objects on, once. Raises BadObjectError, CorruptRepository."""
    try:
        _check_index(stored)
        found = bytearray(stored.count // 8 + 1)
        full = _read_in_order(stored, take, found)
        if full < stored.count:
            _read_deltas(stored, take, found)
    except (IndexError, struct.error) as error:
        raise BadObjectError("the pack or its index is cut") from error


def _check_index(stored: PackKinds) -> None:
    index = stored.index
    digest = hashlib.sha1(usedforsecurity=False)
    end = len(index) - 20
    for start in range(0, end, _CHUNK):
        digest.update(index[start : min(start + _CHUNK, end)])
        stored.release()
    if not index[:8] == INDEX_MAGIC or end < FANOUT_END + 20 + 28 * stored.count or digest.digest() != index[end:]:
        raise BadObjectError("its index is no whole one of version 2")
    if index[end - 20 : end] != stored.raw[-20:]:
        raise BadObjectError(_OTHER)
    counts = [0] * 256
    last = b""
    for position in range(stored.count):
        name = stored.name_at(position)
        if name <= last:
            raise BadObjectError("its index is not sorted")
        last = name
        counts[name[0]] += 1
        if position % _RUN == 0:
            stored.release()
    total = 0
    for byte, count in enumerate(counts):
        total += count
        if struct.unpack_from(">I", index, 8 + 4 * byte)[0] != total:
            raise BadObjectError("its index counts wrong")
    stored.release()


def _read_in_order(stored: PackKinds, take: Take, found: bytearray) -> int:
    """Reads the pack from end to end; returns how many of its objects are in full."""
    raw = stored.raw
    magic, version, count = struct.unpack_from(">4sII", raw, 0)
    if magic != b"PACK" or version not in (2, 3) or count != stored.count:
        raise BadObjectError("this is no pack of version 2, or its index counts other objects")
    digest = hashlib.sha1(raw[:12], usedforsecurity=False)
    position, released, full = 12, 0, 0
    for _ in range(count):
        kind, size, data_at = stored.header(position)
        allow_size(size)
        if kind in _FULL:
            content, end = inflate(raw, data_at, size)
            _take(stored, take, found, (position, end), (kind, content))
            full += 1
        else:
            # Its base, and so its name, comes later; here it has to be an entry.
            _, end = inflate(raw, stored.base(kind, position, data_at)[1], size)
        for start in range(position, end, _CHUNK):
            digest.update(raw[start : min(start + _CHUNK, end)])
        position = end
        if position - released > _RELEASED_EVERY:
            released = position
            stored.release()
    if position != len(raw) - 20:
        raise BadObjectError("bytes follow the pack's last object")
    if digest.digest() != raw[position:]:
        raise BadObjectError("the pack's checksum is wrong")
    return full


def _read_deltas(stored: PackKinds, take: Take, found: bytearray) -> None:
    contents = PackContents(stored)
    for run in _runs(stored, found):
        for offset in run:
            _take(stored, take, found, (offset, stored.end_of(offset)), contents.read(offset))
        stored.release()


def _runs(stored: PackKinds, found: bytearray) -> Iterator[list[int]]:
    run: list[int] = []
    for position in range(stored.count):
        if not found[position >> 3] & 1 << (position & 7):
            run.append(stored.offset_at(position))
            if len(run) == _RUN:
                yield sorted(run)
                run = []
    yield sorted(run)


def _take(stored: PackKinds, take: Take, found: bytearray, entry: tuple[int, int], read: tuple[int, bytes]) -> None:
    (start, end), (kind, content) = entry, read
    digest = hashlib.sha1(b"%s %d\0" % (KIND_NAMES[kind], len(content)), usedforsecurity=False)
    digest.update(content)
    name = digest.digest()
    position = stored.position(name)
    if position is None or stored.offset_at(position) != start:
        raise BadObjectError(_OTHER)
    if stored.crc_at(position) != zlib.crc32(stored.raw[start:end]):
        raise BadObjectError(f"git object {name.hex()} has another checksum")
    found[position >> 3] |= 1 << (position & 7)
    take(name, kind, content)
