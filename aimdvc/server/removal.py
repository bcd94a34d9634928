"""Removal of folders and artifacts, and what brings them back; and of groups, which don't come back.

What is removed leaves the tree with all below it: its parent becomes one that no node has, so nothing finds it from a
root, and its name is free. No row of it and no byte goes: shares, protected refs, locks and quotas count again
when it is put back. All in one transaction, either way. What ends it for good is in purging.py.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from aimdvc.server import quotas
from aimdvc.server.accounts import check_first_name
from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import Caller, Node, Rights
from aimdvc.server.schema import groups, members, nodes, protections, removed_nodes, shares, trials
from aimdvc.server.sharing import reach
from aimdvc.server.tree import MAX_DEPTH, REMOVED, absolute, below, chain_of, check_name, child, grouped, walk

_Row = Row[tuple[str, str, str, str, float]]


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed from a path: how many artifacts, and the bytes of the blobs that they own.

    `id` tells it from what else was removed from there; `user` is "" for somebody on the server's machine; `removed_s`
    is in seconds since the epoch. `is_ending` says that it is being deleted for good, and can't be put back.
    """

    id: str
    path: str
    kind: str
    artifacts: int
    size: int
    user: str
    removed_s: float
    is_ending: bool = False


SEALED = "sealed"
"""What removed_nodes has as parent of what is being deleted for good."""


class Removals:
    """What was removed from the tree of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remove(self, caller: Caller, path: str, is_recursive: bool = False) -> Removed:
        """Takes an artifact, or a folder, out of the tree; one that isn't empty only where `is_recursive`.

        Raises HttpError (404, 403, 409).
        """
        with self._database.write("nodes") as connection:
            chain = reach(connection, caller, path, Rights.OWN)
            node, where = chain[-1], "/".join(one.name for one in chain)
            if node.kind == "root":
                _check_root(caller, node)
            gone = below(connection, node.id)
            if not is_recursive:
                _check_empty(connection, where, gone)
            row = {"node": node.id, "parent": chain[-2].id if len(chain) > 1 else "", "path": where}
            connection.execute(insert(removed_nodes), {**row, "user": caller.name, "removed_s": now_s()})
            # Its own id, that two of one name may be removed.
            _place(connection, node.id, {"parent": REMOVED, "name_key": node.id})
            # No share of what is gone shows the root that it lay below.
            _share_below(connection, gone, node.id)
            quotas.moved(connection, chain[:-1] or [node], [], gone)
            found = _told(connection, _rows(connection, node.id)[0])
            note(self._database, connection, caller, "node.remove", where, artifacts=found.artifacts)
        return found

    def restore(self, caller: Caller, path: str, to: str | None = None) -> str:
        """Puts back what was removed last from a path, to where it lay or to the path `to`; returns where it is then.

        An id stands for a path, too. For administrators. Raises HttpError (404, 409, 507).
        """
        with self._database.write("accounts") as connection:
            self._database.hold(connection, "nodes")
            row = _row(connection, path)
            node = Node(*connection.execute(select(*_COLUMNS).where(nodes.c.id == row.node)).one())
            target, name = _target(connection, caller, (row, node), to)
            back = below(connection, node.id)
            if len(target) + 1 + max(back.values()) > MAX_DEPTH:
                raise HttpError(400, f"the path is deeper than {MAX_DEPTH} folders")
            values = {"parent": target[-1].id if target else "", "name": name, "name_key": name.casefold()}
            _place(connection, node.id, values)
            connection.execute(delete(removed_nodes).where(removed_nodes.c.node == node.id))
            _share_below(connection, back, target[0].id if target else node.id)
            quotas.moved(connection, [], target or [node], back)
            quotas.count_anew(connection, back)
            where = "/".join([*(one.name for one in target), name])
            note(self._database, connection, caller, "node.restore", row.path, to=where)
        return where

    def remove_group(self, name: str, by: Caller) -> None:
        """Ends a group with its memberships and all that was shared with it, for good.

        Raises HttpError: 404, or 409 while a protected ref names it.
        """
        with self._database.write("accounts") as connection:
            self._database.hold(connection, "nodes")
            here = groups.c.name_key == name.casefold()
            group = connection.execute(select(groups.c.id, groups.c.name).where(here)).first()
            if group is None:
                raise HttpError(404, f"there is no group '{name}'")
            _check_unnamed(connection, group.id, group.name)
            ended = delete(shares).where(shares.c.kind == "group", shares.c.subject == group.id)
            count = connection.execute(ended).rowcount
            connection.execute(delete(members).where(members.c.group == group.id))
            connection.execute(delete(groups).where(groups.c.id == group.id))
            note(self._database, connection, by, "group.remove", group.name, shares=count)

    def read(self) -> list[Removed]:
        """Returns all that was removed, the newest first."""
        with self._database.read() as connection:
            return [_told(connection, row) for row in connection.execute(_NEWEST).all()]

    def find(self, wanted: str) -> Removed:
        """Returns the one thing that was removed from a path, or that has an id. Raises HttpError (404, 409)."""
        with self._database.read() as connection:
            found = [_told(connection, row) for row in _rows(connection, wanted)]
        if not found:
            raise _nothing()
        if len(found) > 1:
            ids = ", ".join(one.id for one in found[:_SHOWN])
            raise HttpError(
                409, f"{len(found)} were removed from '{found[0].path}': name one by its id, the newest first: {ids}"
            )
        return found[0]

    @staticmethod
    def told(connection: Connection, node: str) -> Removed | None:
        """Returns what is known of a node that was removed, in a transaction; None where none was."""
        row = connection.execute(select(removed_nodes).where(removed_nodes.c.node == node)).first()
        return _told(connection, row) if row is not None else None


_COLUMNS = (nodes.c.id, nodes.c.kind, nodes.c.name, nodes.c.owner)
_NEWEST = select(removed_nodes).order_by(removed_nodes.c.removed_s.desc(), removed_nodes.c.node)
_RECURSIVE = "`--recursive` removes it with all of them"
_SHOWN = 10
_ELSEWHERE = "`aimdvc server folder restore PATH TO` puts it back to another path"


def _check_root(caller: Caller, root: Node) -> None:
    if not caller.administers:
        raise HttpError(403, "a root is removed by administrators alone")
    if root.owner:
        raise HttpError(409, f"'{root.name}' is a user's root, which stays; a user can be disabled")


def _check_empty(connection: Connection, where: str, ids: dict[str, int]) -> None:
    """Raises HttpError (409) where something lies below a node, or trials lie in it."""
    if len(ids) > 1:
        what = f"{len(ids) - 1} folders and artifacts lie below it"
    elif count := connection.scalar(select(func.count()).select_from(trials).where(trials.c.folder.in_(ids))):
        what = f"{count} trials lie in it"
    else:
        return
    raise HttpError(409, f"'{where}' is not empty: {what}", hint=_RECURSIVE)


def _check_unnamed(connection: Connection, group: str, name: str) -> None:
    """Raises HttpError (409) while a rule names a group: what it protects would be nobody's to move."""
    query = select(protections.c.node, protections.c.pattern).order_by(protections.c.node, protections.c.pattern)
    rule = connection.execute(query.where(protections.c.kind == "group", protections.c.subject == group)).first()
    if rule is None:
        return
    where = "/".join(node.name for node in chain_of(connection, rule.node)) or "what was removed"
    raise HttpError(
        409,
        f"the protected ref '{rule.pattern}' of {where} names '{name}'",
        hint=f"`aimdvc server protect remove PATH '{rule.pattern}' group:{name}` ends that",
    )


