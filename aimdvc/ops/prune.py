"""`prune`: takes blobs out of the store that nothing needs, or that a remote was proven to have; into the trash.

Order: read every root, look at the clock, prove, and only then take; what is taken was not wanted since before that.
Cut anywhere, the next run goes on; nothing is lost, since the trash holds it (store/sweep.py, store/trash.py).
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from aimdvc.errors import Refused, RemoteRefused
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.connect import Connector, remote_url
from aimdvc.ops.maintain import maintaining
from aimdvc.ops.roots import Roots, read_all_roots
from aimdvc.ops.workspace import Workspace
from aimdvc.store.catalog import FRESH_S
from aimdvc.store.partial import forgotten_downloads
from aimdvc.store.sweep import Stored, Sweeper, Taken

EXPIRE_DAYS = 14.0
"""A blob that nothing reaches is left alone for as long after it was last wanted: an `add` may be about to name it."""

_DAY_S = 24 * 3600
_CLOCK_SLACK_S = 3600


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """`remote` names the remote whose blobs may go, too; `expire_days` counts for those that nothing reaches."""

    remote: str | None = None
    expire_days: float = EXPIRE_DAYS
    is_dry_run: bool = False
    trusts_clock: bool = False


@dataclass(slots=True)
class Pruned:
    """What was taken, or with `is_dry_run` would be: `oids`, those that nothing reaches first. `size` is in bytes.

    `young` are left since they were wanted of late, `unproven` since the remote was not proven to have them. `begun`
    downloads that nobody went on with are deleted, `begun_size` bytes: they can be begun again.
    """

    is_dry_run: bool
    unreachable: int = 0
    on_remote: int = 0
    size: int = 0
    young: int = 0
    unproven: int = 0
    begun: int = 0
    begun_size: int = 0
    oids: list[Oid] = field(default_factory=list)


def prune(workspace: Workspace, connector: Connector | None, options: PruneOptions, progress: Progress) -> Pruned:
    """Takes blobs into the trash and returns what was taken. `connector` is needed for `options.remote` alone.

    Raises what keeps a root from being read, Refused when the clock can't be trusted, UnknownRemote, RemoteError.
    """
    now = time.time()
    if options.remote is not None:
        remote_url(workspace, options.remote)
    with maintaining(workspace):
        roots = read_all_roots(workspace, progress)
        sweeper = workspace.blobs.sweeper()
        result = Pruned(options.is_dry_run)
        dead: list[Stored] = []
        spare: list[Stored] = []
        newest_s = roots.newest_s
        # Never what was wanted of late: an add may still be on its way to the index (store/catalog.py, FRESH_S).
        before = int(now - max(options.expire_days * _DAY_S, 2 * FRESH_S))
        for stored in sweeper.iter_stored():
            newest_s = max(newest_s, stored.seen)
            raw = bytes.fromhex(stored.oid)
            if roots.is_reached(raw):
                if options.remote is not None and raw not in roots.used and stored.seen < int(now):
                    spare.append(stored)
            elif stored.seen < before:
                dead.append(stored)
            else:
                result.young += 1
        if not options.trusts_clock:
            check_clock(now, newest_s)
        if connector is not None and options.remote is not None:
            proven = prove(workspace, connector, roots, spare, options.remote, progress)
            result.unproven = len(spare) - len(proven)
            spare = [stored for stored in spare if stored.oid in proven]
        result.unreachable, result.on_remote = len(dead), len(spare)
        result.oids = [stored.oid for stored in (*dead, *spare)]
        result.size = sum(stored.size for stored in (*dead, *spare))
        if not options.is_dry_run:
            taken = take(sweeper, dead, before, workspace.blobs.trash.begin("prune"))
            other = take(sweeper, spare, int(now), workspace.blobs.trash.begin("remote"))
            result.unreachable, result.on_remote = taken.blobs, other.blobs
            result.size = taken.size + other.size
        begun = forgotten_downloads(workspace.blobs.layout.partial, before)
        result.begun, result.begun_size = len(begun), sum(size for _, size in begun)
        if not options.is_dry_run:
            for path, _ in begun:
                workspace.disk.unlink(path)
    return result


def check_clock(now_s: float, newest_s: int) -> None:
    """Raises Refused when the store has times of the future: then ages mean nothing."""
    if newest_s > now_s + _CLOCK_SLACK_S:
        raise Refused(
            f"the clock says {_shown(now_s)}, and the store was used at {_shown(newest_s)}: nothing was taken",
            hint="set the clock right; if it is, run it again with --trust-clock",
        )


def _shown(time_s: float) -> str:
    return datetime.fromtimestamp(time_s).strftime("%Y-%m-%d %H:%M")


def prove(
    workspace: Workspace,
    connector: Connector,
    roots: Roots,
    blobs: Sequence[Stored],
    remote: str | None,
    progress: Progress,
) -> set[Oid]:
    """Returns those of the blobs that a remote says, now, to have for every artifact that needs them.

    A remote's blobs are an artifact's: one that another artifact of the same remote holds does not help. `remote` None
    asks each artifact's own.
    """
    proven = {stored.oid for stored in blobs}
    progress.start("prove", None, "files")
    for name, sizes in roots.reached.items():
        needed = [
            Pointer(stored.oid, size)
            for stored in blobs
            if stored.oid in proven and (size := sizes.get(bytes.fromhex(stored.oid))) is not None
        ]
        if not needed:
            continue
        places = {
            (its_remote, path)
            for artifact, its_remote, path in roots.origins
            if artifact == name and its_remote == (remote or its_remote) and its_remote in workspace.settings.remotes
        }
        if not places:
            proven.difference_update(pointer.oid for pointer in needed)
        for its_remote, path in places:
            connection = connector.connect(workspace.disk, its_remote, remote_url(workspace, its_remote), path)
            try:
                present = connection.blobs.present(needed, progress)
            except RemoteRefused:
                present = set()  # An artifact that was never pushed, or that this key may not see.
            proven.difference_update(pointer.oid for pointer in needed if pointer.oid not in present)
    progress.finish()
    return proven


def take(sweeper: Sweeper, blobs: Iterable[Stored], before: int, into: Path | None) -> Taken:
    """Takes blobs that nobody wanted since `before` into a trash batch, or deletes them where it is None."""
    files = [stored.oid for stored in blobs if stored.pack is None]
    packed = {stored.oid for stored in blobs if stored.pack is not None}
    taken = sweeper.take_files(files, before, into)
    more = sweeper.take_packed(packed, before, into) if packed else Taken()
    return Taken(taken.blobs + more.blobs, taken.size + more.size)
