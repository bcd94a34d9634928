"""Git trees as they lie in the store: parsing, comparing, and rewriting only the directories that change."""

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from aimdvc.errors import CorruptRepository, UnsafePath
from aimdvc.model.entries import Mode, path_bytes, path_text
from aimdvc.model.oid import GitId

ReadTree = Callable[[GitId], bytes]
"""Returns a tree's raw content."""

WriteTree = Callable[[bytes], GitId]
"""Stores a tree's raw content, or only names it, and returns its id."""

Wanted = Callable[[bytes], bool]
"""Says of a whole path, that of a directory with `/` at its end, whether to look there."""

Edits = Mapping[str, "tuple[int, GitId] | None"]
"""By path: the mode and git id that it gets, or None to remove it."""


class Node(NamedTuple):
    """One line of a tree."""

    mode: int
    git_id: GitId


class RawEntry(NamedTuple):
    """A file of a tree, by its whole path in bytes."""

    path: bytes
    mode: int
    git_id: GitId


DEPTH_LIMIT = 512
"""Directories below each other; a tree that goes deeper was made to break its readers."""

_MODE = re.compile(rb"[0-7]{1,7}")
_NO_NAMES = frozenset({b"", b".", b".."})
_USUAL = {b"%o" % mode: int(mode) for mode in Mode}

RawPair = tuple["RawEntry | None", "RawEntry | None"]


def parse_tree(content: bytes) -> dict[bytes, Node]:
    """Returns the lines of a tree by name, in its order, with the modes of Mode alone. Raises CorruptRepository."""
    nodes: dict[bytes, Node] = {}
    position = 0
    size = len(content)
    find = content.find
    while position < size:
        space = find(b" ", position)
        end = find(b"\0", space)
        if space < 0 or end < 0 or end + 21 > size:
            raise CorruptRepository("a tree", "is malformed")
        text = content[position:space]
        mode = _USUAL.get(text) or _read_mode(text)
        name = content[space + 1 : end]
        if name in _NO_NAMES or b"/" in name:
            raise CorruptRepository("a tree", f"has an entry named {name[:60]!r}")
        nodes[name] = Node(mode, GitId(content[end + 1 : end + 21].hex()))
        position = end + 21
    return nodes


def _read_mode(text: bytes) -> int:
    """Returns what Git takes an odd mode of an old tree for (Git, object.h, canon_mode)."""
    if not _MODE.fullmatch(text):
        raise CorruptRepository("a tree", f"has an entry with mode {text[:20]!r}")
    mode = int(text, 8)
    if stat.S_ISREG(mode):
        return int(Mode.EXECUTABLE if mode & 0o100 else Mode.FILE)
    if stat.S_ISLNK(mode):
        return int(Mode.SYMLINK)
    return int(Mode.TREE if stat.S_ISDIR(mode) else Mode.GITLINK)


def dump_tree(nodes: Mapping[bytes, Node]) -> bytes:
    """Returns a tree's raw content, in Git's order."""
    ordered = sorted(nodes.items(), key=lambda item: item[0] + b"/" if item[1].mode == Mode.TREE else item[0])
    return b"".join(b"%o %s\0%s" % (node.mode, name, bytes.fromhex(node.git_id)) for name, node in ordered)


def iter_files(read: ReadTree, tree: GitId, prefix: bytes = b"", wanted: Wanted | None = None) -> Iterator[RawEntry]:
    """Yields every wanted file below a tree, by the bytes of its path. Raises CorruptRepository."""
    _check_depth(prefix)
    for name, node in parse_tree(read(tree)).items():
        path = prefix + name
        if node.mode != Mode.TREE:
            if wanted is None or wanted(path):
                yield RawEntry(path, node.mode, node.git_id)
        elif wanted is None or wanted(path + b"/"):
            yield from iter_files(read, node.git_id, path + b"/", wanted)


def compare_trees(
    read: ReadTree, old: GitId | None, new: GitId | None, prefix: bytes = b"", wanted: Wanted | None = None
) -> Iterator[RawPair]:
    """Yields the wanted files that differ, descending only where subtrees differ."""
    if old == new:
        return
    _check_depth(prefix)
    before = parse_tree(read(old)) if old else {}
    after = parse_tree(read(new)) if new else {}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        path = prefix + name
        one_tree = one.git_id if one and one.mode == Mode.TREE else None
        other_tree = other.git_id if other and other.mode == Mode.TREE else None
        one_file = RawEntry(path, one.mode, one.git_id) if one and not one_tree else None
        other_file = RawEntry(path, other.mode, other.git_id) if other and not other_tree else None
        if (one_file or other_file) and (wanted is None or wanted(path)):
            yield one_file, other_file
        if (one_tree or other_tree) and (wanted is None or wanted(path + b"/")):
            yield from compare_trees(read, one_tree, other_tree, path + b"/", wanted)


