"""Git LFS locks in SQL: which paths of an artifact one user alone may push changes of."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from aimdvc.model.entries import path_bytes, path_text
from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.rights import Caller
from aimdvc.server.schema import locks, users
from aimdvc.server.tree import chain_of


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock of a user's: their id and what they are called; when it was made, in seconds since the epoch."""

    id: str
    path: str
    owner: str
    owner_name: str
    created_s: float


def add_lock(database: Database, artifact: str, path: str, owner: str) -> tuple[Lock, bool]:
    """Locks a path for a user's id; returns the lock that holds now, and whether it is new."""
    with database.write(artifact) as connection:
        here = _select(artifact).where(locks.c.path == path_bytes(path))
        found = _read(connection, here)
        if found:
            return found[0], False
        row = {"id": uuid.uuid4().hex, "artifact": artifact, "path": path_bytes(path), "owner": owner}
        connection.execute(insert(locks), {**row, "created_s": now_s()})
        return _read(connection, here)[0], True


def read_locks(
    database: Database,
    artifact: str,
    path: str | None = None,
    lock: str | None = None,
    after: str = "",
    limit: int = -1,
) -> list[Lock]:
    """Returns the locks of an artifact, by path, from the path `after` on; those at a path, or of an id, if given."""
    query = _select(artifact)
    if path is not None:
        query = query.where(locks.c.path == path_bytes(path))
    if lock is not None:
        query = query.where(locks.c.id == lock)
    if after:
        query = query.where(locks.c.path > path_bytes(after))
    if limit >= 0:
        query = query.limit(limit)
    with database.read() as connection:
        return _read(connection, query)


def locked_by_others(connection: Connection, artifact: str, user: str) -> list[Lock]:
    """Returns the locks of an artifact that are not a user's."""
    return _read(connection, _select(artifact).where(locks.c.owner != user))


def remove_lock(database: Database, artifact: str, lock: Lock, by: Caller) -> None:
    """Ends a lock; whose it was, and that another ended it, goes into the audit log. Safe to repeat."""
    with database.write(artifact) as connection:
        here = (locks.c.artifact == artifact) & (locks.c.id == lock.id)
        if connection.execute(delete(locks).where(here)).rowcount and lock.owner != by.id:
            where = "/".join(node.name for node in chain_of(connection, artifact))
            note(database, connection, by, "lock.force", where, path=lock.path, owner=lock.owner_name)


def _select(artifact: str) -> "Select[Any]":
    return (
        select(locks.c.id, locks.c.path, locks.c.owner, users.c.name, locks.c.created_s)
        .join(users, users.c.id == locks.c.owner)
        .where(locks.c.artifact == artifact)
        .order_by(locks.c.path)
    )


def _read(connection: Connection, query: "Select[Any]") -> list[Lock]:
    return [
        Lock(one, path_text(path), owner, name, time_s) for one, path, owner, name, time_s in connection.execute(query)
    ]
