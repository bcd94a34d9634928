"""Where each blob lies in a bucket: rows in the server's database, so a look-up costs no request to the storage.

A row is written when the bytes are durable and hashed, never before. What is in the bucket without a row was cut on
its way, and goes after a grace (bucket_keeping.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aimdvc.model.oid import Oid
from aimdvc.server.database import Database, now_s
from aimdvc.server.schema import stored_blobs, trashed_blobs

_GROUP = 800
"""Values in one IN list; SQLite of 2020 and before allows 999."""

DAMAGED = "damaged"
"""The batch of the trash in which damaged blobs lie, never to be read again."""


class Place(NamedTuple):
    """A blob's size in bytes, the key that holds it, and of a packed one the byte at which it begins."""

    oid: Oid
    size: int
    key: str
    offset: int | None


class BucketIndex:
    """The rows of one server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, oids: Iterable[Oid]) -> dict[Oid, Place]:
        """Returns where those of the blobs lie that are there."""
        columns = (stored_blobs.c.oid, stored_blobs.c.size, stored_blobs.c.key, stored_blobs.c.offset)
        found: dict[Oid, Place] = {}
        with self._database.read() as connection:
            for group in _groups(oids):
                query = select(*columns).where(stored_blobs.c.oid.in_([bytes.fromhex(oid) for oid in group]))
                for oid, size, key, offset in connection.execute(query):
                    name = Oid(oid.hex())
                    found[name] = Place(name, size, key, offset)
        return found

    def touch(self, oids: Sequence[Oid]) -> set[Oid]:
        """Notes blobs as wanted now, so that gc leaves them, and returns those of them that are there."""
        there: set[Oid] = set()
        for group in _groups(sorted(oids)):
            raw = [bytes.fromhex(oid) for oid in group]
            with self._database.write(f"blobs {group[0]}") as connection:
                connection.execute(update(stored_blobs).where(stored_blobs.c.oid.in_(raw)).values(seen_s=now_s()))
                rows = connection.scalars(select(stored_blobs.c.oid).where(stored_blobs.c.oid.in_(raw)))
                there |= {Oid(oid.hex()) for oid in rows}
        return there

    def add(self, places: Sequence[Place]) -> None:
        """Writes rows of what is durable; a blob that has one keeps that. Safe to repeat."""
        if not places:
            return
        seen = now_s()
        rows = [
            {"oid": bytes.fromhex(one.oid), "size": one.size, "key": one.key, "offset": one.offset, "seen_s": seen}
            # In one order everywhere: two that add the same wait for each other, and never in a ring.
            for one in sorted(places)
        ]
        with self._database.write(f"blobs {places[0].key}") as connection:
            if connection.dialect.name == "postgresql":
                statement = postgresql.insert(stored_blobs).on_conflict_do_update(
                    index_elements=["oid"], set_={"seen_s": seen}
                )
                connection.execute(statement, rows)
            else:
                kept = sqlite.insert(stored_blobs).on_conflict_do_update(index_elements=["oid"], set_={"seen_s": seen})
                connection.execute(kept, rows)

    def set_aside(self, place: Place) -> None:
        """Takes a damaged blob out, so that it counts as missing; nothing where another took its place meanwhile."""
        with self._database.write(f"blobs {place.oid}") as connection:
            move_to_trash(connection, DAMAGED, [place])


def move_to_trash(
    connection: Connection, batch: str, places: Sequence[Place], before_s: float | None = None
) -> list[Place]:
    """Moves rows into a batch of the trash; returns those that were there, at that very place.

    With `before_s` only what nobody wanted since.
    """
    moved = []
    for place in places:
        gone = connection.execute(
            delete(stored_blobs).where(
                stored_blobs.c.oid == bytes.fromhex(place.oid),
                stored_blobs.c.key == place.key,
                stored_blobs.c.offset.is_(None) if place.offset is None else stored_blobs.c.offset == place.offset,
                *([stored_blobs.c.seen_s < before_s] if before_s is not None else []),
            )
        )
        if gone.rowcount:
            moved.append(place)
    if moved:
        now = now_s()
        rows = [
            {"batch": batch, "oid": bytes.fromhex(oid), "size": size, "key": key, "offset": offset, "taken_s": now}
            for oid, size, key, offset in moved
        ]
        connection.execute(insert(trashed_blobs), rows)
    return moved


def _groups(oids: Iterable[Oid]) -> Iterator[list[Oid]]:
    pending = iter(oids)
    while group := list(islice(pending, _GROUP)):
        yield group
