"""Folders, and with whom they are shared: made, moved, listed and shared by whoever may.

Sharing is the owner's, and an administrator's. A node that is moved to another folder loses the shares and protected
refs of its own and of what lies below it: from there on its target's hold. What a caller may not see is answered as if
it were not there.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from aimdvc.server import quotas
from aimdvc.server.accounts import check_first_name
from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import SYSTEM, Caller, Node, Rights, rights_on, rights_on_children, seen_roots
from aimdvc.server.schema import groups, nodes, protections, shares, users
from aimdvc.server.tree import (
    MAX_DEPTH,
    absolute,
    add_node,
    below,
    chain_of,
    check_name,
    child,
    children_of,
    existing,
    grouped,
    nothing_at,
    walk,
)

KINDS = ("user", "group", "everyone")
MAY = ("view", "edit")


@dataclass(frozen=True, slots=True)
class Share:
    """With whom a node is shared: `kind` is user, group or everyone, `subject` the name, "" for everyone."""

    kind: str
    subject: str
    may: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One node of a folder, with its absolute path and what the caller may do to it."""

    path: str
    kind: str
    may: str


class Folders:
    """The folders of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make_root(self, name: str, by: Caller = SYSTEM) -> None:
        """Makes a root that is nobody's, for sharing. Raises HttpError (400, 409)."""
        check_first_name("root", name)
        with self._database.write("accounts") as connection:
            if child(connection, "", name) is not None:
                raise HttpError(409, f"there is a root '{name}' already")
            add_node(connection, "", "root", name, "")
            note(self._database, connection, by, "root.make", name)

    def make(self, caller: Caller, path: str) -> str:
        """Makes a folder, and those on the way to it; returns its absolute path. Safe to repeat. Raises HttpError."""
        with self._database.write("nodes") as connection:
            segments = absolute(connection, caller, _segments(path))
            chain = existing(connection, segments)
            _require(connection, caller, chain, Rights.EDIT, path)
            if any(node.kind == "artifact" for node in chain):
                raise HttpError(409, f"'{chain[-1].name}' is an artifact")
            parent = chain[-1].id
            for segment in segments[len(chain) :]:
                check_name(segment, "folder")
                parent = add_node(connection, parent, "folder", segment, caller.id)
            made = "/".join([node.name for node in chain] + segments[len(chain) :])
            if len(segments) > len(chain):
                note(self._database, connection, caller, "folder.make", made)
        return made

    def move(self, caller: Caller, path: str, to: str) -> str:
        """Moves or renames a folder or an artifact; returns its new absolute path. Raises HttpError.

        `to` is its whole new path, in a folder that is there. In another folder its shares and protected refs, and
        those of all below it, end: that takes the right to share it.
        """
        with self._database.write("nodes") as connection:
            chain = reach(connection, caller, path, Rights.EDIT)
            node = chain[-1]
            segments = absolute(connection, caller, _segments(to))
            target = walk(connection, segments[:-1])
            _require(connection, caller, target, Rights.EDIT, to.strip("/").rpartition("/")[0])
            if node.kind == "root":
                raise HttpError(409, "a root stays where it is")
            if node in target:
                raise HttpError(409, f"'{node.name}' can't be moved into itself")
            if target[-1].kind == "artifact":
                raise HttpError(409, f"'{target[-1].name}' is an artifact")
            check_name(segments[-1], node.kind)
            there = child(connection, target[-1].id, segments[-1])
            if there is not None and there.id != node.id:
                raise HttpError(409, f"there is '{there.name}' already")
            moving = below(connection, node.id)
            if len(target) + 1 + max(moving.values()) > MAX_DEPTH:
                raise HttpError(400, f"the path is deeper than {MAX_DEPTH} folders")
            if target[-1].id != chain[-2].id:
                # Who may edit could else take it away from its owner, and from those it is shared with.
                _require(connection, caller, chain, Rights.OWN, path)
                for group in grouped(list(moving)):
                    connection.execute(delete(shares).where(shares.c.node.in_(group)))
                    connection.execute(delete(protections).where(protections.c.node.in_(group)))
            values = {"parent": target[-1].id, "name": segments[-1], "name_key": segments[-1].casefold()}
            connection.execute(update(nodes).where(nodes.c.id == node.id).values(values))
            if target[-1].id != chain[-2].id:
                quotas.moved(connection, chain[:-1], target, moving)
            moved = "/".join([*(one.name for one in target), segments[-1]])
            note(self._database, connection, caller, "node.move", "/".join(one.name for one in chain), to=moved)
        return moved

    def children(self, caller: Caller, path: str) -> list[Listed]:
        """Returns what a caller may see of a folder's nodes, by name; of the roots for "". Raises HttpError (404)."""
        with self._database.read() as connection:
            chain = reach(connection, caller, path, Rights.VIEW) if path.strip("/") else []
            parent = chain[-1].id if chain else ""
            listed = children_of(connection, parent)
            rights = rights_on_children(connection, caller, chain, listed)
            is_free = not chain and caller.folder is None
            seen = seen_roots(connection, caller) if is_free else set()
        return [
            Listed("/".join(one.name for one in (*chain, node)), node.kind, rights[node.id].name.lower())
            for node in listed
            if rights[node.id] >= Rights.VIEW or node.id in seen
        ]

    def share(self, caller: Caller, path: str, kind: str, subject: str, may: str) -> None:
        """Shares a node and all below it, with a user or a group by name, or with everyone. Safe to repeat.

        `may` is view or edit, or "" to end it. Raises HttpError.
        """
        if kind not in KINDS or may not in (*MAY, ""):
            raise HttpError(422, f"shared is with {', '.join(KINDS)}, to {' or '.join(MAY)}")
        with self._database.write("nodes") as connection:
            chain = reach(connection, caller, path, Rights.OWN)
            row = {"node": chain[-1].id, "kind": kind, "subject": subject_id(connection, kind, subject)}
            connection.execute(delete(shares).where(*(shares.c[name] == value for name, value in row.items())))
            if may:
                connection.execute(insert(shares), {**row, "may": may, "root": chain[0].id, "created_s": now_s()})
            where = "/".join(one.name for one in chain)
            note(self._database, connection, caller, "share", where, kind=kind, subject=subject, may=may)

    def path_of(self, caller: Caller, node: str) -> str | None:
        """Returns the absolute path of a node's id, None when it is gone, or not for the caller to see."""
        with self._database.read() as connection:
            chain = chain_of(connection, node)
            if rights_on(connection, caller, chain) < Rights.VIEW:
                return None
        return "/".join(one.name for one in chain)

    def id_of(self, caller: Caller, path: str) -> str:
        """Returns the id of a node. Raises HttpError (404) where the caller doesn't see it."""
        with self._database.read() as connection:
            return reach(connection, caller, path, Rights.VIEW)[-1].id

    def shares(self, caller: Caller, path: str) -> list[Share]:
        """Returns with whom a node itself is shared. Raises HttpError."""
        with self._database.read() as connection:
            chain = reach(connection, caller, path, Rights.OWN)
            query = (
                select(shares.c.kind, users.c.name, groups.c.name, shares.c.may)
                .select_from(shares)
                .join(users, users.c.id == shares.c.subject, isouter=True)
                .join(groups, groups.c.id == shares.c.subject, isouter=True)
                .where(shares.c.node == chain[-1].id)
                .order_by(shares.c.kind, users.c.name_key, groups.c.name_key)
            )
            return [Share(kind, user or group or "", may) for kind, user, group, may in connection.execute(query)]


