"""The moves of each artifact's HEAD in this workspace, in `state.db`: what a branch's reflog is for a branch.

Branches have theirs in the artifact's repository; HEAD is the workspace's own. Written within the transaction that
moves HEAD, so it tells of every move that became real.
"""

import sqlite3
from typing import NamedTuple

from aimdvc.model.commits import Signature
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.oid import GitId

MOVES_SCHEMA = """
CREATE TABLE IF NOT EXISTS head_move (
    id INTEGER PRIMARY KEY, artifact INTEGER NOT NULL, old TEXT, new TEXT, old_branch TEXT, name BLOB NOT NULL,
    email BLOB NOT NULL, time_s INTEGER NOT NULL, zone_s INTEGER NOT NULL, why BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS head_move_of ON head_move (artifact, id);
"""


class HeadMove(NamedTuple):
    """One move: from `old`, on `old_branch` unless that is None, to `new`."""

    old: GitId | None
    new: GitId | None
    old_branch: str | None
    who: Signature
    why: str


class HeadMoves:
    """The moves of the HEADs of a workspace, by the artifact's number in the database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, artifact: int, move: HeadMove) -> None:
        """Notes a move. Within the transaction that makes it."""
        who = move.who
        self._database.execute(
            "INSERT INTO head_move (artifact, old, new, old_branch, name, email, time_s, zone_s, why)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                artifact,
                move.old,
                move.new,
                move.old_branch,
                path_bytes(who.name),
                path_bytes(who.email),
                who.time_s,
                who.zone_s,
                path_bytes(" ".join(move.why.split())),
            ),
        )

    def newest(self, artifact: int, limit: int | None = None) -> list[HeadMove]:
        """Returns the moves, newest first."""
        rows = self._database.execute(
            "SELECT old, new, old_branch, name, email, time_s, zone_s, why FROM head_move WHERE artifact = ?"
            " ORDER BY id DESC LIMIT ?",
            (artifact, -1 if limit is None else limit),
        )
        return [
            HeadMove(
                _known(row[0]),
                _known(row[1]),
                row[2],
                Signature(path_text(row[3]), path_text(row[4]), *row[5:7]),
                path_text(row[7]),
            )
            for row in rows
        ]

    def forget(self, artifact: int) -> None:
        """Forgets the moves of an artifact. Within a transaction."""
        self._database.execute("DELETE FROM head_move WHERE artifact = ?", (artifact,))


def _known(git_id: str | None) -> GitId | None:
    return GitId(git_id) if git_id is not None else None
