"""Writes a pack's index, version 2, and reads it (Git, gitformat-pack.txt § Version 2 pack-*.idx files)."""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from aimdvc.errors import CorruptRepository

_HEAD = b"\377tOc\0\0\0\2"
_NAMES_AT = len(_HEAD) + 4 * 256


def encode_index(entries: Sequence[tuple[bytes, int, int]], pack_checksum: bytes) -> bytes:
    """Returns the index of a pack whose objects have these raw ids, offsets and CRCs, in any order."""
    ordered = sorted(entries)
    fanout = [0] * 256
    for name, _, _ in ordered:
        fanout[name[0]] += 1
    total = 0
    for byte in range(256):
        total += fanout[byte]
        fanout[byte] = total
    offsets: list[int] = []
    large: list[int] = []
    for _, offset, _ in ordered:
        if offset < 0x80000000:
            offsets.append(offset)
        else:
            offsets.append(0x80000000 | len(large))
            large.append(offset)
    count = len(ordered)
    body = b"".join(
        (
            _HEAD,
            struct.pack(">256I", *fanout),
            b"".join([name for name, _, _ in ordered]),
            struct.pack(f">{count}I", *[crc for _, _, crc in ordered]),
            struct.pack(f">{count}I", *offsets),
            struct.pack(f">{len(large)}Q", *large),
            pack_checksum,
        )
    )
    return body + hashlib.sha1(body, usedforsecurity=False).digest()


def iter_names(path: Path) -> Iterator[bytes]:
    """Yields the raw ids that an index names, sorted; nothing of one that isn't there or isn't of version 2."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    if raw.startswith(_HEAD) and len(raw) >= _NAMES_AT:
        end = _NAMES_AT + 20 * int.from_bytes(raw[_NAMES_AT - 4 : _NAMES_AT], "big")
        for start in range(_NAMES_AT, min(end, len(raw) - 40), 20):
            yield raw[start : start + 20]


def read_entries(path: Path) -> list[tuple[bytes, int, int]]:
    """Returns (raw id, offset, CRC) of every object that an index names, by offset. Raises CorruptRepository."""
    raw = path.read_bytes()
    count = int.from_bytes(raw[_NAMES_AT - 4 : _NAMES_AT], "big")
    crcs_at = _NAMES_AT + 20 * count
    large_at = crcs_at + 8 * count
    digest = hashlib.sha1(raw[:-20], usedforsecurity=False).digest()
    if not raw.startswith(_HEAD) or len(raw) < large_at + 40 or digest != raw[-20:]:
        raise CorruptRepository(str(path), "is no whole index of version 2")
    crcs = struct.unpack_from(f">{count}I", raw, crcs_at)
    offsets = list(struct.unpack_from(f">{count}I", raw, crcs_at + 4 * count))
    for number, offset in enumerate(offsets):
        if offset & 0x80000000:
            (offsets[number],) = struct.unpack_from(">Q", raw, large_at + 8 * (offset & 0x7FFFFFFF))
    names = (raw[start : start + 20] for start in range(_NAMES_AT, crcs_at, 20))
    return sorted(zip(names, offsets, crcs, strict=True), key=lambda entry: entry[1])
