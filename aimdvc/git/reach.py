"""What roots reach in a repository: every pointer, for maintenance. Strict: what can't be read is an error.

The artifacts' histories only; what the code repository reaches is git/codelocks.py's.
"""

import time
from collections.abc import Iterable, Iterator

from aimdvc.errors import CorruptRepository
from aimdvc.git.history import History
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.git.trees import parse_tree
from aimdvc.model.commits import REFLOG_S
from aimdvc.model.entries import Mode
from aimdvc.model.oid import EMPTY_TREE, GitId
from aimdvc.model.pointer import POINTER_LIMIT, Pointer, find_pointer


def tips(history: History, now_s: float | None = None) -> set[GitId]:
    """Returns where the refs stand, and where they stood within 90 days.

    Of a ref that is no more, its log counts for what is still here: an outside `git gc` doesn't keep it.
    """
    since = (time.time() if now_s is None else now_s) - REFLOG_S
    refs = history.refs()
    found = set(refs.values())
    for name in history.logged():
        for line in history.reflog(name):
            if line.who.time_s >= since:
                ends = {end for end in (line.old, line.new) if end is not None}
                found |= ends if name in refs else {end for end in ends if history.has(end)}
    return found


def newest_move(history: History) -> int:
    """Returns when a ref moved last, in seconds; 0 when none did."""
    return max((line.who.time_s for name in history.logged() for line in history.reflog(name)[-1:]), default=0)


class Walk:
    """Walks from roots; each git object is read, and hashed, once. Holds 20 bytes an object, about 90 in memory."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._seen: set[bytes] = set()

    def iter_pointers(self, roots: Iterable[GitId]) -> Iterator[Pointer]:
        """Yields the pointers that the roots reach and that were not yielded before; gitlinks lead nowhere.

        Raises CorruptRepository for the first git object that is missing or damaged.
        """
        pending = [(root, 0) for root in roots]
        while pending:
            git_id, mode = pending.pop()
            raw = bytes.fromhex(git_id)
            if raw in self._seen or git_id == EMPTY_TREE:
                continue
            self._seen.add(raw)
            # A root may be a blob, too: a side of a conflict, or what a tag names.
            if mode == Mode.FILE or (mode == 0 and self._history.read_object(git_id)[0] == BLOB):
                pointer = self._pointer(git_id)
                if pointer is not None:
                    yield pointer
            elif mode == Mode.TREE:
                pending += self._below(self._history.read_tree(git_id))
            else:
                pending += self._named(git_id)

    def _named(self, git_id: GitId) -> Iterator[tuple[GitId, int]]:
        """Yields what a root or a parent leads to: trees and blobs with their mode, commits with 0."""
        kind, content = self._history.read_object(git_id)
        if kind == COMMIT:
            commit = self._history.commit(git_id)
            yield commit.tree, Mode.TREE
            for parent in commit.parents:
                yield parent, 0
        elif kind == TREE:
            yield from self._below(content)
        elif (peeled := self._history.peel(git_id)) is not None:
            yield peeled, 0

    def _below(self, tree: bytes) -> Iterator[tuple[GitId, int]]:
        for node in parse_tree(tree).values():
            if node.mode == Mode.TREE:
                yield node.git_id, Mode.TREE
            elif node.mode not in (Mode.GITLINK, Mode.SYMLINK):
                # Any mode that isn't Git's own is a file's.
                yield node.git_id, Mode.FILE

    def _pointer(self, git_id: GitId) -> Pointer | None:
        kind, content = self._history.read_object(git_id)
        if kind != BLOB:
            raise CorruptRepository(str(self._history.path), f"git object {git_id} is no blob")
        return find_pointer(content) if len(content) < POINTER_LIMIT else None
