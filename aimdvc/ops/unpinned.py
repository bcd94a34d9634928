"""Artifacts that the code doesn't use: Git took their pin out of aimdvc.lock, as a checkout of an older commit does.

Their files go, as the files of Git itself would, when nothing of them would be lost; history and blobs stay in the
store, and a code commit that pins the artifact brings it back. Called by `checkout` and `pull` of what the lock says.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from aimdvc.git.code import is_tracked
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.checkout import entry_of, require_unmoved
from aimdvc.ops.codehead import CodeHead, is_unpinned
from aimdvc.ops.part import everything
from aimdvc.ops.plan import plan_checkout
from aimdvc.ops.revisions import label
from aimdvc.ops.rm import remove_root
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.ops.write import write_plan
from aimdvc.store.state import Head, Place


@dataclass(frozen=True, slots=True)
class Unpinned:
    """An artifact that isn't pinned any more. `is_kept` says that it has changes, and so stays as it is."""

    artifact: str
    path: str
    version: str
    commit: GitId
    deleted: int
    is_kept: bool


def unpinned_names(workspace: Workspace, pins: Mapping[str, Pin], code: CodeHead) -> list[str]:
    """Returns the artifacts here that Git took out of the lock; `pins` are those of the lock on disk."""
    return [head.name for head in workspace.state.heads() if is_unpinned(head, pins, code)]


def take_away(workspace: Workspace, name: str, progress: Progress) -> Unpinned:
    """Removes an unpinned artifact's files and forgets it here, or keeps it where something would be lost.

    Where the code commit has files of Git itself at the path, as one from before an import has, these are left alone.
    The state goes last: cut anywhere, running it again finishes it. `.gitignore` is left to the code commit.
    """
    head = settle(workspace, name)
    assert head.commit is not None, "it was pinned once"
    version = label(workspace.history(name), head.commit)
    is_gits = _is_gits(workspace, head.path)
    if _has_staged(workspace, head) or (not is_gits and _has_changes(workspace, head)):
        return Unpinned(name, head.path, version, head.commit, 0, True)
    if is_gits:
        _forget(workspace, head)
        return Unpinned(name, head.path, version, head.commit, 0, False)
    rows = [row for row in workspace.state.rows(head) if row.mode and row.place is Place.DISK]
    plan = plan_checkout(workspace, head, ((entry_of(row), None) for row in rows), False, everything)
    if plan.lost:
        return Unpinned(name, head.path, version, head.commit, 0, True)
    with workspace.writing_files():
        require_unmoved(workspace, head)
        write_plan(workspace, head, plan, progress)
        remove_root(workspace, head)
        _forget(workspace, head)
    return Unpinned(name, head.path, version, head.commit, len(plan.delete), False)


def _is_gits(workspace: Workspace, path: str) -> bool:
    places = workspace.places
    if places.work_tree is None or places.git_dir is None:
        return False
    inside = os.path.relpath(workspace.root / path, places.work_tree).replace(os.sep, "/")
    return is_tracked(places.git_dir, inside)


def _forget(workspace: Workspace, head: Head) -> None:
    with workspace.state.transaction():
        workspace.state.parts.leave(head.id, head.name)
        workspace.state.clear_rows(head)
        workspace.state.delete_head(head)


def _has_staged(workspace: Workspace, head: Head) -> bool:
    return workspace.state.merges.get(head.id) is not None or any(True for _ in workspace.state.staged(head))


def _has_changes(workspace: Workspace, head: Head) -> bool:
    found = scan(workspace, head)
    return bool(found.untracked or changed_suspects(workspace, head, found))
