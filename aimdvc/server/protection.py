"""Protected refs: who alone may move what, in an artifact or in all that lie below a folder.

A pattern is the name of a ref without `refs/`, in which `*` stands for anything: `aliases/production`, `heads/*`, `*`.
A ref that patterns of `user`, `group` or `nobody` match is moved, made and deleted by those alone that one of them
names, also where others own the artifact. `forward` lets whoever may push add to branches, and nobody go back or delete
them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from aimdvc.errors import CorruptRepository
from aimdvc.git.graph import Graph
from aimdvc.model.commits import RefUpdate
from aimdvc.server.audit import note
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import Caller, Rights
from aimdvc.server.schema import groups, protections, users
from aimdvc.server.sharing import reach, subject_id
from aimdvc.server.tree import chain_of

KINDS = ("user", "group", "nobody", "forward")
_PATTERN = re.compile(r"[A-Za-z0-9*][\w*./+-]{0,399}")
_FOLDERS = ("heads/", "tags/", "aliases/", "notes/")


@dataclass(frozen=True, slots=True)
class Protection:
    """One rule. `subject` is the name of a user or a group, else ""; `subject_id` its id."""

    pattern: str
    kind: str
    subject: str
    subject_id: str

    def matches(self, ref: str) -> bool:
        """Returns whether a ref is meant."""
        return matches_glob(self.pattern, ref.removeprefix("refs/"))

    def names(self, caller: Caller) -> bool:
        """Returns whether it is one that lets a caller do it."""
        return (self.kind, self.subject_id) == ("user", caller.id) or (
            self.kind == "group" and self.subject_id in caller.groups
        )


def matches_glob(pattern: str, text: str) -> bool:
    """Returns whether a text is what a pattern says, in which `*` stands for anything. In linear time."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        # The first place will do: it leaves the most to what comes after.
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True


def _may_match(pattern: str) -> bool:
    """A rule for `main` would protect nothing, where its maker counts on it: that one is `heads/main`."""
    start, star, _ = pattern.partition("*")
    return any(start.startswith(folder) or (star and folder.startswith(start)) for folder in _FOLDERS)


class Protections:
    """The protected refs in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def protect(self, caller: Caller, path: str, pattern: str, kind: str, subject: str, is_on: bool = True) -> None:
        """Adds a rule to a folder or an artifact, or takes it away. Safe to repeat. Raises HttpError."""
        if kind not in KINDS:
            raise HttpError(422, f"expected {', '.join(KINDS[:-1])} or {KINDS[-1]}")
        if not _PATTERN.fullmatch(pattern):
            raise HttpError(422, "the pattern is none, such as aliases/production or heads/*")
        if is_on and not _may_match(pattern):
            raise HttpError(422, f"no ref fits '{pattern[:100]}': expected it to begin with {', '.join(_FOLDERS)} or *")
        with self._database.write("nodes") as connection:
            chain = reach(connection, caller, path, Rights.OWN)
            row = {"node": chain[-1].id, "pattern": pattern, "kind": kind}
            row["subject"] = subject_id(connection, kind, subject)
            connection.execute(delete(protections).where(*(protections.c[name] == row[name] for name in row)))
            if is_on:
                connection.execute(insert(protections), {**row, "created_s": now_s()})
            where = "/".join(one.name for one in chain)
            action = "protect" if is_on else "unprotect"
            note(self._database, connection, caller, action, where, pattern=pattern, kind=kind, subject=subject)

    def rules(self, caller: Caller, path: str) -> list[Protection]:
        """Returns the rules of a node itself. Raises HttpError."""
        with self._database.read() as connection:
            return _read(connection, [reach(connection, caller, path, Rights.OWN)[-1].id])


def protected_refusals(
    database: Database, artifact: str, caller: Caller, graph: Graph, updates: Sequence[RefUpdate]
) -> dict[str, str]:
    """Returns why a caller may not move refs of an artifact, by ref."""
    with database.read() as connection:
        chain = chain_of(connection, artifact)
        rules = _read(connection, [node.id for node in chain])
    if not chain:
        # Its rules hold again once it is put back.
        return {update.ref: "the artifact was removed" for update in updates}
    return {update.ref: reason for update in updates if (reason := _refusal(rules, caller, graph, update)) is not None}


def _refusal(rules: Sequence[Protection], caller: Caller, graph: Graph, update: RefUpdate) -> str | None:
    matching = [rule for rule in rules if rule.matches(update.ref)]
    closed = [rule for rule in matching if rule.kind != "forward"]
    if closed and not any(rule.names(caller) for rule in closed):
        names = ", ".join(sorted(rule.subject for rule in closed if rule.subject))
        return f"protected: {names or 'nobody'} alone may move it" if names else "protected: nobody may move it"
    is_forward = any(rule.kind == "forward" for rule in matching) and update.ref.startswith("refs/heads/")
    if is_forward and update.old is not None:
        try:
            if update.new is None or not graph.is_ancestor(update.old, update.new):
                return "protected: it goes forward only"
        except CorruptRepository:
            return "missing necessary objects"
    return None


def _read(connection: Connection, chain: Sequence[str]) -> list[Protection]:
    query = (
        select(protections.c.pattern, protections.c.kind, users.c.name, groups.c.name, protections.c.subject)
        .select_from(protections)
        .join(users, users.c.id == protections.c.subject, isouter=True)
        .join(groups, groups.c.id == protections.c.subject, isouter=True)
        .where(protections.c.node.in_(chain))
        .order_by(protections.c.pattern, protections.c.kind, protections.c.subject)
    )
    return [
        Protection(pattern, kind, user or group or "", subject)
        for pattern, kind, user, group, subject in connection.execute(query)
    ]
