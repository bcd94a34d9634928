"""JSON values as parameters and records hold them: what Python has more of is made plain, or refused.

A float that JSON can't write, NaN or an infinity, is written as `{"$float": "NaN"}`, `{"$float": "Infinity"}` or
`{"$float": "-Infinity"}`, and read back as the number.
"""

import json
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from os import PathLike, fspath
from typing import Any

_DEPTH = 50
_FLOAT = "$float"
encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
"""Writes a plain value as JSON. Raises ValueError for NaN and infinities."""


def plain(value: Any, where: str, is_lenient: bool = False, depth: int = 0) -> Any:
    """Returns a value made of None, bool, int, float, str, list and dict alone, nothing shared with the one given.

    Tuples become lists, paths and enumerations what they stand for, numbers and arrays of NumPy and the like what they
    hold. Anything else raises TypeError, naming `where`; with `is_lenient` it becomes its text.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if depth >= _DEPTH:
        raise ValueError(f"{where} is nested deeper than {_DEPTH} levels")
    if isinstance(value, Enum):
        return plain(value.value, where, is_lenient, depth + 1)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return {_key(key, where): plain(inner, where, is_lenient, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, where, is_lenient, depth + 1) for inner in value]
    if isinstance(value, PathLike):
        return plain(fspath(value), where, is_lenient, depth + 1)
    to_list = getattr(value, "tolist", None)
    if callable(to_list) and not isinstance(value, type):
        return plain(to_list(), where, is_lenient, depth + 1)
    if is_lenient:
        return str(value)
    raise TypeError(f"{where} is {type(value).__name__}, which JSON can't hold")


def sendable(value: Any) -> Any:
    """Returns a plain value with its texts as UTF-8, and so a server, can hold them; all else of it is the same.

    Half of a surrogate pair, as a path has it whose bytes are no UTF-8, and NUL are written as escapes.
    """
    if type(value) is str and not value.isprintable():
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if isinstance(value, dict):
        return {sendable(key): sendable(inner) for key, inner in value.items()}
    return [sendable(inner) for inner in value] if isinstance(value, list) else value


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, (int, float)):
        return str(key)
    raise TypeError(f"{where} has the key {key!r}, expected a text")


def dump(value: Any) -> str:
    """Returns a plain value as JSON, in one line."""
    try:
        return encode(value)
    except ValueError:
        # It says so of NaN and infinities alone: they are seldom, and looking for them takes as long as writing.
        return encode(_without_strange_floats(value))


def parse(text: str | bytes) -> Any:
    """Returns what `dump` wrote. Raises ValueError, also for numbers that JSON doesn't have."""
    return json.loads(text, object_hook=_float_of, parse_constant=_refuse)


def _without_strange_floats(value: Any) -> Any:
    if type(value) is float and not isfinite(value):
        return {_FLOAT: "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {key: _without_strange_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_strange_floats(inner) for inner in value]
    return value


def _float_of(found: dict[str, Any]) -> Any:
    if len(found) == 1 and found.get(_FLOAT) in ("NaN", "Infinity", "-Infinity"):
        return float(found[_FLOAT])
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
