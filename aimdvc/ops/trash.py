"""`trash`: what maintenance took out of the store. `empty` is the only verb that deletes what has no copy elsewhere."""

import time
from dataclasses import dataclass, field

from aimdvc.errors import UsageError
from aimdvc.model.oid import Oid
from aimdvc.model.progress import Progress
from aimdvc.ops.maintain import maintaining
from aimdvc.ops.roots import read_all_roots
from aimdvc.ops.workspace import Workspace
from aimdvc.store.trash import Batch

_DAY_S = 24 * 3600


@dataclass(slots=True)
class Emptied:
    """What `empty` deleted; `put_back` counts blobs that something needs again, which went back into the store.

    `kept` names the batches with a blob that is needed and could not be put back.
    """

    batches: list[Batch] = field(default_factory=list)
    size: int = 0
    put_back: int = 0
    kept: list[str] = field(default_factory=list)


def list_trash(workspace: Workspace) -> list[Batch]:
    """Returns what is in the trash, oldest first."""
    return workspace.blobs.trash.batches()


def restore_trash(workspace: Workspace, name: str | None) -> list[Batch]:
    """Puts a batch back into the store, or all, and returns what was put back. Safe to repeat. Raises UsageError."""
    batches = list_trash(workspace)
    chosen = [batch for batch in batches if name in (None, batch.name)]
    if name is not None and not chosen:
        raise UsageError(f"nothing in the trash is named '{name}'", hint="`aimdvc trash list` shows what there is")
    with maintaining(workspace):
        for batch in chosen:
            workspace.blobs.trash.restore(batch.name, workspace.blobs.catalog)
    return chosen


def empty_trash(workspace: Workspace, older_than_days: float, progress: Progress) -> Emptied:
    """Deletes what has been in the trash for longer; first puts back what something needs again.

    Needs no room on the disk, unless something has to be put back. Raises what keeps a root from being read.
    """
    before = time.time() - older_than_days * _DAY_S
    result = Emptied()
    with maintaining(workspace):
        batches = [batch for batch in list_trash(workspace) if batch.time_s <= before]
        if not batches:
            return result
        needed = _needed_again(workspace, batches, progress)
        left = workspace.blobs.rescue(needed) if needed else set()
        result.put_back = len(needed) - len(left)
        for batch in batches:
            if left and not left.isdisjoint(workspace.blobs.trash.iter_oids(batch.name)):
                result.kept.append(batch.name)
                continue
            workspace.blobs.trash.empty(batch.name)
            result.batches.append(batch)
            result.size += batch.size
    return result


def _needed_again(workspace: Workspace, batches: list[Batch], progress: Progress) -> set[Oid]:
    """Returns the blobs that are nowhere else: in use now, or of history though nothing reached them when taken."""
    roots = read_all_roots(workspace, progress)
    needed: set[Oid] = set()
    for batch in batches:
        for oid in workspace.blobs.trash.iter_oids(batch.name):
            raw = bytes.fromhex(oid)
            if raw in roots.used or (batch.why != "remote" and roots.is_reached(raw)):
                needed.add(oid)
    missing = workspace.blobs.missing(needed)
    for oid in needed - missing:
        # A copy in the store that is damaged is none.
        if not workspace.blobs.is_whole(oid):
            workspace.blobs.take_out(oid)
            missing.add(oid)
    return missing
