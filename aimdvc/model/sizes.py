"""Sizes in bytes as people write and read them.

Units are powers of 1024, whatever letter stands behind them. Values alone; nothing here knows what has the size.
"""

import re

from aimdvc.errors import UsageError

_SIZE = re.compile(r"([0-9]{1,12})(\.[0-9]{1,3})? ?([KMGT]?)(i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str) -> int:
    """Returns the bytes that a size means: `50G`, `1.5 TiB`, `1000000`. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"size '{text}': expected a number and K, M, G or T, such as 50G")
    return int(float(match[1] + (match[2] or "")) * _UNITS[match[3].upper()])


def size_text(size: int) -> str:
    """Returns a size in bytes as people read it."""
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        amount /= 1024
        if amount < 1024 or unit == "TiB":
            break
    return f"{amount:.1f} {unit}"
