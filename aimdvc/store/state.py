"""The workspace's state: HEADs, the index and the stat cache, in `state.db`.

Knows rows, not files: it never looks at the workspace and never opens a Git repository. The operations call it; one
`BEGIN IMMEDIATE` a verb (design, section 3). A lost state.db costs what was staged and nothing else.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from enum import IntEnum
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from aimdvc.fs.sqlite import faults_of, is_alone, locked, mapped_sqlite, open_database
from aimdvc.model.commits import Signature
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.oid import GitId, Oid
from aimdvc.store.merging import MERGING_SCHEMA, Merges
from aimdvc.store.moves import MOVES_SCHEMA, HeadMove, HeadMoves
from aimdvc.store.parts import PARTS_SCHEMA, Parts
from aimdvc.store.records import RECORDS_SCHEMA, Records

FORMAT = 3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS artifact (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, path TEXT NOT NULL UNIQUE,
    is_file INTEGER NOT NULL, branch TEXT, head TEXT, tree TEXT, written TEXT, source TEXT);
CREATE TABLE IF NOT EXISTS entry (
    artifact INTEGER NOT NULL, path BLOB NOT NULL, mode INTEGER NOT NULL, git_id BLOB, oid BLOB, size INTEGER NOT NULL,
    is_pointer INTEGER NOT NULL, place INTEGER NOT NULL, head_mode INTEGER NOT NULL, head_id BLOB,
    staged INTEGER NOT NULL, st_size INTEGER, st_mtime INTEGER, st_ctime INTEGER, st_inode INTEGER,
    PRIMARY KEY (artifact, path)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS staged_entry ON entry (artifact, path) WHERE staged = 1;
"""

_BATCH = 500
_COLUMNS = "path, mode, git_id, oid, size, is_pointer, place, head_mode, head_id, st_size, st_mtime, st_ctime, st_inode"

# A file written within this time of being looked at may change again without its times changing: ext4 stamps by the
# kernel's tick (4-10 ms), some file systems by 1 or 2 s. Its stat isn't kept, so it is hashed again next time.
_RACY_NS = 20_000_000
_COARSE_RACY_NS = 2_000_000_000


class Place(IntEnum):
    """Where an entry stands outside the tree."""

    DISK = 0
    HIDDEN = 1
    """In the tree only: `.aimd/`, aimdvc's own `.gitattributes`, gitlinks."""
    ABSENT = 2
    """Not checked out: outside the workspace's patterns, or its state was lost."""


_PLACES = tuple(Place)


class Stat(NamedTuple):
    """What tells a file unchanged: bytes, nanoseconds, inode number."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def stat_of(status: os.stat_result) -> Stat:
    """Returns what tells the file unchanged."""
    return Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class Row(NamedTuple):
    """One entry of the index. `mode` 0 means deleted; `head_mode` 0 means not in HEAD's tree.

    `oid` and `size` name the content in the blob store; `oid` is None where only Git holds it.
    """

    path: str
    mode: int
    git_id: GitId | None
    oid: Oid | None
    size: int
    is_pointer: bool
    place: Place
    head_mode: int
    head_id: GitId | None
    stat: Stat | None

    @property
    def is_staged(self) -> bool:
        """Whether the entry differs from HEAD's."""
        return (self.mode, self.git_id) != (self.head_mode, self.head_id)

    def with_head_of(self, other: "Row") -> "Row":
        """Returns the row with what another one of its path knows of HEAD."""
        return self._replace(head_mode=other.head_mode, head_id=other.head_id)

    def deleted(self) -> "Row":
        """Returns the row of the path when its entry is removed."""
        return self._replace(mode=0, git_id=None, oid=None, size=0, is_pointer=False, stat=None)


