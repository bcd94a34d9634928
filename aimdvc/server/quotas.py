"""Quotas: how much the blobs may have together that the artifacts of a folder own, or those that count for a user.

An artifact counts for the user whose root it lies below; below a shared root, for whoever made it. Each artifact's row
has the sum of what it owns, and each quota what it uses. Both change in the transaction that claims or releases blobs,
so none is ever exceeded, and no claim adds up more than the few quotas that hold for it.

Whoever changes the sizes of artifacts, or where they lie, locks rows in one order: artifacts, then quotas, by id.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from aimdvc.model.sizes import size_text
from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import SYSTEM, Caller, Node
from aimdvc.server.schema import nodes, quotas, users
from aimdvc.server.tree import absolute, below, chain_of, grouped, nothing_at, walk

MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota: of `user:NAME`, or of a folder or artifact by its path. Sizes are bytes."""

    subject: str
    size: int
    used: int


class Quotas:
    """The quotas in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> list[Quota]:
        """Returns all quotas: those of folders, then those of users, by name."""
        with self._database.read() as connection:
            told = [_told(connection, row) for row in connection.execute(select(quotas))]
        # One of what was removed has no path, and holds again once that is back.
        found = [quota for quota in told if quota.subject]
        return sorted(found, key=lambda quota: (quota.subject.startswith("user:"), quota.subject.casefold()))

    def set(self, subject: str, size: int, by: Caller = SYSTEM) -> Quota:
        """Sets how much may be used; what is used already stays, also where it is more. Raises HttpError."""
        if not 0 <= size <= MAX_SIZE:
            raise HttpError(422, "a quota is a whole number of bytes")
        with self._database.write("nodes") as connection:
            found, is_user = _subject(connection, by, subject)
            used = _used(connection, found, is_user)
            connection.execute(delete(quotas).where(quotas.c.subject == found))
            row = {"subject": found, "is_user": is_user, "size": size, "used": used, "created_s": now_s()}
            connection.execute(insert(quotas), row)
            made = Quota(_name(connection, found, is_user), size, used)
            note(self._database, connection, by, "quota.set", made.subject, size=size)
        return made

    def remove(self, subject: str, by: Caller = SYSTEM) -> None:
        """Takes a quota away. Safe to repeat. Raises HttpError."""
        with self._database.write("nodes") as connection:
            found, is_user = _subject(connection, by, subject)
            if connection.execute(delete(quotas).where(quotas.c.subject == found)).rowcount:
                note(self._database, connection, by, "quota.remove", _name(connection, found, is_user))


_ANY = select(quotas.c.subject).limit(1)
_GROWN = update(nodes).where(nodes.c.id == bindparam("of")).values(size=nodes.c.size + bindparam("more"))


def check_room(database: Database, artifact: str, size: int) -> None:
    """Raises HttpError (507) where so many bytes more can't become an artifact's."""
    if not size:
        return
    with database.read() as connection:
        for quota in _holding(connection, artifact):
            if quota.used + size > quota.size:
                raise _full(connection, quota, size)


def count(connection: Connection, artifact: str, size: int) -> None:
    """Counts so many bytes more as an artifact's, or less, in the transaction that makes it so.

    Raises HttpError (507) where a quota that holds for it has no room for them, 404 where it was purged meanwhile.
    """
    # First its own row: a move, or a new quota, waits for us here, or we for it, and see then what it left.
    if not connection.execute(_GROWN, {"of": artifact, "more": size}).rowcount:
        raise HttpError(404, "no such artifact")
    for quota in _holding(connection, artifact):
        _add(connection, quota.subject, size)


def moved(connection: Connection, old: Sequence[Node], new: Sequence[Node], ids: Iterable[str]) -> None:
    """Counts what moved from below one chain of nodes to below another, in the transaction that moves it.

    A chain is empty for what is removed, or comes back. `ids` are all nodes that moved.
    Raises HttpError (507) where a quota of the new place has no room for it.
    """
    change: Counter[str] = Counter()
    for row in _locked(connection, ids):
        for chain, sign in ((old, -1), (new, 1)):
            for subject in {*(node.id for node in chain), chain[0].owner or row.owner} if chain else ():
                change[subject] += sign * row.size
    for subject in sorted(subject for subject, size in change.items() if subject and size):
        _add(connection, subject, change[subject])


def count_anew(connection: Connection, ids: Iterable[str]) -> None:
    """Sets what the quotas of nodes use that came back, in the transaction that puts them back."""
    for group in grouped(sorted(ids)):
        for subject in connection.scalars(select(quotas.c.subject).where(quotas.c.subject.in_(group))).all():
            used = _used(connection, subject, False)
            connection.execute(update(quotas).where(quotas.c.subject == subject).values(used=used))


def _add(connection: Connection, subject: str, size: int) -> None:
    """Adds to what a quota uses, if there is one. Raises HttpError (507) where it has no room."""
    here = update(quotas).where(quotas.c.subject == subject).values(used=quotas.c.used + size)
    # What frees room may, also where more is used than the quota says now.
    held = here.where(quotas.c.used + size <= quotas.c.size) if size > 0 else here
    if connection.execute(held).rowcount:
        return
    quota = connection.execute(select(quotas).where(quotas.c.subject == subject)).first()
    if quota is not None:
        raise _full(connection, quota, size)


def _holding(connection: Connection, artifact: str) -> list[Row[tuple[str, bool, int, int, float]]]:
    """Returns the quotas that hold for an artifact, by id; reads one row where a server has none."""
    if connection.scalar(_ANY) is None:
        return []
    chain = chain_of(connection, artifact)
    subjects = {node.id for node in chain} | {chain[0].owner or chain[-1].owner} if chain else set()
    return list(connection.execute(select(quotas).where(quotas.c.subject.in_(subjects)).order_by(quotas.c.subject)))


def _used(connection: Connection, subject: str, is_user: bool) -> int:
    """Returns what a new quota uses; whoever claims meanwhile waits, and sees the quota then."""
    if not is_user:
        return sum(row.size for row in _locked(connection, below(connection, subject)))
    roots = list(connection.execute(select(nodes.c.id, nodes.c.owner).where(nodes.c.parent == "")))
    own = {one for root in roots if root.owner == subject for one in below(connection, root.id)}
    shared = {one for root in roots if root.owner == "" for one in below(connection, root.id)}
    return sum(row.size for row in _locked(connection, own | shared) if row.id in own or row.owner == subject)


def _locked(connection: Connection, ids: Iterable[str]) -> list[Row[tuple[str, str, int]]]:
    """Returns the artifacts among nodes with their sizes, locked, as they are when nobody else changes them."""
    columns = (nodes.c.id, nodes.c.owner, nodes.c.size)
    found: list[Row[tuple[str, str, int]]] = []
    for group in grouped(sorted(ids)):
        here = nodes.c.id.in_(group)
        query = select(*columns).where(here, nodes.c.kind == "artifact").order_by(nodes.c.id).with_for_update()
        found += connection.execute(query)
    return found


def _subject(connection: Connection, by: Caller, subject: str) -> tuple[str, bool]:
    """Returns the id that is meant, and whether it is a user's. Raises HttpError (404)."""
    kind, colon, name = subject.partition(":")
    if colon and kind == "user":
        found = connection.scalar(select(users.c.id).where(users.c.name_key == name.casefold()))
        if found is None:
            raise HttpError(404, f"there is no user '{name}'")
        return str(found), True
    segments = [segment for segment in subject.split("/") if segment]
    chain = walk(connection, absolute(connection, by, segments)) if segments else []
    if not chain:
        raise nothing_at(subject)
    return chain[-1].id, False


def _full(connection: Connection, quota: Row[tuple[str, bool, int, int, float]], size: int) -> HttpError:
    left = max(quota.size - quota.used, 0)
    whose = _name(connection, quota.subject, quota.is_user)
    return HttpError(
        507,
        f"the quota of '{whose}', {size_text(quota.size)}, is full: {size_text(left)} are left, and this takes"
        f" {size_text(size)}",
    )


def _told(connection: Connection, row: Row[tuple[str, bool, int, int, float]]) -> Quota:
    return Quota(_name(connection, row.subject, row.is_user), row.size, row.used)


def _name(connection: Connection, subject: str, is_user: bool) -> str:
    if is_user:
        return f"user:{connection.scalar(select(users.c.name).where(users.c.id == subject))}"
    return "/".join(node.name for node in chain_of(connection, subject))
