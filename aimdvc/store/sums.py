"""A second, quicker checksum of each large blob: sums.db. Only remembered: what is lost is computed again.

A sum follows from the bytes that the oid names, so nothing that happens to the blob ever makes it wrong. It is noted
when these bytes were hashed as SHA-256 and found right. Nobody waits for the disk, and no failure here stops anything.
"""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from aimdvc.errors import AimdvcError
from aimdvc.fs.sqlite import locked, mapped_sqlite, open_database
from aimdvc.model.oid import Oid

_FORMAT = 1
_SCHEMA = "CREATE TABLE IF NOT EXISTS sum (oid BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
_BUSY_MS = 1000


class Sums:
    """The open sums.db of one process; safe to use from several threads. All is unknown where it can't be opened."""

    def __init__(self, root: Path) -> None:
        self._path = root / "sums.db"
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        with suppress(AimdvcError):  # A full disk, one that can't be written, a later format: it goes without.
            self._database = open_database(self._path, _SCHEMA, _FORMAT)
            with mapped_sqlite(self._path):
                # What a power cut takes is computed again.
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")

    def find(self, oid: Oid) -> bytes | None:
        """Returns what is known of a blob."""
        with self._lock, suppress(AimdvcError), mapped_sqlite(self._path):
            if self._database is not None:
                row = self._database.execute("SELECT value FROM sum WHERE oid = ?", (bytes.fromhex(oid),)).fetchone()
                return bytes(row[0]) if row is not None else None
        return None

    def note(self, oid: Oid, value: bytes) -> None:
        """Remembers the sum of a blob whose bytes were found right."""
        self._change("INSERT OR REPLACE INTO sum (oid, value) VALUES (?, ?)", (bytes.fromhex(oid), value))

    def forget(self, oid: Oid) -> None:
        """Forgets the sum of a blob: its bytes, or the sum, are damaged."""
        self._change("DELETE FROM sum WHERE oid = ?", (bytes.fromhex(oid),))

    def _change(self, statement: str, values: tuple[bytes, ...]) -> None:
        with self._lock, suppress(AimdvcError):
            if self._database is not None:
                with locked(self._database):
                    self._database.execute(statement, values)

    def close(self) -> None:
        """Closes the database."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None:
                database.close()
