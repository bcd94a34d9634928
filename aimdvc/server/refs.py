"""Refs in SQL: one transaction compares, numbers and moves. History of every move is kept.

A ref never moves unless it is where the pusher saw it. `refs/tags/v<digits>` are made here, in the transaction that
moves `main`, and never change. Names are bytes in the database and text with surrogate escapes in Python.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from aimdvc.model.commits import RefUpdate
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.lineage import Making
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.server.aimd_ids import note_ids
from aimdvc.server.database import Database, now_s
from aimdvc.server.describing import Described, note_described
from aimdvc.server.lineage import note_makings
from aimdvc.server.refnames import RefNames
from aimdvc.server.schema import ref_history, refs

VERSION_TAG = re.compile(r"refs/tags/v([0-9]+)", re.IGNORECASE)
_CANONICAL = re.compile(r"refs/tags/v[1-9][0-9]{0,8}")

PUSH = "push"
RESTORED = "restored"
ABANDONS = "push that abandons commits"
RESTORE_ABANDONS = "restored, abandoning commits"
REFUSED = "refused, its commits were stored"
REFUSED_SWEPT = "refused, its commits were dropped"
SWEPT = {ABANDONS: "push that abandoned commits, dropped since", RESTORE_ABANDONS: RESTORED, REFUSED: REFUSED_SWEPT}
"""What history says where packs hold commits from then on that no ref may reach; and what after gc has looked there."""

_ABANDONING = {PUSH: ABANDONS, RESTORED: RESTORE_ABANDONS}

_MESSAGE = 1000
"""How many characters are kept of what somebody says of a move."""

LOST = "fetch first"
"""Stock Git shows its own hint for exactly this wording."""
DELETED = "it was deleted meanwhile"


@dataclass(frozen=True, slots=True)
class Ref:
    """Where a ref stands; `peeled` is what an annotated tag ends with."""

    target: GitId
    peeled: GitId | None


@dataclass(frozen=True, slots=True)
class Move:
    """A checked update of one ref.

    `line` is what it numbers, oldest first (main only); `named` and `made` are the ids and the lineage in its commits.
    `abandons` says that it doesn't go forward. If then no other ref has the old value, commits may be reachable from
    none: stored packs hold more than readers may see, and are no longer sent as they are. `reason` is what history
    says, `message` what the mover says of it, `described` what the new commit says of the artifact (main only).
    """

    update: RefUpdate
    peeled: GitId | None = None
    line: tuple[GitId, ...] = ()
    named: Mapping[GitId, str] = field(default_factory=dict)
    made: Mapping[GitId, Making] = field(default_factory=dict)
    abandons: bool = False
    reason: str = PUSH
    described: Described | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transaction did: per ref None or why it was refused, and the numbers that it gave."""

    results: Mapping[str, str | None]
    versions: Mapping[str, GitId]


def read_refs(database: Database, artifact: str) -> dict[str, Ref]:
    """Returns all refs of an artifact, sorted by the bytes of their names."""
    with database.read() as connection:
        return _read(connection, artifact)


def named_ref(found: Mapping[str, Ref], text: str) -> Ref | None:
    """Returns what a version's name means: `v3`, an alias, a branch, `latest`, or the commit of one of these."""
    named = "main" if text == "latest" else text
    for start in ("refs/tags/", "refs/aliases/", "refs/heads/"):
        if start + named in found:
            return found[start + named]
    return next((ref for ref in found.values() if text in (ref.target, ref.peeled)), None)


def has_abandoned(database: Database, artifact: str) -> bool:
    """Returns whether the artifact's packs may hold commits that no ref reaches."""
    query = select(ref_history.c.id).where(ref_history.c.artifact == artifact, ref_history.c.reason.in_(SWEPT))
    with database.read() as connection:
        return connection.scalar(query.limit(1)) is not None


def note_abandoned(database: Database, artifact: str, user: str, changes: Sequence[RefUpdate]) -> None:
    """Notes that a pack was published with the objects of changes that were refused; nothing without any."""
    if not changes:
        return
    with database.write(artifact) as connection:
        _note(connection, artifact, user, changes[0], _Why(REFUSED))


def move_within(connection: Connection, artifact: str, user: str, moves: Sequence[Move], atomic: bool) -> Moved:
    """Moves refs by compare-and-set and writes history, numbers and ids, in a transaction that writes the artifact.

    With `atomic` one lost race refuses all.
    """
    versions: dict[str, GitId] = {}
    found = _read(connection, artifact)
    results = _refusals(found, moves)
    if atomic and any(results.values()):
        refused = {ref: reason or "atomic transaction failed" for ref, reason in results.items()}
        return Moved(refused, {})
    accepted = [move for move in moves if results[move.update.ref] is None]
    moved = {move.update.ref for move in accepted}
    # What other refs have when all has moved: two that leave one commit in one push both abandon it.
    kept = {ref.target for name, ref in found.items() if name not in moved} | {move.update.new for move in accepted}
    # Versions that come along count when main is numbered.
    for move in sorted(moves, key=lambda move: not VERSION_TAG.fullmatch(move.update.ref)):
        if results[move.update.ref] is None:
            why = _ABANDONING[move.reason] if move.abandons and move.update.old not in kept else move.reason
            versions |= _apply(connection, artifact, user, move, found, why)
    for move in accepted:
        if move.described is not None:
            note_described(connection, artifact, move.described, highest_version(found))
    return Moved(results, versions)