class Head(NamedTuple):
    """What is checked out of one artifact. `branch` is None when detached; `commit` is None before the first commit.

    `path` is relative to the workspace; `written` is the commit that aimdvc last wrote into aimdvc.lock.
    """

    id: int
    name: str
    path: str
    is_file: bool
    branch: str | None
    commit: GitId | None
    tree: GitId | None
    written: GitId | None
    source: str | None

    @property
    def origin(self) -> tuple[str, str]:
        """The remote that the artifact comes from, and its path below the remote's URL."""
        return origin_of_source(self.name, self.source)


class State:
    """An open state.db. One process may hold several; SQLite orders the writers."""

    def __init__(self, directory: Path) -> None:
        """Opens or makes the database; a damaged one is moved aside. Raises UnsupportedFormat for a later format.

        What a lost database held comes back from aimdvc.lock by `checkout`; only what was staged is gone.
        """
        self.path = directory / "state.db"
        schema = _SCHEMA + MERGING_SCHEMA + MOVES_SCHEMA + PARTS_SCHEMA + RECORDS_SCHEMA
        self._database = open_database(self.path, schema, FORMAT)
        self.merges = Merges(self._database)
        self.moves = HeadMoves(self._database)
        self.parts = Parts(self._database)
        self.records = Records(self._database)

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    def faults(self) -> list[str]:
        """Returns what is wrong with the database itself; reads all of it."""
        return faults_of(self._database)

    @property
    def is_alone(self) -> bool:
        """Whether no other connection reads the database meanwhile: on a disk without a free byte."""
        return is_alone(self._database)

    def transaction(self) -> AbstractContextManager[None]:
        """Begins to write, as the only writer; commits durably at the end, rolls back on an exception."""
        return locked(self._database)

    # HEADs

    def heads(self) -> list[Head]:
        """Returns the HEAD of every artifact, by name."""
        with mapped_sqlite(self.path):
            rows = self._database.execute(
                "SELECT id, name, path, is_file, branch, head, tree, written, source FROM artifact ORDER BY name"
            ).fetchall()
        return [_head(row) for row in rows]

    def head(self, name: str) -> Head | None:
        """Returns the HEAD of an artifact, or None when the workspace doesn't have it."""
        with mapped_sqlite(self.path):
            row = self._database.execute(
                "SELECT id, name, path, is_file, branch, head, tree, written, source FROM artifact WHERE name = ?",
                (name,),
            ).fetchone()
        return _head(row) if row else None

    def create_head(self, name: str, path: str, is_file: bool, branch: str | None, source: str | None) -> Head:
        """Adds an artifact without a commit. Within a transaction."""
        self._database.execute(
            "INSERT INTO artifact (name, path, is_file, branch, source) VALUES (?, ?, ?, ?, ?)",
            (name, path, int(is_file), branch, source),
        )
        head = self.head(name)
        assert head is not None
        return head

    def delete_head(self, head: Head) -> None:
        """Forgets an artifact. Within a transaction."""
        self._database.execute("DELETE FROM artifact WHERE id = ?", (head.id,))
        self.merges.end(head.id)
        self.moves.forget(head.id)
        self.parts.forget(head.id)

    def move_head(
        self, head: Head, branch: str | None, commit: GitId | None, tree: GitId | None, who: Signature, why: str
    ) -> None:
        """Notes what is checked out now, and that HEAD moved, by whom and why. Within a transaction."""
        self.moves.add(head.id, HeadMove(head.commit, commit, head.branch, who, why))
        self._database.execute(
            "UPDATE artifact SET branch = ?, head = ?, tree = ? WHERE id = ?", (branch, commit, tree, head.id)
        )

    def note_written(self, head: Head, commit: GitId | None) -> None:
        """Notes which commit stands in aimdvc.lock by our own writing. Within a transaction."""
        self._database.execute("UPDATE artifact SET written = ? WHERE id = ?", (commit, head.id))

    def set_source(self, head: Head, source: str | None) -> None:
        """Notes where the artifact comes from, when not `origin/<name>`. Within a transaction."""
        self._database.execute("UPDATE artifact SET source = ? WHERE id = ?", (source, head.id))

    def set_path(self, head: Head, path: str) -> None:
        """Notes where in the workspace the artifact lies. Within a transaction."""
        self._database.execute("UPDATE artifact SET path = ? WHERE id = ?", (path, head.id))

    def set_is_file(self, head: Head, is_file: bool) -> None:
        """Notes whether the artifact's path is one file. Within a transaction."""
        self._database.execute("UPDATE artifact SET is_file = ? WHERE id = ?", (int(is_file), head.id))

    def _query(self, sql: str, values: tuple[object, ...]) -> Iterator[Any]:
        with mapped_sqlite(self.path):
            for row in self._database.execute(sql, values):  # noqa: UP028 - an interrupt may close the database first
                yield row

    # The index

    def rows(self, head: Head, under: str = "") -> Iterator[Row]:
        """Yields the index's entries at or below a path of the artifact, in the order of their bytes."""
        where, values = _under(under)
        cursor = self._query(
            f"SELECT {_COLUMNS} FROM entry WHERE artifact = ?{where} ORDER BY path",  # noqa: S608
            (head.id, *values),
        )
        return map(_row, cursor)

    def staged(self, head: Head, under: str = "") -> Iterator[Row]:
        """Yields the entries that differ from HEAD's, in the order of their bytes."""
        where, values = _under(under)
        cursor = self._query(
            f"SELECT {_COLUMNS} FROM entry WHERE artifact = ? AND staged = 1{where} ORDER BY path",  # noqa: S608
            (head.id, *values),
        )
        return map(_row, cursor)

    def row(self, head: Head, path: str) -> Row | None:
        """Returns one entry, or None."""
        found = next(
            self._query(
                f"SELECT {_COLUMNS} FROM entry WHERE artifact = ? AND path = ?",  # noqa: S608
                (head.id, path_bytes(path)),
            ),
            None,
        )
        return _row(found) if found else None

    def paired(self, head: Head, rows: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
        """Yields each row with the entry that the index has at its path, or None; looks a few hundred up at once."""
        pending = iter(rows)
        while batch := list(islice(pending, _BATCH)):
            marks = ",".join("?" * len(batch))
            found = self._query(
                f"SELECT {_COLUMNS} FROM entry WHERE artifact = ? AND path IN ({marks})",  # noqa: S608
                (head.id, *(path_bytes(row.path) for row in batch)),
            )
            known = {row.path: row for row in map(_row, found)}
            for row in batch:
                yield row, known.get(row.path)

    def named(self, head: Head, name: str) -> list[Row]:
        """Returns the entries whose last component is `name`, wherever they lie. Reads every path."""
        raw = path_bytes(name)
        cursor = self._query(
            f"SELECT {_COLUMNS} FROM entry WHERE artifact = ? AND (path = ? OR substr(path, ?) = ?)",  # noqa: S608
            (head.id, raw, -len(raw) - 1, b"/" + raw),
        )
        return [_row(row) for row in cursor]

    def count(self, head: Head) -> int:
        """Returns how many files the index has, checked out or not; what is hidden is none."""
        sql = "SELECT count(*) FROM entry WHERE artifact = ? AND mode != 0 AND place != 1"
        counted: int = next(self._query(sql, (head.id,)))[0]
        return counted

    def iter_stats(self, head: Head, under: str = "") -> Iterator[tuple[bytes, int, int, int, int, int]]:
        """Yields (path, mode, size, mtime, ctime, inode) of every entry that ought to be on disk, by the path's bytes.

        An entry without a known stat has NULLs there, which no file's stat equals.
        """
        where, values = _under(under)
        return self._query(
            "SELECT path, mode, st_size, st_mtime, st_ctime, st_inode"  # noqa: S608
            f" FROM entry WHERE artifact = ? AND place = 0 AND mode NOT IN (0, {0o160000}){where} ORDER BY path",
            (head.id, *values),
        )

    def put_rows(self, head: Head, rows: Iterable[Row]) -> None:
        """Writes entries; one that is neither in the index nor in HEAD vanishes. Within a transaction."""
        self._database.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_values(head.id, row) for row in rows),
        )
        self._database.execute(
            "DELETE FROM entry WHERE artifact = ? AND staged = 0 AND mode = 0 AND head_mode = 0", (head.id,)
        )

    def delete_rows(self, head: Head, paths: Iterable[str]) -> None:
        """Forgets entries. Within a transaction."""
        self._database.executemany(
            "DELETE FROM entry WHERE artifact = ? AND path = ?", ((head.id, path_bytes(path)) for path in paths)
        )

    def refresh_stats(self, head: Head, stats: Iterable[tuple[str, Stat]], now_ns: int) -> None:
        """Notes the stat of files whose content is known to be the index's. Within a transaction."""
        self._database.executemany(
            "UPDATE entry SET st_size = ?, st_mtime = ?, st_ctime = ?, st_inode = ? WHERE artifact = ? AND path = ?",
            ((*stat, head.id, path_bytes(path)) for path, stat in stats if not is_racy(stat, now_ns)),
        )

    def mark_committed(self, head: Head) -> None:
        """Makes every staged entry HEAD's own. Within a transaction."""
        self._database.execute("DELETE FROM entry WHERE artifact = ? AND staged = 1 AND mode = 0", (head.id,))
        self._database.execute(
            "UPDATE entry SET head_mode = mode, head_id = git_id, staged = 0 WHERE artifact = ? AND staged = 1",
            (head.id,),
        )

    def clear_rows(self, head: Head) -> None:
        """Forgets the whole index of an artifact. Within a transaction."""
        self._database.execute("DELETE FROM entry WHERE artifact = ?", (head.id,))