def _segments(path: str) -> list[str]:
    segments = [segment for segment in path.split("/") if segment]
    if not segments:
        raise nothing_at(path)
    return segments


def reach(connection: Connection, caller: Caller, path: str, needed: Rights) -> list[Node]:
    """Returns the nodes down to a path, of which a caller has the rights. Raises HttpError (404, 403)."""
    chain = walk(connection, absolute(connection, caller, _segments(path)))
    _require(connection, caller, chain, needed, path)
    return chain


def _require(connection: Connection, caller: Caller, chain: list[Node], needed: Rights, path: str) -> None:
    rights = rights_on(connection, caller, chain)
    if rights < Rights.VIEW:
        raise nothing_at(path)
    if rights < needed:
        what = "share" if needed is Rights.OWN else "edit"
        raise HttpError(403, f"this takes the right to {what} '{chain[-1].name}', and a key that passes it on")


def subject_id(connection: Connection, kind: str, name: str) -> str:
    """Returns the id of a user or a group by name, "" for others than these. Raises HttpError (404)."""
    if kind not in ("user", "group"):
        return ""
    table = users if kind == "user" else groups
    found = connection.scalar(select(table.c.id).where(table.c.name_key == name.casefold()))
    if found is None:
        raise HttpError(404, f"there is no {kind} '{name}'")
    return str(found)
