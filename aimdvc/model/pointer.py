"""The Git LFS pointer: the small text that stands for a blob in a tree.

Format: Git LFS specification, docs/spec.md § The Pointer. Only the one canonical encoding is a pointer here: what Git
LFS would re-encode shows up as modified in every stock clone.
"""

import re
from typing import NamedTuple

from aimdvc.errors import MalformedPointer
from aimdvc.model.oid import Oid

POINTER_LIMIT = 1024
"""Bytes; a git blob of this size or more is never a pointer."""

_CANONICAL = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([1-9][0-9]{0,18})\n"
)


class Pointer(NamedTuple):
    """A blob's oid and its size in bytes, which is never 0: an empty file is the empty git blob."""

    oid: Oid
    size: int


def encode_pointer(pointer: Pointer) -> bytes:
    """Returns the canonical text of a pointer."""
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
        pointer.oid.encode(),
        pointer.size,
    )


def find_pointer(content: bytes) -> Pointer | None:
    """Returns the pointer that these bytes are, or None when they are not canonically one."""
    match = _CANONICAL.fullmatch(content) if len(content) < POINTER_LIMIT else None
    return Pointer(Oid(match[1].decode()), int(match[2])) if match else None


def parse_pointer(content: bytes) -> Pointer:
    """Returns the pointer that these bytes are. Raises MalformedPointer when they are none."""
    pointer = find_pointer(content)
    if pointer is None:
        raise MalformedPointer(f"{content[:60]!r} is not a canonical Git LFS pointer")
    return pointer
