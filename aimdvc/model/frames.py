"""The aimd-pack format: many blobs in one stream, on the wire and on disk alike (docs/protocol.md).

    AIMDPACK 01                      magic and version, 9 bytes
    oid (32 bytes) size (8, BE) …    a frame: the raw SHA-256, the number of bytes, the bytes
    00 × 32      count (8, BE)       the end: 32 zero bytes and the number of frames

A stream without its end was cut. A reader hashes what it reads; a frame whose bytes have another hash is an error.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from aimdvc.errors import CorruptBlob, ProtocolError
from aimdvc.model.oid import Oid

MAGIC = b"AIMDPACK\x01"
FRAME = struct.Struct(">32sQ")
END_OID = bytes(32)
PACKED_LIMIT = 1 << 20
"""Bytes; blobs from this size on travel by themselves."""

Read = Callable[[int], bytes]
"""Returns up to n bytes, b"" only at the end."""


class Frame(NamedTuple):
    """One blob of a stream: its oid, its size in bytes, and where its bytes begin in the stream."""

    oid: Oid
    size: int
    offset: int


def frame_header(oid: Oid, size: int) -> bytes:
    """Returns what stands before a blob's bytes."""
    return FRAME.pack(bytes.fromhex(oid), size)


def end_frame(count: int) -> bytes:
    """Returns what ends a stream of `count` frames."""
    return FRAME.pack(END_OID, count)


def stream_size(sizes: int, count: int) -> int:
    """Returns the length in bytes of a stream of `count` frames whose blobs have `sizes` bytes together."""
    return len(MAGIC) + count * FRAME.size + sizes + FRAME.size


def read_frames(read: Read, limit: int, source: str) -> Iterator[tuple[Frame, bytes]]:
    """Yields every frame with its bytes, hashed and compared. Holds one blob of at most `limit` bytes.

    Raises ProtocolError for a stream that is cut, too long or malformed, CorruptBlob for wrong bytes.
    """
    exact = _Exact(read, source)
    if exact.take(len(MAGIC)) != MAGIC:
        raise ProtocolError(source, "no aimd-pack stream of version 1")
    count = 0
    while True:
        raw, size = FRAME.unpack(exact.take(FRAME.size))
        if raw == END_OID:
            if size != count:
                raise ProtocolError(source, f"the aimd-pack stream ends after {count} of {size} frames")
            return
        if size > limit:
            raise ProtocolError(source, f"an aimd-pack frame of {size} bytes, more than {limit}")
        offset = exact.position
        content = exact.take(size)
        if hashlib.sha256(content).digest() != raw:
            raise CorruptBlob(raw.hex(), "other bytes arrived")
        count += 1
        yield Frame(Oid(raw.hex()), size, offset), content


def scan_frames(read: Read, skip: Callable[[int], None], source: str) -> Iterator[Frame]:
    """Yields the frames without reading their bytes; `skip` moves over them. For files, to rebuild an index.

    Raises ProtocolError for a file that is cut or malformed.
    """
    exact = _Exact(read, source)
    if exact.take(len(MAGIC)) != MAGIC:
        raise ProtocolError(source, "no aimd-pack of version 1")
    count = 0
    position = len(MAGIC)
    while True:
        raw, size = FRAME.unpack(exact.take(FRAME.size))
        position += FRAME.size
        if raw == END_OID:
            if size != count:
                raise ProtocolError(source, f"ends after {count} of {size} frames")
            return
        yield Frame(Oid(raw.hex()), size, position)
        skip(size)
        position += size
        count += 1


class _Exact:
    def __init__(self, read: Read, source: str) -> None:
        self._read = read
        self._source = source
        self.position = 0

    def take(self, size: int) -> bytes:
        content = self._read(size) if size else b""
        if len(content) < size:
            parts = [content]
            missing = size - len(content)
            while missing:
                more = self._read(missing)
                if not more:
                    raise ProtocolError(self._source, "the aimd-pack stream was cut")
                parts.append(more)
                missing -= len(more)
            content = b"".join(parts)
        self.position += size
        return content
