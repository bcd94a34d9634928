"""Merges two lines of versions by path: what only one side changed is taken, what both changed otherwise conflicts."""

from collections.abc import Iterable
from dataclasses import dataclass

from aimdvc.model.entries import Entry, path_bytes

Pairs = Iterable[tuple[Entry | None, Entry | None]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """One path that both sides changed; None where a side has no entry."""

    path: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None

    @property
    def kind(self) -> str:
        """What happened to it, in Git's words."""
        return conflict_kind(self.base, self.ours, self.theirs)


@dataclass(frozen=True, slots=True)
class Merge:
    """`edits` turn our tree into the merged one: an entry to set, None to remove; `conflicts` are left to choose."""

    edits: dict[str, Entry | None]
    conflicts: list[Conflict]


def conflict_kind(base: object, ours: object, theirs: object) -> str:
    """Returns what happened to a path that conflicts, None where a side has nothing, in the words of `git status`."""
    if ours is None:
        return "added by them" if base is None else "deleted by us"
    if theirs is None:
        return "deleted by them"
    return "both added" if base is None else "both modified"


def merge_entries(ours: Pairs, theirs: Pairs) -> Merge:
    """Returns the merge of two sets of changes from the same base.

    A file on one side where the other puts a directory conflicts too. Holds the changes, not the trees.
    """
    our_changes = {(old or new).path: (old, new) for old, new in ours}  # type: ignore[union-attr]
    edits: dict[str, Entry | None] = {}
    conflicts: list[Conflict] = []
    our_files = {path for path, (_, new) in our_changes.items() if new is not None}
    our_parents = {parent for path in our_files for parent in _parents(path)}
    for old, new in theirs:
        path = (old or new).path  # type: ignore[union-attr]
        mine = our_changes.get(path)
        if mine is not None:
            if not _is_same(mine[1], new):
                conflicts.append(Conflict(path, old, mine[1], new))
            continue
        clashes = new is not None and (path in our_parents or any(parent in our_files for parent in _parents(path)))
        if clashes:
            conflicts.append(Conflict(path, old, old, new))
        else:
            edits[path] = new
    return Merge(edits, sorted(conflicts, key=lambda conflict: path_bytes(conflict.path)))


def _is_same(one: Entry | None, other: Entry | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.mode, one.git_id) == (other.mode, other.git_id)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
