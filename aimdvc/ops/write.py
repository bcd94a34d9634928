"""Brings planned entries to disk: blobs from the store, small contents from Git, each by temporary name and rename."""

from collections.abc import Iterator

from aimdvc.model.entries import Entry
from aimdvc.model.paths import check_entry_path
from aimdvc.model.progress import Progress
from aimdvc.ops.plan import CheckoutPlan
from aimdvc.ops.workspace import Workspace
from aimdvc.store.materialise import Job, materialise, remove
from aimdvc.store.state import Head, Stat


def write_plan(workspace: Workspace, head: Head, plan: CheckoutPlan, progress: Progress) -> dict[str, Stat]:
    """Deletes and writes what the plan says, and returns the new files' stat by path.

    Every path is checked before the first byte is written. Raises UnsafePath, MissingBlob, CorruptBlob, StorageError;
    what was written by then is found again by the next run.
    """
    for entry in plan.write:
        check_entry_path(entry.path)
    root = workspace.artifact_root(head)
    remove(root, plan.delete, workspace.disk)
    if not plan.write:
        return {}
    progress.start(f"check out {head.name}", len(plan.write), "files")
    stats = materialise(
        root, _jobs(workspace, head, plan.write), workspace.blobs, workspace.disk, workspace.settings.link, progress
    )
    progress.finish()
    return stats


def _jobs(workspace: Workspace, head: Head, entries: list[Entry]) -> Iterator[Job]:
    history = workspace.history(head.name)
    for entry in entries:
        source = entry.pointer if entry.pointer is not None else history.read_blob(entry.git_id)
        yield Job(entry.path, entry.mode, source)
