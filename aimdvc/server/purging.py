"""The end of what was removed: nodes, with all rows that hang on them, and their git packs. For good, step by step.

A removal is sealed first: from then on nothing puts it back. Then each artifact, while no push runs: its refs, its git
packs, then all its other rows in one transaction; the folders and the note of the removal last. So a purge that was cut
is found by that note, and the next run goes on. Stored blobs stay here: gc takes those that nobody owns any more.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, or_, select, update

from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.removal import SEALED, Removals, Removed
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import (
    aimd_versions,
    keys,
    made_from,
    makings,
    metadata,
    nodes,
    quotas,
    refs,
    removed_nodes,
)
from aimdvc.server.storage import Storage
from aimdvc.server.tree import below, grouped


def due(database: Database, before_s: float) -> list[Removed]:
    """Returns what was removed before a time, in seconds since the epoch, and what a purge left that was cut."""
    found = Removals(database).read()
    return [one for one in reversed(found) if one.is_ending or one.removed_s < before_s]


def purge_now(database: Database, storage: Storage, node: str) -> None:
    """Purges one node that was removed. Raises HttpError (404), Busy where gc or a backup runs, and as `purge`."""
    with database.dropping_packs("gc"):
        if not purge(database, storage, node):
            raise HttpError(404, "it was put back, or purged, meanwhile")


def purge(database: Database, storage: Storage, node: str) -> bool:
    """Deletes for good what was removed, with all below it. Only while the caller has the lock `gc`.

    Returns whether it was there: somebody may have put it back, or purged it, meanwhile.
    Raises Busy where a push to it is still running: the rest goes with the next run, as after a cut anywhere.
    """
    if not _seal(database, node):
        return False
    with database.read() as connection:
        found = list(below(connection, node))
        artifacts = _artifacts(connection, found)
    for artifact in artifacts:
        _purge_artifact(database, storage, artifact)
    gone = set(artifacts)
    with database.write("nodes") as connection:
        _delete(connection, [one for one in found if one not in gone])
    return True


_AT_ONCE = 200
"""Ids in one statement, which may have them several times; SQLite of 2020 and before allows 999 values."""


def _seal(database: Database, node: str) -> bool:
    """Makes a removal one that ends, and notes it; returns whether there is one."""
    with database.write("nodes") as connection:
        told = Removals.told(connection, node)
        if told is None:
            return False
        if told.is_ending:
            return True
        ended = 0
        for group in grouped(list(below(connection, node))):
            connection.execute(delete(quotas).where(quotas.c.subject.in_(group), quotas.c.is_user.is_(False)))
            # They are bounded by what is gone: they could never do anything again.
            bounded = update(keys).where(keys.c.folder.in_(group), keys.c.revoked_s.is_(None))
            ended += connection.execute(bounded.values(revoked_s=now_s())).rowcount
        connection.execute(update(removed_nodes).where(removed_nodes.c.node == node).values(parent=SEALED))
        detail = {"id": node, "artifacts": told.artifacts, "size": told.size, "removed_by": told.user, "keys": ended}
        note(database, connection, SYSTEM, "node.purge", told.path, **detail)
    return True


def _artifacts(connection: Connection, ids: list[str]) -> list[str]:
    found: list[str] = []
    for group in grouped(ids):
        found += connection.scalars(select(nodes.c.id).where(nodes.c.id.in_(group), nodes.c.kind == "artifact"))
    return found


def _purge_artifact(database: Database, storage: Storage, artifact: str) -> None:
    with database.dropping_packs(artifact) as still_held:
        # No ref may lead to what is deleted next, not even between here and there.
        with database.write(artifact) as connection:
            connection.execute(delete(refs).where(refs.c.artifact == artifact))
        still_held()
        storage.drop_artifact(artifact)
        with database.write(artifact) as connection:
            _forget_makings(connection, artifact)
            _delete(connection, [artifact])


def _forget_makings(connection: Connection, artifact: str) -> None:
    """Deletes what the versions of an artifact say that made them; not that of commits that another has as well."""
    others = aimd_versions.alias()
    is_elsewhere = exists().where(others.c.commit == aimd_versions.c.commit, others.c.artifact != artifact)
    alone = select(aimd_versions.c.commit).where(aimd_versions.c.artifact == artifact, ~is_elsewhere)
    for table in (makings, made_from):
        connection.execute(delete(table).where(table.c.commit.in_(alone)))


def _delete(connection: Connection, ids: list[str]) -> None:
    """Deletes nodes, and every row that names one of them, or a row that does: so say the foreign keys."""
    for start in range(0, len(ids), _AT_ONCE):
        group = ids[start : start + _AT_ONCE]
        doomed: dict[Table, ColumnElement[bool]] = {nodes: nodes.c.id.in_(group)}
        for table in metadata.sorted_tables:
            conditions = list(_hanging(table, group, doomed))
            if conditions:
                doomed[table] = or_(*conditions)
        for table in reversed(metadata.sorted_tables):
            if table in doomed:
                connection.execute(delete(table).where(doomed[table]))


def _hanging(table: Table, ids: list[str], doomed: dict[Table, ColumnElement[bool]]) -> Iterable[ColumnElement[bool]]:
    for key in table.foreign_keys:
        named: Any = key.column.table
        if named is nodes:
            yield key.parent.in_(ids)
        elif named in doomed:
            yield key.parent.in_(select(key.column).where(doomed[named]))
