"""Marks all git objects that some tips reach, in a bit each: for what looks at whole histories, gc and verify.

Of each tree only what the first parent's lacks is looked at. So commits are taken after their parents: then a tree that
is marked is marked whole, also when a directory is again what it was some commits before.
"""

import re
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from aimdvc.errors import CorruptRepository
from aimdvc.git.commits import parse_commit, tag_target
from aimdvc.git.kinds import COMMIT, KIND_NAMES, TAG, TREE
from aimdvc.git.trees import DEPTH_LIMIT, too_deep
from aimdvc.model.oid import GitId
from aimdvc.server.numbered import Marks, Numbered

_LINE = re.compile(rb"([0-7]{1,7}) ([^\0/]+)\0(.{20})", re.DOTALL)
_FOLDER = b"40000"
_GITLINK = b"160000"
_TAG_LIMIT = 20


def mark_reached(objects: Numbered, tip: bytes, marks: Marks) -> None:
    """Marks a tip, by its raw id, and what it reaches. Raises CorruptRepository where something is not here."""
    for _ in range(_TAG_LIMIT):
        number = objects.needed(tip)
        if number in marks:
            return
        kind, content = objects.read(number)
        if kind == COMMIT:
            _mark_commits(objects, number, marks)
            return
        if kind == TREE:
            _mark_tree(objects, marks, tip, None)
            return
        marks.add(number)
        if kind != TAG:
            return
        tip = bytes.fromhex(tag_target(GitId(tip.hex()), content))
    raise CorruptRepository("a repository", f"a chain of more than {_TAG_LIMIT} tags")


def _mark_commits(objects: Numbered, tip: int, marks: Marks) -> None:
    pending = array("q", [tip])
    while pending:
        number = pending[-1]
        if number in marks:
            pending.pop()
            continue
        commit = parse_commit(GitId(objects.name(number).hex()), _read(objects, number, COMMIT))
        parents = [objects.needed(bytes.fromhex(parent)) for parent in commit.parents]
        above = [parent for parent in parents if parent not in marks]
        if above:
            pending.extend(reversed(above))
            continue
        pending.pop()
        before = None
        if parents:
            first = parse_commit(commit.parents[0], _read(objects, parents[0], COMMIT))
            before = bytes.fromhex(first.tree)
        _mark_tree(objects, marks, bytes.fromhex(commit.tree), before)
        marks.add(number)


def _read(objects: Numbered, number: int, kind: int) -> bytes:
    found, content = objects.read(number)
    if found != kind:
        name = objects.name(number).hex()
        raise CorruptRepository("a repository", f"git object {name} is no {KIND_NAMES[kind].decode()}")
    return content


def _mark_tree(objects: Numbered, marks: Marks, new: bytes, old: bytes | None, depth: int = 0) -> None:
    number = objects.needed(new)
    if new == old or not marks.add(number):
        return
    if depth > DEPTH_LIMIT:
        raise too_deep()
    before = _read(objects, objects.needed(old), TREE) if old is not None else b""
    for line, known in _changed(_read(objects, number, TREE), before):
        if line.mode == _FOLDER:
            below = known.name if known is not None else None
            _mark_tree(objects, marks, line.name, below, depth + 1)
        elif line.mode != _GITLINK:
            marks.add(objects.needed(line.name))


class _Line(NamedTuple):
    key: bytes
    mode: bytes
    name: bytes


def _changed(new: bytes, old: bytes) -> Iterator[tuple[_Line, _Line | None]]:
    """Yields the lines of a tree that another lacks, each with the other's line of that name, if it has one."""
    others = _lines(old)
    other = next(others, None)
    for line in _lines(new):
        while other is not None and other.key < line.key:
            other = next(others, None)
        if other is None or other.key != line.key:
            yield line, None
        elif other != line:
            yield line, other


def _lines(content: bytes) -> Iterator[_Line]:
    """Yields a tree's lines. Their order is that of their keys: a folder's name ends in `/` there."""
    position = 0
    for match in _LINE.finditer(content):
        if match.start() != position:
            break
        position = match.end()
        mode, name, git_id = match.groups()
        yield _Line(name + b"/" if mode == _FOLDER else name, mode, git_id)
    if position != len(content):
        raise CorruptRepository("a tree", "is malformed")
