"""What stands at a path of an artifact: the entries of its trees.

Paths are relative to the artifact's root, with `/`, as `str` with surrogate escapes for bytes that are not UTF-8.
"""

from enum import IntEnum
from typing import NamedTuple

from aimdvc.model.oid import GitId
from aimdvc.model.pointer import Pointer


class Mode(IntEnum):
    """The modes that Git knows for an entry."""

    FILE = 0o100644
    EXECUTABLE = 0o100755
    SYMLINK = 0o120000
    GITLINK = 0o160000
    TREE = 0o040000


class Entry(NamedTuple):
    """One file, link or gitlink of a tree. `pointer` is None for what lies in Git as it is."""

    path: str
    mode: int
    git_id: GitId
    pointer: Pointer | None


def path_bytes(path: str) -> bytes:
    """Returns the bytes of a path as Git stores them."""
    return path.encode("utf-8", "surrogateescape")


def path_text(raw: bytes) -> str:
    """Returns the text form of a path's bytes; `path_bytes` gives the same bytes back."""
    return raw.decode("utf-8", "surrogateescape")
