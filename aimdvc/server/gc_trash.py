"""What gc took, until it is emptied: by run, and back again, bytes and ownership both."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import delete, func, select

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.bytecopy import artifact_path
from aimdvc.server.database import Database, now_s
from aimdvc.server.ownership import claim
from aimdvc.server.schema import released_blobs
from aimdvc.server.storage import Storage

_PAGE = 500


class TakenRun(NamedTuple):
    """What one run of gc took from artifacts: when, in seconds since the epoch; blobs, and their bytes."""

    run: int
    time_s: int
    artifacts: list[str]
    blobs: int
    size: int


class Restored(NamedTuple):
    """Blobs that are owned again, and those whose bytes are gone."""

    blobs: int
    gone: int


def list_runs(database: Database) -> list[TakenRun]:
    """Returns what can be given back, oldest first."""
    columns = (released_blobs.c.run, func.min(released_blobs.c.taken_s), func.count(), func.sum(released_blobs.c.size))
    with database.read() as connection:
        rows = connection.execute(select(*columns).group_by(released_blobs.c.run).order_by(released_blobs.c.run)).all()
        owners = connection.execute(select(released_blobs.c.run, released_blobs.c.artifact).distinct()).all()
    paths = {artifact: artifact_path(database, artifact) for _, artifact in owners}
    return [
        TakenRun(run, int(time_s), sorted(paths[one] for number, one in owners if number == run), count, int(size))
        for run, time_s, count, size in rows
    ]


def restore_run(database: Database, storage: Storage, run: int) -> Restored:
    """Gives back what a run took: to the storage, and to the artifacts. Safe to repeat.

    Raises HttpError (507) where a quota has no room for it, Busy while gc runs.
    """
    with database.dropping_packs("gc"):
        return _restore_run(database, storage, run)


def _restore_run(database: Database, storage: Storage, run: int) -> Restored:
    restored = gone = 0
    with database.read() as connection:
        query = select(released_blobs.c.artifact).where(released_blobs.c.run == run).distinct()
        artifacts = list(connection.scalars(query))
    for artifact in artifacts:
        last = b""
        while page := _page(database, artifact, run, last):
            last = bytes.fromhex(page[-1].oid)
            oids = {pointer.oid for pointer in page}
            _put_back(storage, storage.blobs.missing(oids))
            missing = storage.blobs.missing(oids)
            there = [pointer for pointer in page if pointer.oid not in missing]
            claim(database, artifact, there)
            _forget(database, artifact, [pointer.oid for pointer in there])
            restored, gone = restored + len(there), gone + len(missing)
    return Restored(restored, gone)


def empty(database: Database, storage: Storage, older_than_s: float) -> int:
    """Deletes what was taken longer ago than these seconds, for good; returns the bytes that were freed."""
    cutoff_s = now_s() - older_than_s
    freed = 0
    with database.dropping_packs("gc"):
        for batch in storage.keeping.batches():
            if batch.time_s <= cutoff_s:
                storage.keeping.empty(batch.name)
                freed += batch.size
        with database.write("settings") as connection:
            connection.execute(delete(released_blobs).where(released_blobs.c.taken_s <= cutoff_s))
    return freed


def _page(database: Database, artifact: str, run: int, last: bytes) -> list[Pointer]:
    mine = (released_blobs.c.artifact == artifact, released_blobs.c.run == run, released_blobs.c.oid > last)
    query = select(released_blobs.c.oid, released_blobs.c.size).where(*mine).order_by(released_blobs.c.oid)
    with database.read() as connection:
        return [Pointer(Oid(oid.hex()), size) for oid, size in connection.execute(query.limit(_PAGE))]


def _put_back(storage: Storage, missing: set[Oid]) -> None:
    """Puts back every batch of the trash that has one of these blobs."""
    left = set(missing)
    for batch in reversed(storage.keeping.batches()):
        if not left:
            return
        if not left.isdisjoint(storage.keeping.iter_batch(batch.name)):
            storage.keeping.put_back(batch.name)
            left = storage.blobs.missing(left)


def _forget(database: Database, artifact: str, oids: Collection[Oid]) -> None:
    with database.write(artifact) as connection:
        connection.execute(
            delete(released_blobs).where(
                released_blobs.c.artifact == artifact,
                released_blobs.c.oid.in_([bytes.fromhex(oid) for oid in oids]),
            )
        )
