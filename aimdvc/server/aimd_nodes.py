"""Folders and artifacts as AIMD clients name them, by id, and as they are told of them.

A folder of the type `artifact` is an artifact. What lies below a root has that as its folder at last, and the root
itself `root`, so that whoever walks up from a node meets the names of its absolute path.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from aimdvc.server.aimd_ids import dashed, find_id
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import Caller, Node, Rights, rights_on
from aimdvc.server.schema import described, drafts, nodes
from aimdvc.server.tree import chain_of, child, grouped

ROOT = "root"
"""What clients call the folder of a root."""


def reach_id(connection: Connection, caller: Caller, text: object, needed: Rights) -> list[Node]:
    """Returns the nodes down to the one of an id, of which a caller has the rights. Raises HttpError (404, 403)."""
    name = find_id(text)
    chain = chain_of(connection, name) if name is not None else []
    return require(connection, caller, chain, needed)


def own_root(connection: Connection, caller: Caller, needed: Rights) -> list[Node]:
    """Returns the caller's own root, in a list of one. Raises HttpError where their key does not reach so far."""
    root = child(connection, "", caller.name)
    return require(connection, caller, [root] if root is not None else [], needed)


def require(connection: Connection, caller: Caller, chain: list[Node], needed: Rights) -> list[Node]:
    """Returns a chain of whose last node a caller has the rights. Raises HttpError (404, 403)."""
    rights = rights_on(connection, caller, chain)
    if rights < Rights.VIEW:
        raise HttpError(404, "no such folder")
    if rights < needed:
        raise HttpError(403, "this key may only read" if caller.scope == "read" else "you may only view this")
    return chain


def docs_of(connection: Connection, ids: Sequence[str]) -> list[dict[str, object]]:
    """Returns what clients are told of nodes, by their names."""
    columns = (nodes.c.id, nodes.c.name, nodes.c.parent, nodes.c.kind, nodes.c.name_key)
    rows = [
        row for group in grouped(list(ids)) for row in connection.execute(select(*columns).where(nodes.c.id.in_(group)))
    ]
    types = _types(connection, [row.id for row in rows if row.kind == "artifact"])
    return [
        {
            "metadata": {
                "id": dashed(row.id),
                "name": row.name,
                "folder": dashed(row.parent) if row.parent else ROOT,
            },
            "type": "artifact" if row.kind == "artifact" else "normal",
            "config": {"profile": {"type": types.get(row.id, "")}},
        }
        for row in sorted(rows, key=lambda row: (row.name_key, row.id))
    ]


def _types(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Returns the types of artifacts: what the newest version says, before there is one what is being uploaded."""
    found: dict[str, str] = {}
    for group in grouped(list(ids)):
        begun = select(drafts.c.artifact, drafts.c.type).where(drafts.c.artifact.in_(group))
        found |= {row.artifact: row.type for row in connection.execute(begun.order_by(drafts.c.created_s.desc()))}
        said = select(described.c.node, described.c.type).where(described.c.node.in_(group))
        found |= {row.node: row.type for row in connection.execute(said)}
    return found
