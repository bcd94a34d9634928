"""How a merge that stopped goes on: `merge --ours`, `--theirs` settle its conflicts, `merge --abort` undoes it.

Files first, then the index in one transaction: cut anywhere, the same command finishes it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from aimdvc.errors import LocalChange, UnknownPath
from aimdvc.model.entries import Entry, path_text
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import entry_of, files_written, removed, require_unmoved, staged_rows
from aimdvc.ops.join import Favor
from aimdvc.ops.merging import open_conflicts, require_merge
from aimdvc.ops.part import wanted_paths
from aimdvc.ops.plan import EntryPair, plan_checkout
from aimdvc.ops.restore import unstaged_rows
from aimdvc.ops.rules import as_rules_want
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.merging import OpenConflict, Side
from aimdvc.store.state import Head


@dataclass(frozen=True, slots=True)
class Settled:
    """What was decided now, by path, and which conflicts are left."""

    artifact: str
    settled: list[str]
    left: list[str]


def settle_conflicts(workspace: Workspace, name: str, favor: Favor, paths: Sequence[str], means: Means) -> Settled:
    """Settles the conflicts at or below the paths, or all that are open, with one side's entries.

    A path that is named may have been settled before: it is decided anew, and its file's changes are lost. Raises
    Refused without a merge in progress, UnknownPath, LocalChange, MissingBlob.
    """
    head = settle(workspace, name)
    require_merge(workspace, head)
    chosen = _chosen(workspace, head, paths) if paths else open_conflicts(workspace, head)
    pairs = [pair for conflict in chosen for pair in _pairs(workspace, head, conflict, favor)]
    with files_written(workspace, head, pairs, bool(paths), means, "merge") as (_, rows):
        rows = as_rules_want(workspace, head, staged_rows(workspace, head, rows, removed(pairs)))
        with workspace.state.transaction():
            require_unmoved(workspace, head)
            workspace.state.put_rows(head, rows)
            workspace.state.merges.settle(head.id, (conflict.path for conflict in chosen))
    left = [conflict.path for conflict in open_conflicts(workspace, head)]
    return Settled(name, [conflict.path for conflict in chosen], left)


def _chosen(workspace: Workspace, head: Head, paths: Sequence[str]) -> list[OpenConflict]:
    conflicts = workspace.state.merges.conflicts(head.id)
    found: dict[str, OpenConflict] = {}
    for path in paths:
        below = [one for one in conflicts if not path or one.path == path or one.path.startswith(path + "/")]
        if not below:
            raise UnknownPath(path, "conflict", hint="`aimdvc status` lists the conflicts")
        found |= {one.path: one for one in below}
    return list(found.values())


def _pairs(workspace: Workspace, head: Head, conflict: OpenConflict, favor: Favor) -> Iterable[EntryPair]:
    """Yields what one decision changes; theirs takes away what is in its place, a file or what is in a directory."""
    side = conflict.ours if favor == "ours" else conflict.theirs
    new = _entry(workspace, head, conflict.path, side)
    row = workspace.state.row(head, conflict.path)
    old = entry_of(row) if row is not None else None
    if old != new:
        yield old, new
    if new is None:
        return
    for other in _in_the_way(workspace, head, conflict.path):
        yield other, None


def _entry(workspace: Workspace, head: Head, path: str, side: Side | None) -> Entry | None:
    return workspace.history(head.name).entry_of(path, *side) if side is not None else None


def _in_the_way(workspace: Workspace, head: Head, path: str) -> Iterable[Entry]:
    parts = path.split("/")
    parents = (workspace.state.row(head, "/".join(parts[:depth])) for depth in range(1, len(parts)))
    below = (row for row in workspace.state.rows(head, path) if row.path != path)
    for row in [*parents, *below]:
        entry = entry_of(row) if row is not None else None
        if entry is not None:
            yield entry


@dataclass(frozen=True, slots=True)
class Aborted:
    """What an abort put back. Counts are of files on disk."""

    artifact: str
    written: int
    deleted: int


def abort(workspace: Workspace, name: str, means: Means) -> Aborted:
    """Undoes a merge in progress: index and files are as before it; local changes of other paths stay.

    What was edited at conflicting paths since is lost, as in Git. Raises LocalChange for edits, not added, of paths
    that the merge changed without conflict, and for new files where it took some away; Refused without a merge in
    progress.
    """
    head = settle(workspace, name)
    merging = require_merge(workspace, head)
    history = workspace.history(name)
    merged = {(old or new).path for old, new in history.tree_changes(head.tree, merging.tree)}  # type: ignore[union-attr]
    conflicting = {conflict.path for conflict in workspace.state.merges.conflicts(head.id)}
    around = {row.path for row in workspace.state.staged(head) if _is_around(row.path, conflicting)}
    touched = merged | conflicting | around
    pairs = [pair for path in sorted(touched) if (pair := _back(workspace, head, path)) != (None, None)]
    _require_unedited(workspace, head, pairs, merged - conflicting, touched - conflicting)
    others = [row for row in workspace.state.staged(head) if row.path not in touched]
    unstaged, gone = unstaged_rows(workspace, head, others)
    with files_written(workspace, head, pairs, True, means, "merge") as (plan, rows), workspace.state.transaction():
        require_unmoved(workspace, head)
        workspace.state.delete_rows(head, [*removed(pairs), *gone])
        workspace.state.put_rows(head, [*rows, *unstaged])
        workspace.state.merges.end(head.id)
    return Aborted(name, len(plan.write), len(plan.delete))


def _is_around(path: str, conflicting: Collection[str]) -> bool:
    """Returns whether a path is a directory of a conflict's, or lies below it: what theirs takes away when chosen."""
    return any(other.startswith(path + "/") or path.startswith(other + "/") for other in conflicting)


def _back(workspace: Workspace, head: Head, path: str) -> EntryPair:
    row = workspace.state.row(head, path)
    return entry_of(row) if row is not None else None, workspace.history(head.name).entry(head.tree, path)


def _require_unedited(
    workspace: Workspace, head: Head, pairs: Sequence[EntryPair], known: set[str], taken: set[str]
) -> None:
    found = scan(workspace, head, use_ignore=False)
    edited = {path_text(raw) for raw in changed_suspects(workspace, head, found)} & known
    edited |= {path_text(raw) for raw in found.untracked} & taken
    if not edited:
        return
    # An abort that was cut has put some of them back already: these are not edits.
    plan = plan_checkout(workspace, head, pairs, True, wanted_paths(workspace, head, None))
    lost = edited & {*(entry.path for entry in plan.write), *plan.delete}
    if lost:
        raise LocalChange(
            f"undoing the merge of '{head.name}' would lose local changes",
            sorted(lost),
            hint=f"put them aside first, or run `aimdvc reset --hard {head.name}` to lose them",
        )
