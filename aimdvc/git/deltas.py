"""Applies Git's deltas with the size of the result known, and allowed, before a byte of it is made.

Format: Git, Documentation/gitformat-pack.txt § Deltified representation.
"""

from collections.abc import Callable

from aimdvc.git.fsck import BadObjectError


def apply_delta(base: bytes, delta: bytes, allow: Callable[[int], None]) -> bytes:
    """Returns what a delta makes of its base. `allow` gets the size of the result first, and raises when it may not.

    Raises BadObjectError for a delta that doesn't fit its base or its own sizes.
    """
    try:
        return _apply(base, delta, allow)
    except IndexError as error:
        raise BadObjectError("a delta is cut") from error


def _apply(base: bytes, delta: bytes, allow: Callable[[int], None]) -> bytes:
    base_size, position = _size(delta, 0)
    size, position = _size(delta, position)
    if base_size != len(base):
        raise BadObjectError("a delta is for another base")
    allow(size)
    parts: list[bytes] = []
    left = size
    while position < len(delta):
        code = delta[position]
        position += 1
        if code & 0x80:
            start = length = 0
            for bit in range(4):
                if code & (1 << bit):
                    start |= delta[position] << (8 * bit)
                    position += 1
            for bit in range(3):
                if code & (0x10 << bit):
                    length |= delta[position] << (8 * bit)
                    position += 1
            length = length or 0x10000
            part = base[start : start + length]
        else:
            length = code
            part = delta[position : position + length]
            position += length
        left -= length
        if left < 0 or len(part) != length or length == 0:
            raise BadObjectError("a delta doesn't fit")
        parts.append(part)
    if left:
        raise BadObjectError("a delta makes less than it says")
    return b"".join(parts)


def _size(delta: bytes, position: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = delta[position]
        position += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return size, position
        if shift > 60:
            raise BadObjectError("a delta's size can't be read")