def _read(connection: Connection, artifact: str) -> dict[str, Ref]:
    query = select(refs.c.name, refs.c.target, refs.c.peeled).where(refs.c.artifact == artifact).order_by(refs.c.name)
    return {path_text(name): Ref(GitId(target), peeled) for name, target, peeled in connection.execute(query)}


def _refusals(found: Mapping[str, Ref], moves: Sequence[Move]) -> dict[str, str | None]:
    """Judges each move by the refs as the moves before it leave them; deletions come first, so that they make room."""
    results: dict[str, str | None] = {}
    names = RefNames(found)
    for move in sorted(moves, key=lambda move: move.update.new is not None):
        ref, _, new = move.update
        results[ref] = _refusal(found, names, move)
        if results[ref] is None:
            names.remove(ref) if new is None else names.add(ref)
    return results


def _refusal(found: Mapping[str, Ref], names: RefNames, move: Move) -> str | None:
    ref, old, new = move.update
    if VERSION_TAG.fullmatch(ref):
        return unmoved_version(found, move.update)
    current = found[ref].target if ref in found else None
    if current != old:
        return LOST if current is not None else DELETED
    return names.clash(ref) if new is not None and old is None else None


def unmoved_version(found: Mapping[str, Ref], change: RefUpdate) -> str | None:
    """Returns why a push may not touch a version tag; None when the tag is there just as pushed.

    An artifact that has no version yet takes them: a mirror of another server keeps the numbers that people know.
    """
    if change.ref in found:
        return None if found[change.ref].target == change.new else "versions are immutable"
    is_begun = MAIN in found or any(VERSION_TAG.fullmatch(name) for name in found)
    if is_begun or change.new is None or not _CANONICAL.fullmatch(change.ref):
        return "versions are numbered by the server"
    return None


def _apply(
    connection: Connection, artifact: str, user: str, move: Move, found: dict[str, Ref], why: str
) -> dict[str, GitId]:
    ref, old, new = move.update
    if (found[ref].target if ref in found else None) != new:
        _set(connection, artifact, RefUpdate(ref, old, new), move.peeled)
        _note(connection, artifact, user, RefUpdate(ref, old, new), _Why(why, move.message))
        if new is None:
            found.pop(ref, None)
        else:
            found[ref] = Ref(new, move.peeled)
    versions: dict[str, GitId] = {}
    if move.line:
        numbered = {row.target for name, row in found.items() if VERSION_TAG.fullmatch(name)}
        number = highest_version(found)
        for commit in move.line:
            if commit not in numbered:
                number += 1
                versions[f"refs/tags/v{number}"] = commit
        for tag, commit in versions.items():
            if tag in found:
                continue
            _set(connection, artifact, RefUpdate(tag, None, commit), None)
            _note(connection, artifact, user, RefUpdate(tag, None, commit), _Why("numbered"))
            found[tag] = Ref(commit, None)
        note_ids(connection, artifact, {commit: move.named.get(commit) for commit in move.line})
        note_makings(connection, move.made)
    return versions


def clean_message(text: str) -> str:
    """Returns what somebody says of a move, in one line that is kept: printable, and not too long."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 10 * _MESSAGE])
    return " ".join(printable.split())[:_MESSAGE]


def highest_version(names: Mapping[str, object]) -> int:
    """Returns the highest number among version tags, 0 when there is none."""
    return max((int(match[1]) for name in names if (match := VERSION_TAG.fullmatch(name))), default=0)


def _set(connection: Connection, artifact: str, change: RefUpdate, peeled: GitId | None) -> None:
    here = (refs.c.artifact == artifact) & (refs.c.name == path_bytes(change.ref))
    if change.new is None:
        connection.execute(delete(refs).where(here))
    elif change.old is None:
        row = {"artifact": artifact, "name": path_bytes(change.ref), "target": change.new, "peeled": peeled}
        connection.execute(insert(refs), row)
    else:
        connection.execute(update(refs).where(here).values(target=change.new, peeled=peeled))


class _Why(NamedTuple):
    """Why a ref moved: a word of ours, and what the mover said."""

    reason: str
    message: str = ""


def _note(connection: Connection, artifact: str, user: str, change: RefUpdate, why: _Why) -> None:
    row = {
        "artifact": artifact,
        "name": path_bytes(change.ref),
        "old": change.old,
        "new": change.new,
        "user": user,
        "time_s": now_s(),
        "reason": why.reason,
        "message": why.message or None,
    }
    connection.execute(insert(ref_history), row)
