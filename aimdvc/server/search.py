"""Search over the artifacts that a caller may see: by name, type, label, metadata, or words in any of what is said.

What one may not see is not in it, nor counted. One query for a page, whatever the number of artifacts.
"""

import json
from collections.abc import Mapping

from sqlalchemy import ColumnElement, Select, or_, select

from aimdvc.server.bodies import JSON
from aimdvc.server.describing import NAME_LENGTH, fold
from aimdvc.server.guard import Response
from aimdvc.server.messages import json_response
from aimdvc.server.paging import decode_cursor, encode_cursor, next_cursor, read_limit
from aimdvc.server.rights import nodes_below, visible_nodes
from aimdvc.server.routing import Call
from aimdvc.server.schema import described, described_values, nodes
from aimdvc.server.tree import REMOVED, paths_of

_METADATA = "metadata."


def search(call: Call) -> Response:
    """Artifacts by `q`, `name`, `type`, `label` and `metadata.KEY=VALUE`, all of which have to fit; by name."""
    limit, after = read_limit(call), decode_cursor(call.request.query.get("cursor"), 2)
    query = _query(call.request.query)
    visible = visible_nodes(call.caller)
    if visible is not None:
        query = query.where(nodes.c.id.in_(visible))
    if after is not None:
        name, node = after
        query = query.where(or_(nodes.c.name_key > name, (nodes.c.name_key == name) & (nodes.c.id > node)))
    with call.site.database.read() as connection:
        rows = connection.execute(query.order_by(nodes.c.name_key, nodes.c.id).limit(limit + 1)).all()
        paths = paths_of(connection, [row.id for row in rows[:limit]])
    found = [
        {
            "path": paths[row.id],
            "version": f"v{row.version}" if row.version else None,
            "commit": row.commit,
            "type": row.type or None,
            "description": row.description or "",
            "labels": json.loads(row.labels) if row.labels else [],
        }
        for row in rows[:limit]
    ]
    following = next_cursor(rows, limit, lambda row: encode_cursor(row.name_key, row.id))
    return json_response({"artifacts": found, **following}, content_type=JSON)


def _query(wish: Mapping[str, str]) -> Select[tuple[str, str, str, int, str, str, str]]:
    shown = (described.c.commit, described.c.version, described.c.type, described.c.description, described.c.labels)
    query = select(nodes.c.id, nodes.c.name_key, *shown).join(described, described.c.node == nodes.c.id, isouter=True)
    query = query.where(nodes.c.kind == "artifact", nodes.c.id.not_in(nodes_below(REMOVED)))
    if "q" in wish:
        text = fold(wish["q"])
        is_said = described.c.folded.contains(text, autoescape=True)
        query = query.where(or_(nodes.c.name_key.contains(text, autoescape=True), is_said))
    if "name" in wish:
        query = query.where(nodes.c.name_key.contains(fold(wish["name"]), autoescape=True))
    for name, value in wish.items():
        if name in ("type", "label") or name.startswith(_METADATA):
            query = query.where(nodes.c.id.in_(_having(name, value)))
    return query


def _having(name: str, value: str) -> Select[tuple[str]]:
    here: tuple[ColumnElement[bool], ...] = (
        described_values.c.name == fold(name, NAME_LENGTH),
        described_values.c.value == fold(value),
    )
    return select(described_values.c.node).where(*here)
