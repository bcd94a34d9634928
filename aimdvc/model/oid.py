"""The two kinds of names for content: `Oid` for blobs, `GitId` for git objects.

Both are strings that were checked once, where they entered; nobody checks them again.
"""

import re
from typing import NewType

from aimdvc.errors import MalformedPointer

Oid = NewType("Oid", str)
"""SHA-256 of a blob's bytes: 64 lower-case hex digits."""

GitId = NewType("GitId", str)
"""SHA-1 name of a git object: 40 lower-case hex digits."""

_OID = re.compile(r"[0-9a-f]{64}")
_GIT_ID = re.compile(r"[0-9a-f]{40}")

EMPTY_BLOB = GitId("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
"""The empty git blob, which stands for an empty file."""

EMPTY_TREE = GitId("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
"""The empty git tree."""


def parse_oid(text: str) -> Oid:
    """Returns the text as an Oid. Raises MalformedPointer on anything but 64 lower-case hex digits."""
    if not _OID.fullmatch(text):
        raise MalformedPointer(f"oid is '{text[:80]}', expected 64 lower-case hex digits")
    return Oid(text)


def is_git_id(text: str) -> bool:
    """Returns whether the text is 40 lower-case hex digits."""
    return _GIT_ID.fullmatch(text) is not None
