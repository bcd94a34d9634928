"""Which artifact owns which blob. Knowing an oid is no permission: a claim needs the bytes, sent to that artifact."""

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.database import Database
from aimdvc.server.quotas import count
from aimdvc.server.schema import owned_blobs

_MARKED = owned_blobs.c.marked_s.is_not(None)
# Made once: to put a query together takes longer than SQLite takes to answer it.
_OWNED = select(owned_blobs.c.oid, owned_blobs.c.size).where(
    owned_blobs.c.artifact == bindparam("of"), owned_blobs.c.oid.in_(bindparam("oids", expanding=True))
)
_GROUP = 800
"""Values in one IN list; SQLite of 2020 and before allows 999."""


def owned(database: Database, artifact: str, oids: Iterable[Oid]) -> dict[Oid, int]:
    """Returns those of the blobs that the artifact owns, with their sizes in bytes."""
    found: dict[Oid, int] = {}
    with database.read() as connection:
        for group in _groups(oids):
            found.update(_owned_of(connection, artifact, group))
    return found


def wanted(database: Database, artifact: str, oids: Iterable[Oid]) -> dict[Oid, int]:
    """Returns what `owned` does, and keeps it: what gc found unnamed is no longer marked. For whoever counts on it."""
    found: dict[Oid, int] = {}
    for group in _groups(oids):
        # Owned and marked are of one moment: what has no mark then is taken by no run that began before.
        query = select(owned_blobs.c.oid, owned_blobs.c.size, owned_blobs.c.marked_s).where(*_here(artifact, group))
        with database.read() as connection:
            rows = connection.execute(query).all()
        found.update({Oid(oid.hex()): size for oid, size, marked_s in rows if marked_s is None})
        marked = [Oid(oid.hex()) for oid, _, marked_s in rows if marked_s is not None]
        if marked:
            with database.write(artifact) as connection:
                _unmark(connection, artifact, marked)
                # gc may have been faster with some.
                found.update(_owned_of(connection, artifact, marked))
    return found


def claim(database: Database, artifact: str, pointers: Iterable[Pointer]) -> None:
    """Makes the artifact own blobs whose bytes it sent, and which are durable. Safe to repeat.

    Raises HttpError (507) where a quota has no room for them; none is owned then.
    """
    with database.write(artifact) as connection:
        claim_within(connection, artifact, pointers)


def claim_within(connection: Connection, artifact: str, pointers: Iterable[Pointer]) -> None:
    """Does what `claim` does, in a transaction that writes the artifact."""
    for group in _pointer_groups(pointers):
        known = _owned_of(connection, artifact, [pointer.oid for pointer in group])
        rows = [
            {"artifact": artifact, "oid": bytes.fromhex(oid), "size": size}
            for oid, size in dict(group).items()
            if oid not in known
        ]
        if known:
            _unmark(connection, artifact, list(known))
        if rows:
            count(connection, artifact, sum(size for oid, size in dict(group).items() if oid not in known))
            connection.execute(insert(owned_blobs), rows)


def release(connection: Connection, artifact: str, oids: Iterable[Oid]) -> int:
    """Ends that the artifact owns blobs, in a transaction that writes the artifact; returns how many bytes they had.

    Their bytes are not touched. Safe to repeat.
    """
    freed = 0
    for group in _groups(oids):
        known = _owned_of(connection, artifact, group)
        if known:
            count(connection, artifact, -sum(known.values()))
            connection.execute(delete(owned_blobs).where(*_here(artifact, known)))
            freed += sum(known.values())
    return freed


def _unmark(connection: Connection, artifact: str, oids: Sequence[Oid]) -> None:
    connection.execute(
        update(owned_blobs).where(*_here(artifact, oids), _MARKED).values(marked_s=None, marked_run=None)
    )


def _here(artifact: str, oids: Iterable[Oid]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return owned_blobs.c.artifact == artifact, owned_blobs.c.oid.in_([bytes.fromhex(oid) for oid in oids])


def _owned_of(connection: Connection, artifact: str, oids: Sequence[Oid]) -> dict[Oid, int]:
    names = [bytes.fromhex(oid) for oid in oids]
    found = connection.execute(_OWNED, {"of": artifact, "oids": names})
    return {Oid(oid.hex()): size for oid, size in found}


def _groups(oids: Iterable[Oid]) -> Iterable[list[Oid]]:
    iterator = iter(oids)
    while group := list(islice(iterator, _GROUP)):
        yield group


def _pointer_groups(pointers: Iterable[Pointer]) -> Iterable[list[Pointer]]:
    iterator = iter(pointers)
    while group := list(islice(iterator, _GROUP)):
        yield group
