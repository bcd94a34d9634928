"""Partial checkouts, in `state.db`: the patterns of each artifact, and which entries of the index are not checked out.

Knows rows, not files; store/state.py opens the database and holds this. Writing is within a transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice

from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.oid import Oid
from aimdvc.model.patterns import Part

PARTS_SCHEMA = """
CREATE TABLE IF NOT EXISTS pattern (
    artifact INTEGER NOT NULL, position INTEGER NOT NULL, is_exclude INTEGER NOT NULL, pattern BLOB NOT NULL,
    PRIMARY KEY (artifact, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS left_pattern (
    name TEXT NOT NULL COLLATE NOCASE, position INTEGER NOT NULL, is_exclude INTEGER NOT NULL, pattern BLOB NOT NULL,
    PRIMARY KEY (name, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS absent_entry ON entry (artifact, path) WHERE place = 2;
"""

_BATCH = 500

BLOBS_ON_DISK = "FROM entry WHERE artifact = ? AND place = 0 AND is_pointer = 1 AND mode != 0 AND oid IS NOT NULL"
"""The checked out files of an artifact that stand for blobs."""


class Parts:
    """The parts that are checked out, by the artifact's number in the database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def get(self, artifact: int) -> Part:
        """Returns the patterns that new paths are held against."""
        return _part(
            self._database.execute(
                "SELECT is_exclude, pattern FROM pattern WHERE artifact = ? ORDER BY position", (artifact,)
            ).fetchall()
        )

    def put(self, artifact: int, part: Part) -> None:
        """Replaces the patterns."""
        self.forget(artifact)
        kinds = [(0, pattern) for pattern in part.include] + [(1, pattern) for pattern in part.exclude]
        self._database.executemany(
            "INSERT INTO pattern VALUES (?, ?, ?, ?)",
            ((artifact, position, kind, path_bytes(pattern)) for position, (kind, pattern) in enumerate(kinds)),
        )

    def forget(self, artifact: int) -> None:
        """Forgets the patterns of an artifact."""
        self._database.execute("DELETE FROM pattern WHERE artifact = ?", (artifact,))

    def leave(self, artifact: int, name: str) -> None:
        """Keeps the patterns by name, for an artifact that leaves the workspace and may come back."""
        self.forget_left(name)
        self._database.execute(
            "INSERT INTO left_pattern SELECT ?, position, is_exclude, pattern FROM pattern WHERE artifact = ?",
            (name, artifact),
        )

    def left(self, name: str) -> Part | None:
        """Returns the patterns that an artifact had when it left, None where it had none."""
        rows = self._database.execute(
            "SELECT is_exclude, pattern FROM left_pattern WHERE name = ? ORDER BY position", (name,)
        ).fetchall()
        return _part(rows) if rows else None

    def forget_left(self, name: str) -> None:
        """Forgets the patterns of an artifact that left."""
        self._database.execute("DELETE FROM left_pattern WHERE name = ?", (name,))

    def count_absent(self, artifact: int) -> int:
        """Returns how many entries are not checked out, deletions aside."""
        counted: int = self._database.execute(
            "SELECT count(*) FROM entry WHERE artifact = ? AND place = 2 AND mode != 0", (artifact,)
        ).fetchone()[0]
        return counted

    def absent_paths(self, artifact: int) -> list[str]:
        """Returns the entries that are not checked out, by path."""
        rows = self._database.execute(
            "SELECT path FROM entry WHERE artifact = ? AND place = 2 AND mode != 0 ORDER BY path", (artifact,)
        )
        return [path_text(row[0]) for row in rows]

    def iter_blobs_on_disk(self, artifact: int) -> Iterator[Oid]:
        """Yields the blobs that the checked out files stand for, one for each file."""
        for row in self._database.execute(f"SELECT oid {BLOBS_ON_DISK}", (artifact,)):
            yield Oid(row[0].hex())

    def iter_absent(self, artifact: int, paths: Iterable[bytes]) -> Iterator[bytes]:
        """Yields those of the paths that the index has and that are not checked out."""
        pending = iter(paths if self.count_absent(artifact) else ())
        while batch := list(islice(pending, _BATCH)):
            marks = ",".join("?" * len(batch))
            found = self._database.execute(
                f"SELECT path FROM entry WHERE artifact = ? AND place = 2 AND mode != 0 AND path IN ({marks})",  # noqa: S608
                (artifact, *batch),
            )
            yield from [row[0] for row in found]

    def note_present(self, artifact: int, paths: Iterable[bytes]) -> None:
        """Notes that those of the entries at these paths that were not checked out are now. Within a transaction."""
        self._database.executemany(
            "UPDATE entry SET place = 0 WHERE artifact = ? AND path = ?",
            [(artifact, path) for path in self.iter_absent(artifact, paths)],
        )


def _part(rows: Iterable[tuple[int, bytes]]) -> Part:
    kinds = list(rows)
    include, exclude = (tuple(path_text(raw) for kind, raw in kinds if kind == wanted) for wanted in (0, 1))
    return Part(include, exclude)
