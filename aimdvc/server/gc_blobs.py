"""Which of the blobs that one artifact owns nothing names, in two runs: the first marks them, a later one takes them.

Named is what a pointer in the artifact's git packs names. Whoever counts on a blob meanwhile takes its mark away
(ownership.py): an upload, a batch that is told it is here, a push. So what is taken was unnamed at two runs, and wanted
by nobody between them, whatever a clock says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import POINTER_LIMIT, find_pointer
from aimdvc.server.database import Database, now_s
from aimdvc.server.ownership import release
from aimdvc.server.repositories import Repository
from aimdvc.server.schema import owned_blobs, released_blobs

_PAGE = 800
_AT_ONCE = 500_000
"""Oids held at a time, about 50 MiB."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a run of gc goes: its number; how long what is unnamed stays, in seconds; whether it changes anything."""

    run: int
    grace_s: float
    is_applied: bool


@dataclass(slots=True)
class Swept:
    """What was found of one artifact: blobs newly unnamed, those that wait, those that were due; and their bytes."""

    marked: int = 0
    marked_size: int = 0
    waiting: int = 0
    waiting_size: int = 0
    taken: int = 0
    taken_size: int = 0


def sweep(database: Database, artifact: str, repository: Repository, terms: Terms) -> Swept:
    """Marks what is unnamed now, and takes what was so at an earlier run and long enough; with `is_applied` only.

    Cut anywhere, the next run goes on. Raises CorruptRepository where the packs can't be read: nothing is taken then.
    """
    swept = Swept()
    with database.read() as connection:
        query = select(func.count()).where(owned_blobs.c.artifact == artifact)
        owned_count = int(connection.scalar(query) or 0)
    if not owned_count:
        return swept
    for low, high in oid_ranges(max(owned_count, sum(pack.count for pack in repository.packs()))):
        named = {oid for oid in iter_named(repository) if oid >= low and (high is None or oid < high)}
        for page in _pages(database, artifact, low, high):
            _sweep_page(database, artifact, page, named, terms, swept)
    return swept


def oid_ranges(count: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Yields ranges of raw oids, from and up to, None for the end: together all, each with some 500,000 of `count`."""
    parts = max(1, -(-count // _AT_ONCE))
    starts = [(at * 0x10000 // parts).to_bytes(2, "big") for at in range(parts)]
    yield from zip(starts, [*starts[1:], None], strict=True)


def iter_named(repository: Repository) -> Iterator[bytes]:
    """Yields the raw oid of every pointer in the git packs, some twice."""
    for stored in repository.iter_opened():
        for name, content in stored.iter_small_blobs(POINTER_LIMIT):
            if content is None:
                content = repository.read(GitId(name.hex()))[1]
            pointer = find_pointer(content) if len(content) < POINTER_LIMIT else None
            if pointer is not None:
                yield bytes.fromhex(pointer.oid)


class _Owned(NamedTuple):
    oid: bytes
    size: int
    marked_s: float | None
    marked_run: int | None


Page = list[_Owned]


def _pages(database: Database, artifact: str, low: bytes, high: bytes | None) -> Iterator[Page]:
    columns = (owned_blobs.c.oid, owned_blobs.c.size, owned_blobs.c.marked_s, owned_blobs.c.marked_run)
    after = owned_blobs.c.oid >= low
    while True:
        query = select(*columns).where(owned_blobs.c.artifact == artifact, after)
        if high is not None:
            query = query.where(owned_blobs.c.oid < high)
        with database.read() as connection:
            page = [_Owned(*row) for row in connection.execute(query.order_by(owned_blobs.c.oid).limit(_PAGE))]
        if not page:
            return
        yield page
        after = owned_blobs.c.oid > page[-1].oid


def _sweep_page(database: Database, artifact: str, page: Page, named: set[bytes], terms: Terms, swept: Swept) -> None:
    now = now_s()
    new, due, again = [], [], []
    for row in page:
        if row.oid in named:
            if row.marked_s is not None:
                again.append(row)
        elif row.marked_s is None or row.marked_run is None:
            new.append(row)
        elif row.marked_run < terms.run and row.marked_s <= now - terms.grace_s:
            due.append(row)
        else:
            swept.waiting, swept.waiting_size = swept.waiting + 1, swept.waiting_size + row.size
    swept.marked, swept.marked_size = swept.marked + len(new), swept.marked_size + sum(row.size for row in new)
    if not terms.is_applied:
        swept.taken, swept.taken_size = swept.taken + len(due), swept.taken_size + sum(row.size for row in due)
        return
    if not (new or due or again):
        return
    with database.write(artifact) as connection:
        mine = owned_blobs.c.artifact == artifact
        if again:
            here = owned_blobs.c.oid.in_([row.oid for row in again])
            connection.execute(update(owned_blobs).where(mine, here).values(marked_s=None, marked_run=None))
        if new:
            here = owned_blobs.c.oid.in_([row.oid for row in new])
            connection.execute(update(owned_blobs).where(mine, here).values(marked_s=now, marked_run=terms.run))
        if due:
            here = owned_blobs.c.oid.in_([row.oid for row in due])
            # Looked at again here: who wanted one of them since has taken its mark away.
            still = owned_blobs.c.marked_run < terms.run
            left = connection.execute(select(owned_blobs.c.oid, owned_blobs.c.size).where(mine, here, still)).all()
            release(connection, artifact, [Oid(row.oid.hex()) for row in left])
            gone = [{"artifact": artifact, "oid": row.oid, "size": row.size} for row in left]
            if gone:
                old = released_blobs.c.oid.in_([row.oid for row in left])
                connection.execute(delete(released_blobs).where(released_blobs.c.artifact == artifact, old))
                more = {"run": terms.run, "taken_s": now}
                connection.execute(insert(released_blobs), [{**row, **more} for row in gone])
            swept.taken, swept.taken_size = swept.taken + len(left), swept.taken_size + sum(row.size for row in left)