def iter_new_objects(
    read: ReadTree, old: GitId | None, new: GitId, seen: set[GitId], depth: int = 0
) -> Iterator[GitId]:
    """Yields the ids of trees and blobs below `new` that `old` lacks at the same place, each once; gitlinks aside."""
    if new == old or new in seen:
        return
    if depth > DEPTH_LIMIT:
        raise too_deep()
    seen.add(new)
    yield new
    before = parse_tree(read(old)) if old else {}
    for name, node in parse_tree(read(new)).items():
        known = before.get(name)
        if node == known or node.mode == Mode.GITLINK:
            continue
        if node.mode == Mode.TREE:
            below = known.git_id if known and known.mode == Mode.TREE else None
            yield from iter_new_objects(read, below, node.git_id, seen, depth + 1)
        elif node.git_id not in seen:
            seen.add(node.git_id)
            yield node.git_id


def _check_depth(prefix: bytes) -> None:
    if prefix.count(b"/") > DEPTH_LIMIT:
        raise too_deep()


def too_deep() -> CorruptRepository:
    """Returns the error for a tree that goes beyond the limit."""
    return CorruptRepository("a tree", f"goes more than {DEPTH_LIMIT} directories deep")


def find_entry(read: ReadTree, tree: GitId, path: str) -> Node | None:
    """Returns what stands at a path below a tree, or None."""
    current = tree
    parts = path_bytes(path).split(b"/")
    for part in parts[:-1]:
        node = parse_tree(read(current)).get(part)
        if node is None or node.mode != Mode.TREE:
            return None
        current = node.git_id
    return parse_tree(read(current)).get(parts[-1])


def iter_names(read: ReadTree, tree: GitId, directory: str) -> Iterator[str]:
    """Yields the names in a directory below a tree; none where it is no directory."""
    node = find_entry(read, tree, directory) if directory else Node(int(Mode.TREE), tree)
    if node is not None and node.mode == Mode.TREE:
        yield from map(path_text, parse_tree(read(node.git_id)))


def edit_tree(read: ReadTree, write: WriteTree, base: GitId | None, edits: Edits) -> GitId:
    """Returns the tree that `base` becomes; only the directories that edits touch are read and written.

    A directory that loses its last entry goes; a file where a directory was, or the other way, replaces it.
    """
    root: _Edited = {}
    # Removals first: one below a path that is set, or of the file that a directory replaces, gives way to what is set.
    for path, edit in sorted(edits.items(), key=lambda item: item[1] is not None):
        parts = path_bytes(path).split(b"/")
        if len(parts) > DEPTH_LIMIT:
            raise UnsafePath(path[:60] + "…", f"lies more than {DEPTH_LIMIT} directories deep")
        here = root
        for part in parts[:-1]:
            inner = here.get(part)
            if not isinstance(inner, dict):
                inner = {_ITSELF: None} if part in here else {}
                here[part] = inner
            here = inner
        known = here.get(parts[-1])
        if edit is not None:
            here[parts[-1]] = Node(*edit)
        elif isinstance(known, dict):
            known[_ITSELF] = None
        else:
            here[parts[-1]] = None
    return _edit(read, write, base, root) or write(b"")


_Edited = dict[bytes, "Node | _Edited | None"]
_ITSELF = b""
"""Among the edits below a name: a file of that very name is removed."""


def _edit(read: ReadTree, write: WriteTree, base: GitId | None, edits: _Edited) -> GitId | None:
    nodes = parse_tree(read(base)) if base else {}
    for name, edit in edits.items():
        if isinstance(edit, dict):
            known = nodes.get(name)
            below = known.git_id if known and known.mode == Mode.TREE else None
            tree = _edit(read, write, below, edit)
            if tree is not None:
                nodes[name] = Node(int(Mode.TREE), tree)
            elif below is not None or _ITSELF in edit:
                nodes.pop(name, None)
        elif edit is not None:
            nodes[name] = edit
        elif name in nodes and nodes[name].mode != Mode.TREE:
            nodes.pop(name)
    return write(dump_tree(nodes)) if nodes else None
