"""`checkout --relink`: brings the files that are here into the workspace anew, as `core.link` now says.

Only files that hold what the index says, and whose blob is here, are replaced, each by temporary name and rename: a
local change is never touched. Safe to repeat; cut anywhere, what was replaced is as good as the rest.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.scan import Scan, changed_suspects, clock_ns, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.materialise import Job, materialise
from aimdvc.store.state import Head, Place, Row, Stat


@dataclass(frozen=True, slots=True)
class Relinked:
    """What was replaced of one artifact; `changed` counts files with local changes, which were left alone."""

    artifact: str
    written: int
    changed: int


def relink(workspace: Workspace, names: Iterable[str], progress: Progress) -> list[Relinked]:
    """Replaces the files of the named artifacts, or of all. Raises ChangedMeanwhile, CorruptBlob, StorageError."""
    wanted = list(names) or [head.name for head in workspace.state.heads()]
    return [_relink_one(workspace, settle(workspace, name), progress) for name in wanted]


def _relink_one(workspace: Workspace, head: Head, progress: Progress) -> Relinked:
    with workspace.writing_files():
        found = scan(workspace, head)
        changed = changed_suspects(workspace, head, found)
        left = {*changed, *found.deleted}
        rows = [row for row in _linkable(workspace, head) if path_bytes(row.path) not in left]
        jobs = [job for row in rows if (job := _job(workspace, row, found)) is not None]
        total = sum(job.source.size for job in jobs if isinstance(job.source, Pointer))
        progress.start(f"relink {head.name}", total, "bytes")
        place, link = workspace.artifact_place(head), workspace.local_settings.link
        stats = materialise(place, jobs, workspace.blobs, workspace.disk, link, progress.advance)
        progress.finish()
        now_ns = clock_ns(workspace.places.state)
        with workspace.state.transaction():
            workspace.state.refresh_stats(head, stats.items(), now_ns)
    return Relinked(head.name, len(jobs), len(changed))


def _linkable(workspace: Workspace, head: Head) -> Iterator[Row]:
    for row in workspace.state.rows(head):
        if row.is_pointer and row.place is Place.DISK and row.mode in (Mode.FILE, Mode.EXECUTABLE):
            yield row


def _job(workspace: Workspace, row: Row, found: Scan) -> Job | None:
    """Returns what brings a file anew; None for a packed or missing blob, and for a file that is linked already.

    A file that changes from what the scan saw on is not replaced. What has no stat in the index was a suspect there.
    """
    assert row.oid is not None, "a pointer has an oid"
    blob = workspace.blobs.path_of(row.oid)
    if blob is None:
        return None
    seen = row.stat or Stat(*found.suspects[path_bytes(row.path)][1:])
    may_stay = workspace.local_settings.link == "hardlink" and row.mode == Mode.FILE
    if may_stay and blob.stat().st_nlink > 1 and blob.stat().st_ino == seen.inode:
        return None
    return Job(row.path, row.mode, Pointer(row.oid, row.size), seen)
