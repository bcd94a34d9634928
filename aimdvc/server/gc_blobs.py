"""Which of the blobs that one artifact owns nothing names, in two runs: the first marks them, a later one takes them.

Named is what a pointer in the artifact's git packs names, or a draft (drafts.py). Whoever counts on a blob meanwhile
takes its mark away (ownership.py): an upload, a batch that is told it is here, a push. So what is taken was unnamed at
two runs, and wanted by nobody between them, whatever a clock says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import POINTER_LIMIT, find_pointer
from aimdvc.server.database import Database, now_s
from aimdvc.server.drafts import named_by_drafts
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
    """Marks what is unnamed now, with `is_applied` only. What was so at an earlier run, and long enough, is due.

    Due is what `taken` counts, for `take`. Cut anywhere, the next run goes on. Raises CorruptRepository where the packs
    can't be read: nothing is marked or due then.
    """
    swept = Swept()
    for page, named in _iter_named_pages(database, artifact, repository):
        _mark_page(database, artifact, page, named, terms, swept)
    return swept


def take(database: Database, artifact: str, repository: Repository, terms: Terms) -> tuple[int, int]:
    """Takes from an artifact what is due; returns how many blobs, and their bytes. Cut anywhere, the next run goes on.

    The packs are read again while no push runs: one that found a blob here has published its pack by then, or begins
    anew. Raises Busy where one runs, CorruptRepository.
    """
    blobs = size = 0
    with database.dropping_packs(artifact) as still_held:
        repository.refresh()
        for page, named in _iter_named_pages(database, artifact, repository):
            due = [row.oid for row in page if row.oid not in named and _is_due(row, terms)]
            if due:
                still_held()
                taken = _take_page(database, artifact, due, terms)
                blobs, size = blobs + len(taken), size + sum(taken.values())
    return blobs, size


def _iter_named_pages(database: Database, artifact: str, repository: Repository) -> "Iterator[tuple[Page, set[bytes]]]":
    """Yields what the artifact owns, by pages, each with those oids around that are named."""
    with database.read() as connection:
        query = select(func.count()).where(owned_blobs.c.artifact == artifact)
        owned_count = int(connection.scalar(query) or 0)
    if not owned_count:
        return
    for low, high in oid_ranges(max(owned_count, sum(pack.count for pack in repository.packs()))):
        # First what is being uploaded: what has become a version by then is in a pack that is read afterwards.
        with database.read() as connection:
            named = named_by_drafts(connection, artifact, low, high)
        named.update(oid for oid in iter_named(repository) if oid >= low and (high is None or oid < high))
        for page in _pages(database, artifact, low, high):
            yield page, named


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


def _is_due(row: _Owned, terms: Terms) -> bool:
    is_older = row.marked_run is not None and row.marked_run < terms.run
    return is_older and row.marked_s is not None and row.marked_s <= now_s() - terms.grace_s


def _mark_page(database: Database, artifact: str, page: Page, named: set[bytes], terms: Terms, swept: Swept) -> None:
    now = now_s()
    new, again = [], []
    for row in page:
        if row.oid in named:
            again += [row.oid] if row.marked_s is not None else []
        elif row.marked_s is None or row.marked_s > now:
            # A mark of the future was made by a clock that was wrong.
            new.append(row.oid)
            swept.marked, swept.marked_size = swept.marked + 1, swept.marked_size + row.size
        elif _is_due(row, terms):
            swept.taken, swept.taken_size = swept.taken + 1, swept.taken_size + row.size
        else:
            swept.waiting, swept.waiting_size = swept.waiting + 1, swept.waiting_size + row.size
    if not terms.is_applied or not (new or again):
        return
    with database.write(artifact) as connection:
        marks: tuple[tuple[list[bytes], float | None, int | None], ...] = ((again, None, None), (new, now, terms.run))
        for oids, marked_s, run in marks:
            if oids:
                here = (owned_blobs.c.artifact == artifact, owned_blobs.c.oid.in_(oids))
                connection.execute(update(owned_blobs).where(*here).values(marked_s=marked_s, marked_run=run))


def _take_page(database: Database, artifact: str, due: list[bytes], terms: Terms) -> dict[bytes, int]:
    """Takes blobs from an artifact, and notes them as taken; returns them with their sizes."""
    with database.write(artifact) as connection:
        # Looked at again here: who wanted one of them since has taken its mark away.
        still = (owned_blobs.c.artifact == artifact, owned_blobs.c.oid.in_(due), owned_blobs.c.marked_run < terms.run)
        rows = connection.execute(select(owned_blobs.c.oid, owned_blobs.c.size).where(*still)).all()
        left = {bytes(oid): int(size) for oid, size in rows}
        release(connection, artifact, [Oid(oid.hex()) for oid in left])
        if left:
            old = released_blobs.c.oid.in_(list(left))
            connection.execute(delete(released_blobs).where(released_blobs.c.artifact == artifact, old))
            taken = {"artifact": artifact, "run": terms.run, "taken_s": now_s()}
            connection.execute(
                insert(released_blobs), [{**taken, "oid": oid, "size": size} for oid, size in left.items()]
            )
    return left
