"""Merges in progress, in `state.db`: what is to be committed with which parents, and which paths are still to settle.

Knows rows, not files; store/state.py opens the database and holds this. The operations call it within a transaction.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.merge import conflict_kind
from aimdvc.model.oid import GitId

MERGING_SCHEMA = """
CREATE TABLE IF NOT EXISTS merging (
    artifact INTEGER PRIMARY KEY, kind TEXT NOT NULL, title BLOB NOT NULL, parents TEXT NOT NULL, tree TEXT NOT NULL,
    message BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS conflict (
    artifact INTEGER NOT NULL, path BLOB NOT NULL, base_mode INTEGER NOT NULL, base_id TEXT, ours_mode INTEGER NOT NULL,
    ours_id TEXT, theirs_mode INTEGER NOT NULL, theirs_id TEXT, is_settled INTEGER NOT NULL,
    PRIMARY KEY (artifact, path)) WITHOUT ROWID;
"""


class Side(NamedTuple):
    """What one side of a conflict has at its path: a mode and a git object."""

    mode: int
    git_id: GitId


class OpenConflict(NamedTuple):
    """One path that both sides changed, None where a side has nothing. `is_settled` once it was decided to keep ours.

    Otherwise the index tells: a conflict is settled, too, when its entry is no longer ours.
    """

    path: str
    base: Side | None
    ours: Side | None
    theirs: Side | None
    is_settled: bool = False

    @property
    def kind(self) -> str:
        """What happened to it, in Git's words."""
        return conflict_kind(self.base, self.ours, self.theirs)


class Merging(NamedTuple):
    """A merge that stopped: `kind` is merge, pull or revert, `title` names what is brought in, `tree` is the result.

    `parents` are those of the commit that will end it, in their order; `message` is its message if none is given.
    """

    kind: str
    title: str
    parents: tuple[GitId, ...]
    tree: GitId
    message: str


class Merges:
    """The merges in progress of a workspace's artifacts, by the artifact's number in the database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def get(self, artifact: int) -> Merging | None:
        """Returns the merge in progress, or None."""
        found = self._database.execute(
            "SELECT kind, title, parents, tree, message FROM merging WHERE artifact = ?", (artifact,)
        ).fetchone()
        if found is None:
            return None
        kind, title, parents, tree, message = found
        made_of = tuple(GitId(parent) for parent in parents.split())
        return Merging(kind, path_text(title), made_of, GitId(tree), path_text(message))

    def conflicts(self, artifact: int) -> list[OpenConflict]:
        """Returns all conflicts that the merge began with, by path."""
        rows = self._database.execute(
            "SELECT path, base_mode, base_id, ours_mode, ours_id, theirs_mode, theirs_id, is_settled FROM conflict"
            " WHERE artifact = ? ORDER BY path",
            (artifact,),
        )
        return [
            OpenConflict(path_text(row[0]), _side(*row[1:3]), _side(*row[3:5]), _side(*row[5:7]), bool(row[7]))
            for row in rows
        ]

    def begin(self, artifact: int, merging: Merging, conflicts: Iterable[OpenConflict]) -> None:
        """Notes a merge that stopped. Within a transaction."""
        self.end(artifact)
        self._database.execute(
            "INSERT INTO merging VALUES (?, ?, ?, ?, ?, ?)",
            (
                artifact,
                merging.kind,
                path_bytes(merging.title),
                " ".join(merging.parents),
                merging.tree,
                path_bytes(merging.message),
            ),
        )
        self._database.executemany(
            "INSERT INTO conflict VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (artifact, path_bytes(one.path), *_pair(one.base), *_pair(one.ours), *_pair(one.theirs), one.is_settled)
                for one in conflicts
            ),
        )

    def settle(self, artifact: int, paths: Iterable[str]) -> None:
        """Notes that the index's entries at these paths are what was decided. Within a transaction."""
        self._database.executemany(
            "UPDATE conflict SET is_settled = 1 WHERE artifact = ? AND path = ?",
            ((artifact, path_bytes(path)) for path in paths),
        )

    def end(self, artifact: int) -> None:
        """Forgets the merge. Within a transaction."""
        self._database.execute("DELETE FROM merging WHERE artifact = ?", (artifact,))
        self._database.execute("DELETE FROM conflict WHERE artifact = ?", (artifact,))


def _side(mode: int, git_id: str | None) -> Side | None:
    return Side(mode, GitId(git_id)) if mode and git_id else None


def _pair(side: Side | None) -> tuple[int, GitId | None]:
    return (side.mode, side.git_id) if side is not None else (0, None)
