"""Every `aimdvc.lock` that the code repository can bring back: of any commit that a ref, a stash or a reflog reaches.

Reads files and git objects only; no git process runs. Strict: what can't be read is an error, since what it pins is
not known. Walks commits once, reads a root tree once, and of deeper ones only those on the way to a lock.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.git.code import check_code_format, staged_ids
from aimdvc.git.commits import parse_commit, tag_target
from aimdvc.git.kinds import BLOB, COMMIT, TAG, TREE
from aimdvc.git.objects import Objects
from aimdvc.git.refs import Refs
from aimdvc.git.trees import parse_tree
from aimdvc.model.entries import path_bytes
from aimdvc.model.oid import EMPTY_BLOB, EMPTY_TREE, GitId, is_git_id

_PSEUDO = ("HEAD", "ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "FETCH_HEAD")
_AUTOSTASHES = ("rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH")
"""Where a rebase or a merge keeps what was not committed until it ends: no ref, and no stash yet."""


def iter_locks(common: Path, paths: Collection[str]) -> Iterator[bytes]:
    """Yields the locks at these paths of the work tree that a ref reaches, each once. Raises as `iter_all_locks`."""
    check_code_format(common)
    objects = Objects(common)
    try:
        yield from _contents(objects, _Walk(common, objects, paths).run(set(Refs(common, Disk()).all().values())))
    finally:
        objects.close()


def iter_all_locks(common: Path, paths: Collection[str]) -> Iterator[bytes]:
    """Yields the locks at these paths that a ref, a stash or a reflog reaches, or that are staged, each once.

    Raises CorruptRepository, StorageError, UsageError or UnsupportedFormat, naming what can't be read.
    """
    check_code_format(common)
    git_dirs = [common, *_worktrees(common)]
    objects = Objects(common)
    try:
        found = {blob for git_dir in git_dirs for path in paths for blob in staged_ids(git_dir, path)}
        found |= _Walk(common, objects, paths).run(_tips(common, git_dirs, objects))
        yield from _contents(objects, found)
    finally:
        objects.close()


def _contents(objects: Objects, found: set[GitId]) -> Iterator[bytes]:
    for git_id in sorted(found - {EMPTY_BLOB}):
        kind, content = objects.read(git_id)
        if kind == BLOB:
            yield content


def worktree_roots(common: Path) -> list[Path]:
    """Returns the directories of the repository's work trees, those that are gone aside."""
    found = [common.parent] if common.name == ".git" else []
    for git_dir in _worktrees(common):
        pointer = git_dir / "gitdir"
        if pointer.exists():
            with mapped(pointer):
                found.append((git_dir / pointer.read_text("utf-8", "surrogateescape").strip()).parent)
    return [path for path in found if path.is_dir()]


def _worktrees(common: Path) -> list[Path]:
    directory = common / "worktrees"
    if not directory.is_dir():
        return []
    with mapped(directory):
        return sorted(directory / name for name in os.listdir(directory))


def _tips(common: Path, git_dirs: list[Path], objects: Objects) -> set[GitId]:
    found = set(Refs(common, Disk()).all().values())
    for git_dir in git_dirs:
        refs = Refs(git_dir, Disk())
        if git_dir != common:
            found.update(refs.all().values())
        for name in refs.logged():
            found.update(end for line in refs.reflog(name) for end in (line.old, line.new) if end is not None)
        for name in (*_PSEUDO, *_AUTOSTASHES):
            path = git_dir / name
            if path.is_file():
                with mapped(path):
                    words = path.read_text("utf-8", "surrogateescape").split()
                named = {GitId(word) for word in words if is_git_id(word)}
                # HEAD alone keeps what it names from `git gc`.
                found |= named if name == "HEAD" else {git_id for git_id in named if objects.has(git_id)}
    return found


class Finder:
    """Finds one file in many trees of the code; each tree on the way to it is read once."""

    def __init__(self, objects: Objects, path: str) -> None:
        self._objects = objects
        self._parts = path_bytes(path).split(b"/")
        self._known: dict[tuple[bytes, int], GitId | None] = {}

    def find(self, tree: GitId, depth: int = 0) -> GitId | None:
        """Returns the file's git id, None where there is none. Raises CorruptRepository."""
        key = (bytes.fromhex(tree), depth)
        if key not in self._known and tree != EMPTY_TREE:
            kind, content = self._objects.read(tree)
            if kind != TREE:
                raise CorruptRepository("the code repository", f"git object {tree} is no tree")
            # Most trees of most histories hold no lock: a search takes far less than parsing them.
            name = self._parts[depth]
            node = parse_tree(content).get(name) if b" " + name + b"\0" in content else None
            is_last = depth == len(self._parts) - 1
            if node is None or node.mode == 0o160000 or is_last == (node.mode == 0o40000):
                self._known[key] = None
            else:
                self._known[key] = node.git_id if is_last else self.find(node.git_id, depth + 1)
        return self._known.get(key)


class _Walk:
    def __init__(self, common: Path, objects: Objects, paths: Collection[str]) -> None:
        self._objects = objects
        self._finders = [Finder(objects, path) for path in paths]
        self._seen: set[bytes] = set()
        shallow = common / "shallow"
        with mapped(shallow):
            self._shallow = set(shallow.read_text("ascii").split()) if shallow.exists() else set()

    def run(self, tips: Collection[GitId]) -> set[GitId]:
        """Returns the ids of the locks' blobs."""
        found: set[GitId] = set()
        pending = list(tips)
        while pending:
            git_id = pending.pop()
            raw = bytes.fromhex(git_id)
            if raw in self._seen:
                continue
            self._seen.add(raw)
            kind, content = self._objects.read(git_id)
            if kind == COMMIT:
                commit = parse_commit(git_id, content)
                self._look(commit.tree, found)
                if git_id not in self._shallow:
                    pending.extend(commit.parents)
            elif kind == TAG:
                pending.append(tag_target(git_id, content))
            elif kind == TREE:
                self._look(git_id, found)
        return found

    def _look(self, tree: GitId, found: set[GitId]) -> None:
        found.update(blob for finder in self._finders if (blob := finder.find(tree)) is not None)
