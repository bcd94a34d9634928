"""Finishes what an interrupted command left: called first by every verb that looks at an artifact's HEAD.

A commit that was cut after its ref moved, and before the index was saved, is recognised by its tree: it is the one
that the index would make.
"""

from collections.abc import Iterable

from aimdvc.model.oid import GitId
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Row


def settle(workspace: Workspace, name: str) -> Head:
    """Returns the artifact's HEAD, after adopting a commit of its own that the index hasn't heard of."""
    head = workspace.head(name)
    if head.branch is None or not workspace.repository_path(name).exists():
        return head
    history = workspace.history(name)
    tip = history.ref(head.branch)
    if tip is None or tip == head.commit:
        return head
    commit = history.commit(tip)
    expected = () if head.commit is None else (head.commit,)
    if commit.parents[:1] != expected and head.commit not in commit.parents:
        return head
    with workspace.state.transaction():
        now = workspace.head(name)
        if (now.branch, now.commit) != (head.branch, head.commit):
            return now  # Whoever moved the branch was at work, and has saved the index meanwhile.
        if history.tree_id(head.tree, tree_edits(workspace.state.staged(head))) != commit.tree:
            return head
        workspace.state.mark_committed(head)
        workspace.state.move_head(head, head.branch, tip, commit.tree, commit.committer, f"commit: {commit.subject}")
        workspace.state.merges.end(head.id)
    return workspace.head(name)


def tree_edits(rows: Iterable[Row]) -> dict[str, tuple[int, GitId] | None]:
    """Returns what the staged entries change in HEAD's tree."""
    return {row.path: (row.mode, row.git_id) if row.mode and row.git_id else None for row in rows}
