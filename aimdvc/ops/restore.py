"""`restore` and `reset`: files back from the index or a version; HEAD, and the index with it, to another version."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from aimdvc.errors import LocalChange, UnknownPath
from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import Entry, path_bytes
from aimdvc.model.oid import GitId
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.checkout import CheckedOut, Destination, entry_of, removed, staged_rows, switch
from aimdvc.ops.content import read_inline
from aimdvc.ops.create import forget_artifact
from aimdvc.ops.lockfile import require_readable, sync_lock
from aimdvc.ops.part import everything, wanted_paths
from aimdvc.ops.plan import CheckoutPlan, is_hidden, plan_checkout, row_of
from aimdvc.ops.revisions import label, resolve
from aimdvc.ops.rules import as_rules_want
from aimdvc.ops.scan import clock_ns
from aimdvc.ops.settle import settle
from aimdvc.ops.targets import Target, near_path
from aimdvc.ops.workspace import Workspace
from aimdvc.ops.write import write_plan
from aimdvc.store.state import Head, Place, Row


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back. Counts are of entries."""

    artifact: str
    written: int
    deleted: int
    unstaged: int = 0


def restore(workspace: Workspace, targets: Sequence[Target], revision: str | None, means: Means) -> list[Restored]:
    """Puts the files at these paths back as the index, or a revision, has them; their local changes are lost.

    With a revision the index follows, so that the old content can be committed again. Raises UnknownPath.
    """
    return [_restore_one(workspace, target, revision, means) for target in targets]


def _restore_one(workspace: Workspace, target: Target, revision: str | None, means: Means) -> Restored:
    head = settle(workspace, target.head.name)
    pairs = _wanted(workspace, head, target.inner, revision)
    if not pairs:
        hint = near_path(workspace, head.path if head.is_file else os.path.join(head.path, target.inner))
        raise UnknownPath(target.inner or head.path, f"artifact '{head.name}'", hint)
    plan = plan_checkout(workspace, head, pairs, True, everything)
    if plan.lost:
        raise LocalChange("files that are not tracked are in the way", sorted(plan.lost), "move them away first")
    ensure_blobs(workspace, head, plan.pointers(), means)
    # Before a file changes: what can't be represented by rules that come back is refused here.
    rows = _followed(workspace, head, pairs) if revision is not None else []
    with workspace.writing_files():
        written = _bring(workspace, head, plan, means)
        with workspace.state.transaction():
            workspace.state.put_rows(head, rows)
    return Restored(head.name, written, len(plan.delete))


def _wanted(
    workspace: Workspace, head: Head, inner: str, revision: str | None
) -> list[tuple[Entry | None, Entry | None]]:
    history = workspace.history(head.name)
    rows = [row for row in workspace.state.rows(head, inner) if row.place is not Place.HIDDEN]
    # A path of which nothing is checked out is brought whole: that is what it was named for.
    has_some = any(row.place is Place.DISK for row in rows)
    is_wanted = wanted_paths(workspace, head, None) if has_some else everything
    rows = [row for row in rows if is_wanted(row.path)]
    if revision is None:
        return [(entry_of(row), entry_of(row)) for row in rows if row.mode]
    tree = history.commit(resolve(workspace, head, revision)).tree
    read = partial(read_inline, workspace, head)
    wanted = {
        entry.path: entry
        for entry in history.iter_entries(tree)
        if _is_at(entry.path, inner) and not is_hidden(entry, read) and is_wanted(entry.path)
    }
    have = {row.path: entry_of(row) for row in rows}
    pairs = ((have.get(path), wanted.get(path)) for path in sorted(have.keys() | wanted.keys()))
    return [pair for pair in pairs if pair != (None, None)]


def _is_at(path: str, place: str) -> bool:
    return not place or path == place or path.startswith(place + "/")


def _bring(workspace: Workspace, head: Head, plan: CheckoutPlan, means: Means) -> int:
    stats = write_plan(workspace, head, plan, means.progress)
    now_ns = clock_ns(workspace.places.state)
    kept = [(entry.path, stat) for entry, stat in plan.keep]
    there = (path_bytes(entry.path) for entry in chain(plan.write, (entry for entry, _ in plan.keep)))
    with workspace.state.transaction():
        workspace.state.parts.note_present(head.id, there)
        workspace.state.refresh_stats(head, [*stats.items(), *kept], now_ns)
    return len(plan.write)


