"""Who may do what to a node: default deny, what its owner may, what was shared with whom, and what a key lets through.

A root's owner, and an administrator, may everything below it. A share of a node holds for all below it, and one with
everyone also for callers without a key, who may never more than view. A key passes on at most what its scope says, and
what lies outside of its folder does not exist for it. What a caller may not view is answered as if it were not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import ColumnElement, Connection, Select, and_, literal_column, or_, select

from aimdvc.server.schema import nodes, shares

SCOPES = ("read", "write", "admin")
"""What a key lets through, each with the ones before it: to look, to push, to share and to administer."""


class Rights(IntEnum):
    """What somebody may do to a node; each with the ones before it."""

    NONE = 0
    VIEW = 1
    EDIT = 2
    OWN = 3


_OF_SCOPE = {"read": Rights.VIEW, "write": Rights.EDIT, "admin": Rights.OWN}
_OF_SHARE = {"view": Rights.VIEW, "edit": Rights.EDIT}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and by which key: ids are "" for somebody without one. `folder` is the node that bounds the key.

    `expires_s` is when the key ends, in seconds since the epoch.
    """

    id: str
    name: str
    is_admin: bool
    scope: str
    key: str = ""
    folder: str | None = None
    groups: frozenset[str] = frozenset()
    expires_s: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether a key came along."""
        return self.id != ""

    @property
    def administers(self) -> bool:
        """Whether users and their keys are theirs to manage: no key that is bound to a folder may."""
        return self.is_admin and self.scope == "admin" and self.folder is None


ANONYMOUS = Caller("", "", is_admin=False, scope="read")
"""Somebody without a key."""

SYSTEM = Caller("", "", is_admin=True, scope="admin")
"""Who is on the machine itself and can read the database: everything is theirs."""


@dataclass(frozen=True, slots=True)
class Node:
    """One root, folder or artifact. The owner of a shared root is ""."""

    id: str
    kind: str
    name: str
    owner: str


def rights_on(connection: Connection, caller: Caller, chain: Sequence[Node]) -> Rights:
    """Returns what a caller may do to the last node of a chain that begins with its root."""
    if not chain or (caller.folder is not None and all(node.id != caller.folder for node in chain)):
        return Rights.NONE
    return min(_given(connection, caller, chain), _OF_SCOPE[caller.scope])


def sees_root(connection: Connection, caller: Caller, root: Node) -> bool:
    """Returns whether anything at or below a root is a caller's to view."""
    if caller.is_admin or _owns(caller, root):
        return True
    query = select(shares.c.node).where(shares.c.root == root.id, _concerns(caller)).limit(1)
    return connection.scalar(query) is not None


def rights_on_children(
    connection: Connection, caller: Caller, chain: Sequence[Node], children: Sequence[Node]
) -> dict[str, Rights]:
    """Returns what `rights_on` does of each child, by id, in two queries: of a chain's last node, or the roots."""
    above = _given(connection, caller, chain) if chain else Rights.NONE
    below = select(nodes.c.id).where(nodes.c.parent == (chain[-1].id if chain else ""))
    query = select(shares.c.node, shares.c.may).where(shares.c.node.in_(below), _concerns(caller))
    shared: dict[str, Rights] = {}
    for node, may in connection.execute(query):
        shared[node] = max(shared.get(node, Rights.NONE), _OF_SHARE[may])
    most = _OF_SCOPE[caller.scope] if caller.is_known else Rights.VIEW
    is_bound = caller.folder is not None and all(node.id != caller.folder for node in chain)
    found: dict[str, Rights] = {}
    for node in children:
        is_own = caller.is_admin or _owns(caller, chain[0] if chain else node)
        given = Rights.OWN if is_own else max(above, shared.get(node.id, Rights.NONE))
        found[node.id] = Rights.NONE if is_bound and node.id != caller.folder else min(given, most)
    return found


def seen_roots(connection: Connection, caller: Caller) -> set[str]:
    """Returns the ids of the roots below which something was shared with a caller."""
    return set(connection.scalars(select(shares.c.root).where(_concerns(caller)).distinct()))


def shared_nodes(connection: Connection, caller: Caller) -> list[str]:
    """Returns the ids of the nodes that were shared with a caller, each by itself."""
    return sorted(connection.scalars(select(shares.c.node).where(_concerns(caller)).distinct()))


def shared_among(connection: Connection, caller: Caller, ids: Sequence[str]) -> set[str]:
    """Returns those of some nodes that were shared with a caller, each by itself; of no more than one IN list takes."""
    query = select(shares.c.node).where(shares.c.node.in_(ids), _concerns(caller))
    return set(connection.scalars(query))


def visible_nodes(caller: Caller) -> Select[tuple[str]] | None:
    """Returns the query of the ids of all nodes that are a caller's to view; None where these are all that there are.

    It is one walk down from what the caller owns and what was shared, whatever the number of nodes.
    """
    given = None if caller.is_admin else _walk_down(_begin(caller), "visible")
    if caller.folder is None:
        return given
    bound = _walk_down(select(nodes.c.id).where(nodes.c.id == caller.folder), "bound")
    return bound if given is None else bound.where(literal_column("bound.id").in_(given))


def nodes_below(parent: str) -> Select[tuple[str]]:
    """Returns the query of the ids of all nodes below one, in a walk down from it."""
    return _walk_down(select(nodes.c.id).where(nodes.c.parent == parent), "below")


def _begin(caller: Caller) -> Select[tuple[str]]:
    shared = nodes.c.id.in_(select(shares.c.node).where(_concerns(caller)))
    own = and_(nodes.c.parent == "", nodes.c.owner == caller.id)
    return select(nodes.c.id).where(or_(own, shared) if caller.is_known else shared)


def _walk_down(first: Select[tuple[str]], name: str) -> Select[tuple[str]]:
    walk = first.cte(name, recursive=True)
    walk = walk.union(select(nodes.c.id).join(walk, nodes.c.parent == walk.c.id))
    return select(walk.c.id)


def _given(connection: Connection, caller: Caller, chain: Sequence[Node]) -> Rights:
    if caller.is_admin or _owns(caller, chain[0]):
        return Rights.OWN
    query = select(shares.c.may).where(shares.c.node.in_([node.id for node in chain]), _concerns(caller))
    found = max((_OF_SHARE[may] for may in connection.scalars(query)), default=Rights.NONE)
    return found if caller.is_known else min(found, Rights.VIEW)


def _owns(caller: Caller, root: Node) -> bool:
    return caller.is_known and root.owner == caller.id


def _concerns(caller: Caller) -> ColumnElement[bool]:
    """The shares that count for a caller."""
    everyone = shares.c.kind == "everyone"
    if not caller.is_known:
        return everyone
    own = and_(shares.c.kind == "user", shares.c.subject == caller.id)
    group = and_(shares.c.kind == "group", shares.c.subject.in_(caller.groups))
    return or_(everyone, own, group)
