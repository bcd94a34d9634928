"""Writes a pack's index, version 2 (Git, Documentation/gitformat-pack.txt § Version 2 pack-*.idx files)."""

import hashlib
import struct
from collections.abc import Sequence


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
            b"\377tOc\0\0\0\2",
            struct.pack(">256I", *fanout),
            b"".join([name for name, _, _ in ordered]),
            struct.pack(f">{count}I", *[crc for _, _, crc in ordered]),
            struct.pack(f">{count}I", *offsets),
            struct.pack(f">{len(large)}Q", *large),
            pack_checksum,
        )
    )
    return body + hashlib.sha1(body, usedforsecurity=False).digest()
