"""The entries of the code repository's index, read fast: a hook has no time to load dulwich's reader.

Versions 2, 3 and 4 (gitformat-index(5)), each entry as it is; what only git can read has none here, and `git/code.py`
says so where it matters. Reads one file; no git process runs.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import CorruptRepository
from aimdvc.fs.faults import mapped
from aimdvc.model.oid import GitId

_HEADER = struct.Struct(">4sLL")
_FIXED = 62
_EXTENDED = 0x4000
_STAGE = 0x3000


class Staged(NamedTuple):
    """One file of the index: `stage` is 0, or the side of a conflict. `path` is relative to the work tree.

    `size` is that of the file when it was added, in bytes; of 4 GiB and more what is beyond that.
    """

    path: bytes
    mode: int
    git_id: GitId
    stage: int
    size: int


def read_raw_index(git_dir: Path, other: Path | None = None) -> bytes:
    """Returns the bytes of the index, none before anything was added; `other` stands in for the work tree's own."""
    path = other or git_dir / "index"
    with mapped(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""


def iter_staged(raw: bytes) -> Iterator[Staged]:
    """Yields what an index holds, in its order. Raises CorruptRepository."""
    if not raw:
        return
    try:
        signature, version, count = _HEADER.unpack_from(raw)
        if signature != b"DIRC" or version not in (2, 3, 4):
            raise CorruptRepository("the index of the code repository", "is none that is known")
        position, path = 12, b""
        for _ in range(count):
            start = position
            mode = int.from_bytes(raw[start + 24 : start + 28], "big")
            size = int.from_bytes(raw[start + 36 : start + 40], "big")
            flags = int.from_bytes(raw[start + 60 : start + 62], "big")
            position = start + _FIXED + (2 if flags & _EXTENDED else 0)
            if version == 4:
                cut, position = _varint(raw, position)
                end = raw.index(b"\0", position)
                path = path[: len(path) - cut] + raw[position:end]
                position = end + 1
            else:
                end = raw.index(b"\0", position)
                path = raw[position:end]
                position = start + ((end - start + 8) & ~7)
            yield Staged(path, mode, GitId(raw[start + 40 : start + 60].hex()), (flags & _STAGE) >> 12, size)
    except (struct.error, ValueError, IndexError) as error:
        raise CorruptRepository("the index of the code repository", "can't be read") from error


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    """Returns a number as Git writes offsets, and where what follows begins."""
    value = raw[position] & 0x7F
    while raw[position] & 0x80:
        position += 1
        value = ((value + 1) << 7) | (raw[position] & 0x7F)
    return value, position + 1
