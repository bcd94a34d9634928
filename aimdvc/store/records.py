"""Artifacts of the Python interface, in `state.db`: what each is, and of an open one the objects that it will hold.

A closed one is a version: its objects are in its repository's tree, and none are kept here. What an open one holds is
kept from maintenance by being here (store/roots.py). Knows rows, not files; store/state.py opens the database.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.oid import Oid

RECORDS_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS record_object (
    record TEXT NOT NULL, key BLOB NOT NULL, mode INTEGER NOT NULL, oid BLOB, size INTEGER NOT NULL, uri TEXT,
    PRIMARY KEY (record, key)) WITHOUT ROWID;
"""

_BATCH = 500


class RecordObject(NamedTuple):
    """One object: a file, `mode` as Git has it and `oid` None for an empty one; or a reference, which has a `uri`.

    A reference's `oid` is its bytes' SHA-256 and `size` their number where that is recorded, else None and -1.
    """

    key: str
    mode: int
    oid: Oid | None
    size: int
    uri: str | None = None


class Records:
    """The artifacts by their ids. Changes belong into a transaction of the state."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def get(self, record: str) -> dict[str, object] | None:
        """Returns what is known of an artifact, None when it isn't here."""
        row = self._database.execute("SELECT document FROM record WHERE id = ?", (record,)).fetchone()
        return dict(json.loads(row[0])) if row is not None else None

    def put(self, record: str, document: Mapping[str, object]) -> None:
        """Keeps what is known of an artifact: JSON values by name."""
        text = json.dumps(document, sort_keys=True)
        self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", (record, text))

    def put_objects(self, record: str, objects: Iterable[RecordObject]) -> None:
        """Keeps objects; one with a key that is there already takes its place."""
        pending = (
            (record, path_bytes(one.key), one.mode, bytes.fromhex(one.oid) if one.oid else None, one.size, one.uri)
            for one in objects
        )
        while batch := list(islice(pending, _BATCH)):
            self._database.executemany("INSERT OR REPLACE INTO record_object VALUES (?, ?, ?, ?, ?, ?)", batch)

    def find_object(self, record: str, key: str) -> RecordObject | None:
        """Returns an artifact's object by its key, None where there is none."""
        row = self._database.execute(
            "SELECT mode, oid, size, uri FROM record_object WHERE record = ? AND key = ?", (record, path_bytes(key))
        ).fetchone()
        if row is None:
            return None
        mode, oid, size, uri = row
        return RecordObject(key, mode, Oid(oid.hex()) if oid is not None else None, size, uri)

    def find_remote(self, host: str, path: str) -> list[dict[str, object]]:
        """Returns what is known of the artifacts that were uploaded to a path of a host, or came from there."""
        rows = self._database.execute(
            "SELECT document FROM record WHERE EXISTS (SELECT 1 FROM json_each(document, '$.remote')"
            " WHERE json_extract(value, '$.host') = ? AND trim(json_extract(value, '$.path'), '/') = ?)",
            (host, path),
        )
        return [dict(json.loads(row[0])) for row in rows]

    def drop_objects(self, record: str) -> None:
        """Forgets an artifact's objects."""
        self._database.execute("DELETE FROM record_object WHERE record = ?", (record,))

    def iter_objects(self, record: str) -> Iterator[RecordObject]:
        """Yields an artifact's objects in the order of their keys; holds few of them. Others may write meanwhile."""
        last = b""
        while rows := self._database.execute(
            "SELECT key, mode, oid, size, uri FROM record_object WHERE record = ? AND key > ? ORDER BY key LIMIT ?",
            (record, last, _BATCH),
        ).fetchall():
            for key, mode, oid, size, uri in rows:
                yield RecordObject(path_text(key), mode, Oid(oid.hex()) if oid is not None else None, size, uri)
            last = rows[-1][0]

    def find_clash(self, record: str) -> str | None:
        """Returns the key of an object inside of which another one would lie; None when all can stand side by side."""
        row = self._database.execute(
            "SELECT one.key FROM record_object AS one JOIN record_object AS other ON other.record = one.record"
            " AND other.key > CAST(one.key || x'2f' AS BLOB) AND other.key < CAST(one.key || x'30' AS BLOB)"
            " WHERE one.record = ? LIMIT 1",
            (record,),
        ).fetchone()
        return path_text(row[0]) if row is not None else None