def _followed(workspace: Workspace, head: Head, pairs: Sequence[tuple[Entry | None, Entry | None]]) -> list[Row]:
    rows = staged_rows(workspace, head, (row_of(new) for _, new in pairs if new is not None), removed(pairs))
    return as_rules_want(workspace, head, rows)


def unstage(workspace: Workspace, targets: Sequence[Target]) -> list[Restored]:
    """Makes the index at these paths what HEAD has; files stay as they are."""
    results = []
    for target in targets:
        head = settle(workspace, target.head.name)
        staged = [
            row
            for row in workspace.state.staged(head, target.inner)
            if row.place is not Place.HIDDEN or row.head_mode  # aimdvc's own first entries stay
        ]
        rows, gone = unstaged_rows(workspace, head, staged)
        with workspace.state.transaction():
            workspace.state.delete_rows(head, gone)
            workspace.state.put_rows(head, rows)
        results.append(Restored(head.name, 0, 0, len(staged)))
    return results


def unstaged_rows(workspace: Workspace, head: Head, staged: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """Returns what makes these entries HEAD's again: the rows to put, and the paths that HEAD doesn't have."""
    history = workspace.history(head.name)
    rows, gone = [], []
    for row in staged:
        entry = history.entry(head.tree, row.path) if row.head_mode and head.tree else None
        if entry is None:
            gone.append(row.path)
        else:
            rows.append(row_of(entry, row.place))
    return rows, gone


def reset(workspace: Workspace, name: str, revision: str | None, is_hard: bool, means: Means) -> CheckedOut:
    """Moves the branch (or a detached HEAD) to a revision and makes the index its tree; `is_hard` the files too.

    The old tip stays in the reflog, and a merge in progress ends. Without `is_hard` no file is touched. An artifact
    that has no version yet is forgotten, as if it had never been added.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    if head.commit is None and revision is None:
        forget_artifact(workspace, head)
        return CheckedOut(name, head.path, "", None, None, 0, 0)
    commit = resolve(workspace, head, revision or "HEAD")
    update = None
    if head.branch is not None and history.ref(head.branch) != commit:
        update = RefUpdate(head.branch, history.ref(head.branch), commit)
    if is_hard:
        result = switch(workspace, head, Destination(commit, head.branch), True, means, update, "reset")
    else:
        result = _reset_index(workspace, head, commit, update)
    sync_lock(workspace, moved={name})
    return result


def _reset_index(workspace: Workspace, head: Head, commit: GitId, update: RefUpdate | None) -> CheckedOut:
    require_readable(workspace)
    history = workspace.history(head.name)
    tree = history.commit(commit).tree
    rows, gone = [], []
    read = partial(read_inline, workspace, head)
    is_wanted = wanted_paths(workspace, head, None)
    for old, new in history.tree_changes(head.tree, tree):
        if new is None:
            gone.append(old.path)  # type: ignore[union-attr]
        else:
            place = Place.DISK if is_wanted(new.path) else Place.ABSENT
            rows.append(row_of(new, Place.HIDDEN if is_hidden(new, read) else place))
    changed = {row.path for row in rows} | set(gone)
    for row in list(workspace.state.staged(head)):
        if row.path in changed:
            continue
        entry = history.entry(tree, row.path)
        if entry is None:
            gone.append(row.path)
        else:
            rows.append(row_of(entry, row.place))
    who, why = workspace.actor(), f"reset: to {commit[:12]}"
    if update is not None:
        history.move_refs([update], why, who)
    with workspace.state.transaction():
        workspace.state.delete_rows(head, gone)
        workspace.state.put_rows(head, rows)
        workspace.state.move_head(head, head.branch, commit, tree, who, why)
        workspace.state.merges.end(head.id)
    return CheckedOut(head.name, head.path, label(history, commit), commit, head.branch, 0, 0)


def restore_from(
    workspace: Workspace, name: str, revision: str, targets: Sequence[Target], force: bool, means: Means
) -> list[Restored]:
    """`checkout NAME@REV -- PATH…`: like `restore`, but refuses to lose a local change unless `force`."""
    head = settle(workspace, name)
    lost: list[str] = []
    for target in targets:
        plan = plan_checkout(workspace, head, _wanted(workspace, head, target.inner, revision), force, everything)
        lost.extend(plan.lost)
    if lost:
        raise LocalChange(f"checkout of '{name}' would lose local changes", sorted(set(lost)))
    return restore(workspace, targets, revision, means)
