"""The cache limit: deletes blobs that a remote was proven to have in this run, the longest unwanted first.

Not through the trash, which would free nothing: what goes has a copy, and comes back by `checkout`. What an index, a
HEAD or a pin of now needs stays whatever the limit, and so does what was wanted within the hour, or is on no remote.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from aimdvc.errors import AimdvcError
from aimdvc.model.progress import Progress
from aimdvc.ops.connect import Connector
from aimdvc.ops.maintain import maintaining
from aimdvc.ops.prune import check_clock, prove, take
from aimdvc.ops.roots import read_all_roots
from aimdvc.ops.workspace import Workspace
from aimdvc.store.catalog import FRESH_S
from aimdvc.store.sweep import Stored

_GROUP = 5000
_PATIENCE_S = 10.0


@dataclass(slots=True)
class Evicted:
    """What was deleted; `on_disk` and `limit` are bytes: what the store takes now, and may."""

    limit: int
    on_disk: int
    blobs: int = 0
    size: int = 0


def evict(
    workspace: Workspace, connector: Connector, limit: int, progress: Progress, patience_s: float | None = None
) -> Evicted:
    """Brings the store down to `limit` bytes, as far as remotes prove to have what would go; returns what was deleted.

    Begins nothing more after `patience_s` seconds. Raises as `prune`.
    """
    until = time.monotonic() + patience_s if patience_s is not None else None
    now = time.time()
    before = int(now) - FRESH_S
    result = Evicted(limit, workspace.blobs.size_on_disk())
    if result.on_disk <= limit:
        return result
    with maintaining(workspace, 0 if patience_s is not None else 60):
        roots = read_all_roots(workspace, progress)
        sweeper = workspace.blobs.sweeper()
        spare = []
        newest_s = roots.newest_s
        for stored in sweeper.iter_stored():
            newest_s = max(newest_s, stored.seen)
            raw = bytes.fromhex(stored.oid)
            if stored.seen < before and raw not in roots.used and roots.is_reached(raw):
                spare.append(stored)
        check_clock(now, newest_s)
        spare.sort(key=lambda stored: stored.seen)
        for group in _groups(spare, result):
            if until is not None and time.monotonic() > until:
                break
            proven = prove(workspace, connector, roots, group, None, progress)
            taken = take(sweeper, [stored for stored in group if stored.oid in proven], before, None)
            result.blobs, result.size = result.blobs + taken.blobs, result.size + taken.size
            result.on_disk -= taken.size
    return result


def _groups(spare: list[Stored], result: Evicted) -> Iterator[list[Stored]]:
    """Yields as many blobs at a time as would do, until the store is small enough."""
    group: list[Stored] = []
    size = 0
    for stored in spare:
        group.append(stored)
        size += stored.size
        if len(group) >= _GROUP or size >= result.on_disk - result.limit:
            yield group
            if result.on_disk <= result.limit:
                return
            group, size = [], 0
    if group:
        yield group


def keep_within_limit(workspace: Workspace, connector: Connector, progress: Progress) -> None:
    """Ends push and pull: evicts where `cache.limit` is set and passed. Never fails: the verb before it is done."""
    with suppress(AimdvcError):
        limit = workspace.local_settings.cache_limit
        if limit is not None:
            evict(workspace, connector, limit, progress, _PATIENCE_S)
