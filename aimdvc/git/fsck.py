"""What Git's fsck asks of one object, and which objects that one names; and what no checkout could write.

Rules: Git, Documentation/fsck-msgs.txt, those of level ERROR and the ones that reach outside a checkout. Judged in the
tests by `git fsck --strict`. Stricter than Git: modes are those that Git writes today, links lead somewhere, and trees
are not too deep.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from aimdvc.errors import IntegrityError
from aimdvc.git.kinds import BLOB, COMMIT, TAG, TREE

MAX_DEPTH = 512
"""Levels of folders below a version's root: paths are longer than systems take long before."""
MAX_LINK_BYTES = 4095
"""The longest target of a symbolic link (Linux)."""


class Refer(Protocol):
    """Takes the raw id of an object that is named, and the type that it has to have."""

    def __call__(self, name: bytes, kind: int, *, is_link: bool = False) -> None: ...


class BadObjectError(IntegrityError):
    """A git object that no repository may hold; the message says why."""


_ENTRY = re.compile(rb"([1-7][0-7]{4,5}) ([^\0/]+)\0(.{20})", re.DOTALL)
_MODES = {
    b"40000": TREE,
    b"100644": BLOB,
    b"100755": BLOB,
    b"120000": BLOB,
    b"160000": 0,
}
_IDENTITY = rb"[^\n<>\0]*<[^\n<>\0]*> (?:0|[1-9][0-9]{0,17}) [+-][0-9]{4}\n"
_COMMIT = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author " + _IDENTITY + rb"committer " + _IDENTITY
)
_TAG = re.compile(rb"object ([0-9a-f]{40})\ntype (commit|tree|blob|tag)\ntag [^\n\0]+\n(?:tagger " + _IDENTITY + rb")?")
_TYPES = {b"commit": COMMIT, b"tree": TREE, b"blob": BLOB, b"tag": TAG}
# Names that need a second look: some file system may read them as `.git`, `.` or `..`.
_SUSPECT = re.compile(rb"\.|[gG][iI]|[^\x00-\x7f]|[^\\]*\\")
_HFS_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
_DOT_GIT = re.compile(r"(?:\.git|git~[0-9]+|gi[0-9a-f]{4}~[0-9]+)[ .]*(?::.*)?", re.IGNORECASE | re.DOTALL)


def check_object(kind: int, content: bytes, refer: Refer) -> None:
    """Checks one object and hands on what it names. Raises BadObjectError."""
    if kind == TREE:
        _check_tree(content, refer)
    elif kind == COMMIT:
        _check_commit(content, refer)
    elif kind == TAG:
        _check_tag(content, refer)


def _check_tree(content: bytes, refer: Refer) -> None:
    position = 0
    previous = b""
    names: set[bytes] = set()
    for match in _ENTRY.finditer(content):
        if match.start() != position:
            break
        position = match.end()
        mode, name, git_id = match.groups()
        kind = _MODES.get(mode)
        if kind is None:
            modes = b", ".join(_MODES).decode()
            raise BadObjectError(f"a tree has an entry with mode {mode.decode()}, expected one of {modes}")
        if _SUSPECT.match(name) and _is_dot_git(name):
            raise BadObjectError(f"a tree has an entry {name!r}")
        key = name + b"/" if kind == TREE else name
        if key <= previous:
            raise BadObjectError("a tree is not sorted, or names an entry twice")
        previous = key
        if name in names:
            raise BadObjectError("a tree names an entry twice")
        names.add(name)
        if kind:
            refer(git_id, kind, is_link=mode == b"120000")
    if position != len(content):
        raise BadObjectError("a tree can't be read")


def _is_dot_git(name: bytes) -> bool:
    if name in (b".", b".."):
        return True
    text = name.decode("utf-8", "surrogateescape").translate(_HFS_IGNORED)
    return any(_DOT_GIT.fullmatch(part) for part in text.split("\\"))


def _check_commit(content: bytes, refer: Refer) -> None:
    match = _COMMIT.match(content)
    if match is None:
        raise BadObjectError("a commit's header is malformed")
    if b"\0" in content:
        raise BadObjectError("a commit has a NUL byte")
    refer(bytes.fromhex(match[1].decode()), TREE)
    for line in match[2].splitlines():
        refer(bytes.fromhex(line[7:].decode()), COMMIT)


def _check_tag(content: bytes, refer: Refer) -> None:
    match = _TAG.match(content)
    if match is None:
        raise BadObjectError("a tag's header is malformed")
    refer(bytes.fromhex(match[1].decode()), _TYPES[match[2]])


def is_link_target(content: bytes) -> bool:
    """Returns whether a blob can be what a symbolic link holds: some system call has to take it."""
    return 0 < len(content) <= MAX_LINK_BYTES and b"\0" not in content


def subtrees(content: bytes) -> list[bytes]:
    """Returns the raw ids of the trees in a tree."""
    if b"40000 " not in content:
        return []
    return [match[3] for match in _ENTRY.finditer(content) if match[1] == b"40000"]


@dataclass(slots=True)
class _Level:
    name: bytes
    children: Iterator[bytes]
    height: int = 0


def check_depth(trees: Mapping[bytes, Sequence[bytes]], read: Callable[[bytes], Sequence[bytes]]) -> None:
    """Checks that folders are not nested too deep. Raises BadObjectError.

    `trees` are the subtrees of trees that arrived; `read` returns those of any other, once for each.
    """
    heights: dict[bytes, int] = {}
    for root in trees:
        # The lowest level stands for whatever names the root.
        stack = [_Level(b"", iter((root,)))]
        while stack:
            child = next(stack[-1].children, None)
            if child is None:
                level = stack.pop()
                heights[level.name] = level.height
            elif child in heights:
                stack[-1].height = max(stack[-1].height, heights[child] + 1)
                _check_levels(heights[child])
            else:
                _check_levels(len(stack) - 1)
                # Once it is done it is asked for again, and its height is known.
                below = trees[child] if child in trees else read(child)
                stack[-1].children = chain((child,), stack[-1].children)
                stack.append(_Level(child, iter(below)))


def _check_levels(count: int) -> None:
    if count > MAX_DEPTH:
        raise BadObjectError(f"folders are nested more than {MAX_DEPTH} deep")
