"""The nodes of the tree in SQL: looking one up, making one, and what a path means to a caller. Within transactions."""

import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, insert, select

from aimdvc.errors import InvalidName
from aimdvc.model.names import check_artifact_name
from aimdvc.server.accounts import NAME
from aimdvc.server.database import now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import Caller, Node, sees_root, shared_among
from aimdvc.server.schema import nodes

MAX_DEPTH = 32
"""How many names a path may have."""

REMOVED = "removed"
"""The parent of what was removed (removal.py): no node has this id, so nothing leads there from a root."""


_COLUMNS = (nodes.c.id, nodes.c.kind, nodes.c.name, nodes.c.owner)
# Made once: to put a query together takes longer than SQLite takes to answer it.
_CHILD = select(*_COLUMNS).where(nodes.c.parent == bindparam("of"), nodes.c.name_key == bindparam("named"))
_NODE = select(*_COLUMNS, nodes.c.parent).where(nodes.c.id == bindparam("node"))


def nothing_at(path: str) -> HttpError:
    """Returns what is said of a path where nothing is, or nothing that the caller may see.

    Over HTTP no path is in it: nothing of what may not be seen is ever in an answer, not even as it was asked.
    """
    listing = "`aimdvc server folder list` shows what there is, `aimdvc server folder make` makes one"
    return HttpError(404, "no such folder or artifact", hint=f"nothing is at '{path[:200]}': {listing}")


def child(connection: Connection, parent: str, name: str) -> Node | None:
    """Returns a node's child by name, in any case; a root for the parent ""."""
    row = connection.execute(_CHILD, {"of": parent, "named": name.casefold()}).first()
    return Node(*row) if row is not None else None


def children_of(connection: Connection, parent: str) -> list[Node]:
    """Returns what lies in a folder, by name; the roots for the parent ""."""
    query = select(*_COLUMNS).where(nodes.c.parent == parent).order_by(nodes.c.name_key)
    return [Node(*row) for row in connection.execute(query)]


def walk(connection: Connection, segments: list[str]) -> list[Node]:
    """Returns the nodes from the root to the one at an absolute path; none when it is not there."""
    chain: list[Node] = []
    for segment in segments[: MAX_DEPTH + 1]:
        node = child(connection, chain[-1].id if chain else "", segment)
        if node is None:
            return []
        chain.append(node)
    return chain if len(segments) <= MAX_DEPTH else []


def chain_of(connection: Connection, node: str) -> list[Node]:
    """Returns the nodes from the root to the one of an id; none when it is gone."""
    chain: list[Node] = []
    while node and len(chain) <= MAX_DEPTH:
        row = connection.execute(_NODE, {"node": node}).first()
        if row is None:
            return []
        chain.insert(0, Node(*row[:4]))
        node = row.parent
    return chain


def paths_of(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Returns the absolute paths of nodes by their ids, in a query for each level of the tree."""
    found: dict[str, tuple[str, str]] = {}
    wanted = set(ids)
    asked = list(wanted)
    while asked:
        above: set[str] = set()
        for group in grouped(asked):
            query = select(nodes.c.id, nodes.c.parent, nodes.c.name).where(nodes.c.id.in_(group))
            for row in connection.execute(query):
                found[row.id] = (row.parent, row.name)
                above.add(row.parent)
        asked = sorted(above - found.keys() - {""})
    return {node: _path(found, node) for node in wanted & found.keys()}


def visible_among(connection: Connection, caller: Caller, ids: Iterable[str]) -> set[str]:
    """Returns those of some nodes that are a caller's to view; none that was removed.

    Walks up from them, in two queries for each level of the tree: that goes with them, not with what there is.
    """
    wanted = set(ids)
    above: dict[str, tuple[str, str]] = {}
    shared: set[str] = set()
    asked = sorted(wanted)
    while asked:
        for group in grouped(asked):
            query = select(nodes.c.id, nodes.c.parent, nodes.c.owner).where(nodes.c.id.in_(group))
            above |= {row.id: (row.parent, row.owner) for row in connection.execute(query)}
            shared |= shared_among(connection, caller, group)
        asked = sorted({above[node][0] for node in asked if node in above} - above.keys() - {""})
    return {node for node in wanted if _may_view(caller, above, shared, node)}


def _may_view(caller: Caller, above: Mapping[str, tuple[str, str]], shared: set[str], node: str) -> bool:
    is_given, is_within = caller.is_admin, caller.folder is None
    for _ in range(MAX_DEPTH + 1):
        if node not in above:
            return False
        parent, owner = above[node]
        is_root = parent == ""
        is_given = is_given or node in shared or (is_root and caller.is_known and owner == caller.id)
        is_within = is_within or node == caller.folder
        if is_root:
            return is_given and is_within
        node = parent
    return False


def _path(found: Mapping[str, tuple[str, str]], node: str) -> str:
    names: list[str] = []
    while node in found and len(names) <= MAX_DEPTH:
        node, name = found[node]
        names.insert(0, name)
    return "/".join(names)


def existing(connection: Connection, segments: list[str]) -> list[Node]:
    """Returns the nodes that are there already on the way to a path, from its root on."""
    found: list[Node] = []
    for segment in segments:
        node = child(connection, found[-1].id if found else "", segment)
        if node is None:
            break
        found.append(node)
    return found


def below(connection: Connection, node: str) -> dict[str, int]:
    """Returns a node and all below it, each with how many levels down it lies."""
    found = {node: 0}
    level, depth = [node], 0
    while level:
        depth += 1
        level = [
            str(one)
            for group in grouped(level)
            for one in connection.scalars(select(nodes.c.id).where(nodes.c.parent.in_(group)))
        ]
        found.update(dict.fromkeys(level, depth))
    return found


def grouped(ids: list[str]) -> list[list[str]]:
    """Returns ids in groups that one IN list takes; SQLite of 2020 and before allows 999 values."""
    return [ids[start : start + 800] for start in range(0, len(ids), 800)]


def absolute(connection: Connection, caller: Caller, segments: list[str]) -> list[str]:
    """Returns the path that is meant: one that does not begin with a root the caller can see is below their own.

    So is one that is there: a root that others make visible later takes no path away. Raises HttpError (400).
    """
    meant = segments
    if caller.is_known:
        root, own = child(connection, "", segments[0]), child(connection, "", caller.name)
        is_own = own is not None and child(connection, own.id, segments[0]) is not None
        if is_own or root is None or not sees_root(connection, caller, root):
            meant = [caller.name, *segments]
    if len(meant) > MAX_DEPTH:
        raise HttpError(400, f"the path is deeper than {MAX_DEPTH} folders")
    return meant


def add_node(connection: Connection, parent: str, kind: str, name: str, owner: str) -> str:
    """Makes a node and returns its id."""
    node = uuid.uuid4().hex
    row = {
        "id": node,
        "parent": parent,
        "kind": kind,
        "name": name,
        "name_key": name.casefold(),
        "owner": owner,
        "created_s": now_s(),
    }
    connection.execute(insert(nodes), row)
    return node


def check_name(name: str, kind: str) -> None:
    """Raises HttpError (400) for what no artifact, or no folder, may be called."""
    if kind == "artifact":
        try:
            check_artifact_name(name)
        except InvalidName as error:
            raise HttpError(400, error.message) from error
        return
    lowered = name.lower()
    if not NAME.fullmatch(name) or lowered.endswith((".git", ".lock")):
        raise HttpError(400, f"folder name '{name}': expected letters, digits, '.', '_', '+', '-' or spaces")