def _row(connection: Connection, path: str) -> _Row:
    """Returns what was removed last from a path. Raises HttpError (404)."""
    found = _rows(connection, path)
    for row in found:
        if row.parent != SEALED:
            return row
    if found:
        raise HttpError(
            409,
            f"'{found[0].path}' is being deleted for good, and can't be put back",
            hint="`aimdvc server gc --apply` brings that to its end",
        )
    raise _nothing()


def _rows(connection: Connection, wanted: str) -> list[_Row]:
    """Returns what was removed from a path, or has an id, the newest first."""
    key = wanted.strip("/").casefold()
    return [row for row in connection.execute(_NEWEST).all() if key in (row.path.casefold(), row.node)]


def _nothing() -> HttpError:
    hint = "`aimdvc server folder removed` lists what is kept; what was purged is gone for good"
    return HttpError(404, "nothing was removed from there", hint=hint)


def _target(
    connection: Connection, caller: Caller, removed: tuple[_Row, Node], to: str | None
) -> tuple[list[Node], str]:
    """Returns the nodes down to the folder that something goes to, and its name there. Raises HttpError."""
    row, node = removed
    segments = [segment for segment in (to or "").split("/") if segment] or [node.name]
    name = segments[-1]
    target: list[Node] = []
    if node.kind == "root":
        if len(segments) > 1:
            raise HttpError(409, f"'{row.path}' was a root, and is put back as one")
        check_first_name("root", name)
    else:
        if to is None:
            target = chain_of(connection, row.parent)
        else:
            target = walk(connection, absolute(connection, caller, segments)[:-1])
        if not target or target[-1].kind == "artifact":
            raise HttpError(409, f"the folder that '{to or row.path}' would lie in is not there", hint=_ELSEWHERE)
        check_name(name, node.kind)
    if child(connection, target[-1].id if target else "", name) is not None:
        raise HttpError(409, f"there is '{to or row.path}' already", hint=_ELSEWHERE)
    return target, name


def _place(connection: Connection, node: str, values: dict[str, str]) -> None:
    connection.execute(update(nodes).where(nodes.c.id == node).values(values))


def _share_below(connection: Connection, ids: dict[str, int], root: str) -> None:
    for group in grouped(list(ids)):
        connection.execute(update(shares).where(shares.c.node.in_(group)).values(root=root))


def _told(connection: Connection, row: _Row) -> Removed:
    kind = connection.scalar(select(nodes.c.kind).where(nodes.c.id == row.node)) or ""
    artifacts = size = 0
    for group in grouped(list(below(connection, row.node))):
        here = (nodes.c.id.in_(group), nodes.c.kind == "artifact")
        found = connection.execute(select(func.count(), func.sum(nodes.c.size)).where(*here)).one()
        artifacts, size = artifacts + int(found[0]), size + int(found[1] or 0)
    return Removed(row.node, row.path, kind, artifacts, size, row.user, row.removed_s, row.parent == SEALED)
