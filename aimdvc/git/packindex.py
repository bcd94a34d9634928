"""Writes a pack's index, version 2, and reads its names (Git, gitformat-pack.txt § Version 2 pack-*.idx files)."""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

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
