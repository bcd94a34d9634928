"""Whether a server's rows fit together: what the database itself finds, and what its constraints can't say."""

from collections.abc import Iterator

from sqlalchemy import Connection, Select, and_, func, or_, select

from aimdvc.server.database import Database
from aimdvc.server.schema import draft_parts, draft_uploads, drafts, metadata, nodes, owned_blobs, refs, removed_nodes
from aimdvc.server.tree import REMOVED

_SHOWN = 5


def faults_of_rows(database: Database) -> list[str]:
    """Returns what is wrong with the rows, a line each; reads a SQLite file whole. Raises CorruptRepository."""
    with database.read() as connection:
        return [*_own_faults(connection), *_misfits(connection)]


def _own_faults(connection: Connection) -> Iterator[str]:
    # PostgreSQL holds its foreign keys at every write, and has no check of its files in SQL.
    if connection.dialect.name != "sqlite":
        return
    for row in connection.exec_driver_sql(f"PRAGMA integrity_check({_SHOWN})"):
        if row[0] != "ok":
            yield " ".join(str(row[0]).split())
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_SHOWN):
        yield f"a row of '{row[0]}' names one of '{row[2]}' that is not there"


def _misfits(connection: Connection) -> Iterator[str]:
    parents = nodes.alias("parents")
    lost = (
        select(nodes.c.id)
        .select_from(nodes.outerjoin(parents, parents.c.id == nodes.c.parent))
        .where(nodes.c.parent.not_in(("", REMOVED)), or_(parents.c.id.is_(None), parents.c.kind == "artifact"))
    )
    yield from _named(connection, lost, "node {} lies in no folder")
    is_noted = removed_nodes.c.node.is_not(None)
    unlike = (
        select(nodes.c.id)
        .select_from(nodes.outerjoin(removed_nodes, removed_nodes.c.node == nodes.c.id))
        .where((nodes.c.parent == REMOVED) != is_noted)
    )
    yield from _named(connection, unlike, "node {} is removed, or it is noted that it was, but not both")
    for table in metadata.sorted_tables:
        if "artifact" in table.c:
            misplaced = (
                select(table.c.artifact)
                .distinct()
                .join(nodes, and_(nodes.c.id == table.c.artifact, nodes.c.kind != "artifact"))
            )
            yield from _named(connection, misplaced, f"'{table.name}' has rows of node {{}}, which is no artifact")
    owned = select(owned_blobs.c.artifact, owned_blobs.c.size)
    parts = (
        select(drafts.c.artifact, draft_parts.c.size)
        .join(draft_uploads, draft_uploads.c.id == draft_parts.c.upload)
        .join(drafts, drafts.c.id == draft_uploads.c.draft)
    )
    all_sizes = owned.union_all(parts).subquery()
    sums = select(all_sizes.c.artifact, func.sum(all_sizes.c.size).label("size")).group_by(all_sizes.c.artifact)
    of_each = sums.subquery()
    wrong = (
        select(nodes.c.id)
        .select_from(nodes.outerjoin(of_each, of_each.c.artifact == nodes.c.id))
        .where(nodes.c.kind == "artifact", nodes.c.size != func.coalesce(of_each.c.size, 0))
    )
    yield from _named(connection, wrong, "the size of artifact {} is not that of the blobs that it owns")
    if not connection.scalar(select(func.count()).select_from(refs).where(func.length(refs.c.target) != 40)):
        return
    yield "a ref names no git object"


def _named(connection: Connection, query: "Select[tuple[str]]", text: str) -> Iterator[str]:
    yield from (text.format(node) for node in connection.scalars(query.limit(_SHOWN)))
