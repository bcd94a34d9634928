"""Brings planned entries to disk: blobs from the store, small contents from Git, each by temporary name and rename."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from aimdvc.model.progress import Progress
from aimdvc.ops.content import read_inline
from aimdvc.ops.plan import CheckoutPlan
from aimdvc.ops.workspace import Workspace
from aimdvc.store.materialise import Job, clear, materialise, remove
from aimdvc.store.state import Head, Stat


def write_plan(workspace: Workspace, head: Head, plan: CheckoutPlan, progress: Progress) -> dict[str, Stat]:
    """Deletes and writes what the plan says, and returns the new files' stat by path.

    The plan checked every path. Raises UnsafePath, ChangedMeanwhile, MissingBlob,
    CorruptBlob, StorageError; what was written by then is found again by the next run.
    """
    place = workspace.artifact_place(head)
    progress.start(f"remove files of {head.name}", len(plan.delete), "files")
    remove(place, _told(plan.delete, progress), plan.seen, workspace.disk)
    progress.finish()
    clear(place, plan.clear)
    if not plan.write:
        if plan.keep or plan.delete:
            # Files that are as wanted already may be an earlier run's, which was cut before it made them durable.
            workspace.disk.sync_filesystem(Path(place.full))
        return {}
    progress.start(f"check out {head.name}", sum(pointer.size for pointer in plan.pointers()), "bytes")
    stats = materialise(
        place,
        _jobs(workspace, head, plan),
        workspace.blobs,
        workspace.disk,
        workspace.local_settings.link,
        progress.advance,
    )
    progress.finish()
    return stats


def _told(paths: Iterable[str], progress: Progress) -> Iterator[str]:
    for path in paths:
        yield path
        progress.advance(1)


def _jobs(workspace: Workspace, head: Head, plan: CheckoutPlan) -> Iterator[Job]:
    for entry in plan.write:
        source = entry.pointer if entry.pointer is not None else read_inline(workspace, head, entry)
        yield Job(entry.path, entry.mode, source, plan.seen.get(entry.path))
