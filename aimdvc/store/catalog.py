"""Where each packed blob lies: store.db. Rebuilt from the packs whenever it is lost or behind."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import CorruptRepository, ProtocolError
from aimdvc.fs.disk import Disk
from aimdvc.fs.sqlite import locked, mapped_sqlite, open_database
from aimdvc.model.frames import scan_frames
from aimdvc.model.oid import Oid

FORMAT = 1
_BATCH = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pack (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS blob (
    oid BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL, seen INTEGER NOT NULL
) WITHOUT ROWID;
"""


class PackedBlob(NamedTuple):
    """Where a blob lies in a pack: the pack's file name, byte offset and size."""

    pack: str
    offset: int
    size: int


class Catalog:
    """The open store.db of one process; safe to use from several threads."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._disk = disk
        self.path = root / "store.db"
        self._packs = root / "blobs" / "packs"
        self._lock = threading.RLock()
        self._database = open_database(self.path, _SCHEMA, FORMAT)
        self.adopt_new_packs()

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    def adopt_new_packs(self) -> None:
        """Reads the frames of packs that the catalog doesn't know, left by a crash or copied in; forgets lost packs."""
        with self._lock, mapped_sqlite(self.path):
            known = dict(self._database.execute("SELECT name, id FROM pack"))
            present = {path.name for path in self._packs.iterdir() if path.suffix == ".pack"}
            if known.keys() == present:
                return
            with locked(self._database):
                for name in known.keys() - present:
                    self._database.execute("DELETE FROM blob WHERE pack = ?", (known[name],))
                    self._database.execute("DELETE FROM pack WHERE id = ?", (known[name],))
                if present - known.keys():
                    self._disk.sync_directory(self._packs)  # A crash may have come between the name and its durability.
                for name in sorted(present - known.keys()):
                    self._insert(name, list(_scan(self._packs / name)))

    def insert_pack(self, name: str, blobs: Iterable[tuple[Oid, int, int]], touched: Iterable[Oid] = ()) -> None:
        """Adds a published pack's blobs, each (oid, offset, size), durably, in one transaction."""
        with self._lock, locked(self._database):
            self._insert(name, blobs)
            self._touch(touched)

    def _insert(self, name: str, blobs: Iterable[tuple[Oid, int, int]]) -> None:
        found = self._database.execute("SELECT id FROM pack WHERE name = ?", (name,)).fetchone()
        if found is not None:
            return
        pack = self._database.execute("INSERT INTO pack (name) VALUES (?)", (name,)).lastrowid
        now = int(time.time())
        self._database.executemany(
            "INSERT OR REPLACE INTO blob VALUES (?, ?, ?, ?, ?)",
            ((bytes.fromhex(oid), pack, offset, size, now) for oid, offset, size in blobs),
        )

    def touch(self, oids: Iterable[Oid]) -> None:
        """Notes that blobs were wanted now, so that prune leaves them."""
        with self._lock, locked(self._database):
            self._touch(oids)

    def _touch(self, oids: Iterable[Oid]) -> None:
        now = int(time.time())
        self._database.executemany(
            "UPDATE blob SET seen = ? WHERE oid = ?", ((now, bytes.fromhex(oid)) for oid in oids)
        )

    def forget(self, oid: Oid) -> None:
        """Drops a blob whose bytes in its pack are damaged."""
        with self._lock, locked(self._database):
            self._database.execute("DELETE FROM blob WHERE oid = ?", (bytes.fromhex(oid),))

    def find(self, oid: Oid) -> PackedBlob | None:
        """Returns where a blob lies, or None."""
        with self._lock, mapped_sqlite(self.path):
            row = self._database.execute(
                "SELECT name, offset, size FROM blob JOIN pack ON pack.id = pack WHERE oid = ?", (bytes.fromhex(oid),)
            ).fetchone()
        return PackedBlob(*row) if row else None

    def find_many(self, oids: Iterable[Oid]) -> dict[Oid, PackedBlob]:
        """Returns where those of the blobs lie that are packed."""
        found: dict[Oid, PackedBlob] = {}
        batch: list[bytes] = []
        with self._lock, mapped_sqlite(self.path):
            names = {identity: name for name, identity in self._database.execute("SELECT name, id FROM pack")}
            for oid in oids:
                batch.append(bytes.fromhex(oid))
                if len(batch) == _BATCH:
                    self._find_batch(batch, names, found)
                    batch = []
            if batch:
                self._find_batch(batch, names, found)
        return found

    def _find_batch(self, batch: list[bytes], names: dict[int, str], found: dict[Oid, PackedBlob]) -> None:
        marks = ",".join("?" * len(batch))
        for oid, pack, offset, size in self._database.execute(
            f"SELECT oid, pack, offset, size FROM blob WHERE oid IN ({marks})",  # noqa: S608
            batch,
        ):
            found[Oid(oid.hex())] = PackedBlob(names[pack], offset, size)

    def iter_blobs(self) -> Iterator[tuple[Oid, PackedBlob]]:
        """Yields every packed blob, pack by pack in the order of their bytes."""
        last = (0, -1)
        while True:
            with self._lock, mapped_sqlite(self.path):
                rows: list[sqlite3.Row] = self._database.execute(
                    "SELECT pack, offset, oid, name, size FROM blob JOIN pack ON pack.id = pack"
                    " WHERE (pack, offset) > (?, ?) ORDER BY pack, offset LIMIT 10000",
                    last,
                ).fetchall()
            if not rows:
                return
            for pack, offset, oid, name, size in rows:
                last = (pack, offset)
                yield Oid(oid.hex()), PackedBlob(name, offset, size)


def _scan(path: Path) -> Iterator[tuple[Oid, int, int]]:
    with path.open("rb") as file:
        try:
            for frame in scan_frames(file.read, lambda size: _skip(file.seek, size), str(path)):
                yield frame.oid, frame.offset, frame.size
        except ProtocolError as error:
            raise CorruptRepository(str(path), error.message) from error


def _skip(seek: Callable[[int, int], int], size: int) -> None:
    seek(size, 1)
