"""What Git's fsck asks of one object, and which objects that one names.

Rules: Git, Documentation/fsck-msgs.txt, those of level ERROR and the ones that reach outside a checkout. Judged in the
tests by `git fsck --strict`.
"""

import re
from collections.abc import Callable

from aimdvc.errors import IntegrityError
from aimdvc.git.kinds import BLOB, COMMIT, TAG, TREE

Refer = Callable[[bytes, int], None]
"""Takes the raw id of an object that is named, and the type that it has to have."""


class BadObjectError(IntegrityError):
    """A git object that no repository may hold; the message says why."""


_ENTRY = re.compile(rb"([1-7][0-7]{4,5}) ([^\0/]+)\0(.{20})", re.DOTALL)
_MODES = {
    b"40000": TREE,
    b"100644": BLOB,
    b"100755": BLOB,
    b"100664": BLOB,
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
_SUSPECT = re.compile(rb"\.|[gG][iI]|[^\x00-\x7f]")
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
            raise BadObjectError(f"a tree has an entry with mode {mode.decode()}")
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
            refer(git_id, kind)
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