def origin_of_source(name: str, source: str | None) -> tuple[str, str]:
    """Returns (remote, path below its URL) of an artifact's source, which is left out when it is `origin/<name>`."""
    remote, _, path = (source or f"origin/{name}").partition("/")
    return remote, path


def is_racy(stat: Stat, now_ns: int) -> bool:
    """Returns whether a file of this stat could still change unseen."""
    newest = max(stat.mtime_ns, stat.ctime_ns)
    window = _COARSE_RACY_NS if newest % 1_000_000_000 == 0 else _RACY_NS
    return newest > now_ns - window


def _under(path: str) -> tuple[str, tuple[bytes, ...]]:
    if not path:
        return "", ()
    raw = path_bytes(path)
    return " AND (path = ? OR (path > ? AND path < ?))", (raw, raw + b"/", raw + b"0")


def _head(row: sqlite3.Row | tuple[object, ...]) -> Head:
    identity, name, path, is_file, branch, head, tree, written, source = row
    return Head(
        int(str(identity)),
        str(name),
        str(path),
        bool(is_file),
        None if branch is None else str(branch),
        None if head is None else GitId(str(head)),
        None if tree is None else GitId(str(tree)),
        None if written is None else GitId(str(written)),
        None if source is None else str(source),
    )


def _row(row: tuple[bytes, int, bytes, bytes, int, int, int, int, bytes, int, int, int, int]) -> Row:
    path, mode, git_id, oid, size, is_pointer, place, head_mode, head_id, st_size, mtime, ctime, inode = row
    return Row(
        path_text(path),
        mode,
        GitId(git_id.hex()) if git_id else None,
        Oid(oid.hex()) if oid else None,
        size,
        is_pointer == 1,
        _PLACES[place],
        head_mode,
        GitId(head_id.hex()) if head_id else None,
        None if st_size is None else Stat(st_size, mtime, ctime, inode),
    )


def _values(identity: int, row: Row) -> tuple[object, ...]:
    return (
        identity,
        path_bytes(row.path),
        row.mode,
        bytes.fromhex(row.git_id) if row.git_id else None,
        bytes.fromhex(row.oid) if row.oid else None,
        row.size,
        int(row.is_pointer),
        int(row.place),
        row.head_mode,
        bytes.fromhex(row.head_id) if row.head_id else None,
        int(row.is_staged),
        *(row.stat or (None, None, None, None)),
    )
