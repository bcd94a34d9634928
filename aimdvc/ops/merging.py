"""A merge in progress, as all verbs see it: which paths are still to settle, and who has to wait until it ends."""

from collections.abc import Iterable

from aimdvc.errors import MergeConflict, Refused
from aimdvc.model.merge import Conflict
from aimdvc.ops.workspace import Workspace
from aimdvc.store.merging import Merging, OpenConflict, Side
from aimdvc.store.state import Head


def open_conflicts(workspace: Workspace, head: Head) -> list[OpenConflict]:
    """Returns the conflicts that are not settled: the index still has ours, and nobody said that this is to stay."""
    found = []
    for conflict in workspace.state.merges.conflicts(head.id):
        row = workspace.state.row(head, conflict.path)
        now = Side(row.mode, row.git_id) if row is not None and row.mode and row.git_id else None
        if not conflict.is_settled and now == conflict.ours:
            found.append(conflict)
    return found


def is_merging(workspace: Workspace, names: Iterable[str]) -> bool:
    """Returns whether a merge of one of the artifacts, or of any without names, is in progress."""
    heads = [workspace.head(name) for name in names] or workspace.state.heads()
    return any(workspace.state.merges.get(head.id) is not None for head in heads)


def settle_named(workspace: Workspace, head: Head, path: str) -> None:
    """Notes that what the index has at this very path settles its conflict, if there is one."""
    if workspace.state.merges.get(head.id) is not None:
        with workspace.state.transaction():
            workspace.state.merges.settle(head.id, [path])


def has_conflict(workspace: Workspace, head: Head, path: str) -> bool:
    """Returns whether the merge in progress began with a conflict at this very path."""
    return any(conflict.path == path for conflict in workspace.state.merges.conflicts(head.id))


def require_settled(workspace: Workspace, head: Head) -> None:
    """Raises MergeConflict while the merge in progress has conflicts that are not settled."""
    left = open_conflicts(workspace, head)
    if left:
        raise conflict_error(head, left)


def conflict_error(head: Head, conflicts: Iterable[Conflict | OpenConflict]) -> MergeConflict:
    """Returns the error for conflicts that are to be settled, with the commands that do."""
    return MergeConflict(
        head.name,
        {conflict.path: conflict.kind for conflict in conflicts},
        hint=(
            f"`aimdvc merge --ours {head.name}` or `--theirs` (`-- PATH` for some), or `aimdvc add PATH`, settles them;"
            f" then `aimdvc commit`. `aimdvc merge --abort {head.name}` undoes it"
        ),
    )


def require_no_merge(workspace: Workspace, head: Head, verb: str) -> None:
    """Raises Refused while a merge is in progress: the verb would end it half done."""
    merging = workspace.state.merges.get(head.id)
    if merging is not None:
        raise Refused(
            f"{verb} of '{head.name}' has to wait: a {merging.kind} of {merging.title} is in progress",
            hint=f"run `aimdvc commit` to finish it, or `aimdvc merge --abort {head.name}` to undo it",
        )


def require_merge(workspace: Workspace, head: Head) -> Merging:
    """Returns the merge in progress. Raises Refused when there is none."""
    merging = workspace.state.merges.get(head.id)
    if merging is None:
        raise Refused(
            f"no merge of '{head.name}' is in progress", hint="one that was interrupted is finished by running it again"
        )
    return merging
