"""What callers of the SDK pass: an argument of another type is a TypeError that names it, before anything is done.

A wrong type would else do something else in silence (a text where a list of aliases is meant is one alias a letter), or
fail somewhere inside. Values, which have errors of their own, are looked at where they are used.
"""

import errno
import os
import uuid
from pathlib import Path


def text(name: str, value: object) -> str:
    """Returns an argument that is a text. Raises TypeError."""
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value


def optional_text(name: str, value: object) -> str | None:
    """Returns an argument that is a text or None. Raises TypeError."""
    return None if value is None else text(name, value)


def texts(name: str, value: object) -> tuple[str, ...]:
    """Returns an argument that is a list of texts, or None for none. Raises TypeError."""
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"{name} is {value!r}, expected a list of texts")
    return tuple(value)


def optional_flag(name: str, value: object) -> bool | None:
    """Returns an argument that is True, False or None. Raises TypeError."""
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(name, value, "True or False")


def absolute_path(name: str, value: object) -> Path:
    """Returns a path as one that stays the same wherever the process goes; `~` is the user's home.

    Raises TypeError, FileNotFoundError for "", which names nothing, and for a relative path where the current directory
    was removed.
    """
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str):
        raise _wrong(name, value, "a path as a text, or a Path")
    if not given:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), given)
    return Path(os.path.abspath(os.path.expanduser(given)))


def optional_absolute_path(name: str, value: object) -> Path | None:
    """Returns a path as `absolute_path` does, or None. Raises as it does."""
    return None if value is None else absolute_path(name, value)


def check_id(name: str, value: object) -> str:
    """Returns the id of a folder, an artifact or a trial, with dashes. Raises TypeError, ValueError."""
    given = text(name, value)
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise ValueError(f"{name} is {given[:80]!r}, expected a UUID") from None


def _wrong(name: str, value: object, expected: str) -> TypeError:
    return TypeError(f"{name} is {type(value).__name__}, expected {expected}")
