"""How many files changed between two trees of an artifact; what is ours in a tree counts for nothing."""

from aimdvc.git.history import History
from aimdvc.model.counts import Counts
from aimdvc.model.oid import GitId
from aimdvc.model.own import ATTRIBUTES, is_own


def count_changes(history: History, old: GitId | None, new: GitId | None) -> Counts:
    """Returns what changed from one tree to another; None is no tree. Reads what differs, and holds none of it."""
    added = removed = modified = 0
    for before, after in history.tree_changes(old, new):
        path = (after or before).path  # type: ignore[union-attr]
        if is_own(path) or path == ATTRIBUTES:
            continue
        added += before is None
        removed += after is None
        modified += before is not None and after is not None
    return Counts(added, removed, modified)


def count_between(history: History, old: GitId | None, new: GitId | None) -> Counts:
    """Returns what changed from one commit to another; None is no commit."""
    trees = [history.commit(commit).tree if commit is not None else None for commit in (old, new)]
    return count_changes(history, trees[0], trees[1])
