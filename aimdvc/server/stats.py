"""How much a server holds: users, artifacts, versions, blobs, by folder, and the largest. Added up by the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Executable,
    LargeBinary,
    and_,
    cast,
    distinct,
    func,
    literal,
    select,
)

from aimdvc.server.database import Database, now_s
from aimdvc.server.schema import groups, keys, nodes, owned_blobs, refs, users
from aimdvc.server.storage import Storage
from aimdvc.server.tree import chain_of, nothing_at, walk

_LARGEST = 10


@dataclass(frozen=True, slots=True)
class Part:
    """A folder with all below it, or one artifact. `size` is the bytes of the blobs that are owned there."""

    path: str
    artifacts: int
    versions: int
    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the storage holds, in bytes: blobs, each once; git packs; and what lies in the trash."""

    size: int
    packs: int
    packs_size: int
    trash: int


@dataclass(frozen=True, slots=True)
class Stats:
    """How much there is. A blob counts for each artifact that owns it; `different` blobs count once."""

    users: int
    groups: int
    keys: int
    folders: int
    artifacts: int
    versions: int
    blobs: int
    size: int
    different: int
    by_folder: Sequence[Part] = field(default_factory=tuple)
    largest: Sequence[Part] = field(default_factory=tuple)


def read_stats(database: Database, folder: str = "") -> Stats:
    """Returns how much a server holds, and that of what lies in a folder, "" for the roots. Raises HttpError (404)."""
    segments = [segment for segment in folder.split("/") if segment]
    with database.read() as connection:
        chain = walk(connection, segments) if segments else []
        if segments and not chain:
            raise nothing_at(folder)
        parent = chain[-1].id if chain else ""
        named = "/".join(node.name for node in chain)
        is_artifact = nodes.c.kind == "artifact"
        return Stats(
            users=_count(connection, select(func.count()).select_from(users).where(users.c.disabled_s.is_(None))),
            groups=_count(connection, select(func.count()).select_from(groups)),
            keys=_count(connection, select(func.count()).select_from(keys).where(_is_good())),
            folders=_count(connection, select(func.count()).select_from(nodes).where(~is_artifact)),
            artifacts=_count(connection, select(func.count()).select_from(nodes).where(is_artifact)),
            versions=_count(connection, select(func.count()).select_from(refs).where(_is_version())),
            blobs=_count(connection, select(func.count()).select_from(owned_blobs)),
            size=_count(connection, select(func.sum(nodes.c.size))),
            different=_count(connection, select(func.count(distinct(owned_blobs.c.oid)))),
            by_folder=_by_child(connection, parent, named),
            largest=_largest(connection, parent),
        )


def read_stored(storage: Storage) -> Stored:
    """Returns what a storage holds; looks at every file of a local one."""
    packs, packs_size = storage.git_size()
    trash = sum(batch.size for batch in storage.keeping.batches())
    return Stored(storage.keeping.size(), packs, packs_size, trash)


def _count(connection: Connection, query: Executable) -> int:
    return int(connection.scalar(query) or 0)


def _is_good() -> "ColumnElement[bool]":
    return and_(keys.c.revoked_s.is_(None), func.coalesce(keys.c.expires_s, 1e12) > now_s())


def _is_version() -> "ColumnElement[bool]":
    """Says of a ref that it is `refs/tags/v` and digits; the names are bytes, which few functions take everywhere."""
    stem = literal(b"refs/tags/v", LargeBinary)
    digits = literal(b"0123456789", LargeBinary)
    return and_(
        refs.c.name >= b"refs/tags/v0",
        refs.c.name < b"refs/tags/v:",
        cast(func.rtrim(refs.c.name, digits), LargeBinary) == stem,
    )


def _below(parent: str) -> CTE:
    """Returns all nodes below a parent, each with the child of it through which it lies there."""
    top = select(nodes.c.id, nodes.c.id.label("child"), nodes.c.kind, nodes.c.size).where(nodes.c.parent == parent)
    tree = top.cte("tree", recursive=True)
    return tree.union_all(
        select(nodes.c.id, tree.c.child, nodes.c.kind, nodes.c.size).join(tree, nodes.c.parent == tree.c.id)
    )


def _by_child(connection: Connection, parent: str, path: str) -> list[Part]:
    tree = _below(parent)
    sizes = select(tree.c.child, func.count(), func.sum(tree.c.size)).where(tree.c.kind == "artifact")
    found = {child: (count, size) for child, count, size in connection.execute(sizes.group_by(tree.c.child))}
    counted = select(tree.c.child, func.count()).group_by(tree.c.child)
    versions = _sums(connection, counted.join(refs, refs.c.artifact == tree.c.id).where(_is_version()))
    blobs = _sums(connection, counted.join(owned_blobs, owned_blobs.c.artifact == tree.c.id))
    parts = []
    for child, name in connection.execute(select(nodes.c.id, nodes.c.name).where(nodes.c.parent == parent)):
        count, size = found.get(child, (0, 0))
        whole = f"{path}/{name}" if path else name
        parts.append(Part(whole, int(count), versions.get(child, 0), blobs.get(child, 0), int(size)))
    return sorted(parts, key=lambda part: (-part.size, part.path))


def _sums(connection: Connection, query: Executable) -> dict[str, int]:
    return {child: int(count) for child, count in connection.execute(query)}


def _largest(connection: Connection, parent: str) -> list[Part]:
    tree = _below(parent)
    query = select(tree.c.id, tree.c.size).where(tree.c.kind == "artifact").order_by(tree.c.size.desc(), tree.c.id)
    parts = []
    for artifact, size in connection.execute(query.limit(_LARGEST)).all():
        path = "/".join(node.name for node in chain_of(connection, artifact))
        of_it = refs.c.artifact == artifact
        versions = _count(connection, select(func.count()).select_from(refs).where(of_it, _is_version()))
        owned = select(func.count()).select_from(owned_blobs).where(owned_blobs.c.artifact == artifact)
        blobs = _count(connection, owned)
        parts.append(Part(path, 1, versions, blobs, int(size)))
    return parts
