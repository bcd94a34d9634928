"""Where each packed blob lies, and when each blob was last wanted: store.db. Rebuilt from the packs if lost or behind.

`seen` is what keeps prune from racing an add: who wants a blob that is here notes so first, and looks afterwards; who
takes one away looks at `seen` and takes it in one transaction. Of a blob without a row (a file that nobody wanted since
it was written) the file's own time counts; one that the user's own file became is noted at once.
"""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import CorruptRepository, DiskFull, ProtocolError, ReadOnlyStorage
from aimdvc.fs.disk import Disk
from aimdvc.fs.sqlite import faults_of, locked, mapped_sqlite, open_database, set_database_aside
from aimdvc.model.frames import MAGIC, scan_frames
from aimdvc.model.oid import Oid

FORMAT = 2
_BATCH = 500
FRESH_S = 3600
"""Seconds; a blob seen as recently as this isn't noted again. Who deletes at once leaves what was seen within it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pack (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS blob (
    oid BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL, seen INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS file (oid BLOB PRIMARY KEY, seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blob_of_pack ON blob (pack, offset);
CREATE TABLE IF NOT EXISTS checksum (oid BLOB PRIMARY KEY, md5 BLOB NOT NULL) WITHOUT ROWID;
"""


class PackedBlob(NamedTuple):
    """Where a blob lies in a pack: the pack's file name, byte offset and size."""

    pack: str
    offset: int
    size: int


class PackRow(NamedTuple):
    """One blob of a pack: byte offset, size, and when it was last wanted, in seconds."""

    oid: Oid
    offset: int
    size: int
    seen: int


class Catalog:
    """The open store.db of one process; safe to use from several threads."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._disk = disk
        self.path = root / "store.db"
        self._packs = root / "blobs" / "packs"
        self._lock = threading.RLock()
        self._database = open_database(self.path, _SCHEMA, FORMAT)
        try:
            self._adopt_if_writable()
        except CorruptRepository:
            self.make_anew()

    def make_anew(self) -> None:
        """Sets a damaged database aside, and reads all packs again."""
        self._database.close()
        set_database_aside(self.path)
        self._database = open_database(self.path, _SCHEMA, FORMAT)
        self._adopt_if_writable()

    def _adopt_if_writable(self) -> None:
        # Where nothing can be written, reading goes on with what is known: the next one that can write adopts them.
        with suppress(DiskFull, ReadOnlyStorage):
            self.adopt_new_packs()

    def close(self) -> None:
        """Closes the database."""
        self._database.close()

    def faults(self) -> list[str]:
        """Returns what is wrong with the database itself; reads all of it."""
        with self._lock:
            return faults_of(self._database)

    def adopt_new_packs(self) -> None:
        """Reads the frames of packs that the catalog doesn't know, left by a crash or copied in; forgets lost packs."""
        with self._lock, mapped_sqlite(self.path):
            if self._known().keys() == self._present():
                return
            # Looked at again as the only writer: a pack that is on its way to the trash is neither new nor lost.
            with locked(self._database):
                known, present = self._known(), self._present()
                for name in known.keys() - present:
                    self._database.execute("DELETE FROM blob WHERE pack = ?", (known[name],))
                    self._database.execute("DELETE FROM pack WHERE id = ?", (known[name],))
                if present - known.keys():
                    self._disk.sync_directory(self._packs)  # A crash may have come between the name and its durability.
                for name in sorted(present - known.keys()):
                    self._insert(name, scan_pack(self._packs / name)[0])

    def _known(self) -> dict[str, int]:
        return dict(self._database.execute("SELECT name, id FROM pack"))

    def _present(self) -> set[str]:
        return {path.name for path in self._packs.iterdir() if path.suffix == ".pack" and path.is_file()}

    def insert_pack(self, name: str, blobs: Iterable[tuple[Oid, int, int]]) -> None:
        """Adds a published pack's blobs, each (oid, offset, size), durably, in one transaction.

        One that is gone by now was adopted by another process and joined with others: its blobs lie there.
        """
        with self._lock, locked(self._database):
            # Packs go only within a transaction, so what is there stays until this one ends.
            if (self._packs / name).exists():
                self._insert(name, blobs)

    def _insert(self, name: str, blobs: Iterable[tuple[Oid, int, int]]) -> None:
        if self._database.execute("SELECT 1 FROM pack WHERE name = ?", (name,)).fetchone():
            return
        pack = self._database.execute("INSERT INTO pack (name) VALUES (?)", (name,)).lastrowid
        now = int(time.time())
        self._database.executemany(
            "INSERT OR REPLACE INTO blob VALUES (?, ?, ?, ?, ?)",
            ((bytes.fromhex(oid), pack, offset, size, now) for oid, offset, size in blobs),
        )

    def touch(self, oids: Iterable[Oid]) -> bool:
        """Notes that blobs were wanted now, so that prune leaves them; durable. Returns whether any had to be noted.

        What was noted within the last hour is not noted again, so most calls only read.
        """
        with self._lock, mapped_sqlite(self.path):
            stale = [oid for batch in _batches(oids) for oid in self._stale(batch)]
            if not stale:
                return False
            with locked(self._database):
                self._touch(stale)
        return True

    def _stale(self, batch: list[bytes]) -> list[Oid]:
        marks = ",".join("?" * len(batch))
        fresh = self._database.execute(
            f"SELECT oid FROM blob WHERE oid IN ({marks}) AND seen > ? UNION ALL"  # noqa: S608
            f" SELECT oid FROM file WHERE oid IN ({marks}) AND seen > ?",
            (*batch, int(time.time()) - FRESH_S, *batch, int(time.time()) - FRESH_S),
        )
        known = {row[0] for row in fresh}
        return [Oid(oid.hex()) for oid in batch if oid not in known]

    def _touch(self, oids: Iterable[Oid]) -> None:
        now = int(time.time())
        for oid in oids:
            raw = bytes.fromhex(oid)
            if not self._database.execute("UPDATE blob SET seen = ? WHERE oid = ?", (now, raw)).rowcount:
                self._database.execute("INSERT OR REPLACE INTO file VALUES (?, ?)", (raw, now))

    def forget(self, oid: Oid, place: PackedBlob) -> None:
        """Drops a blob whose bytes at a place are damaged; does nothing when it lies elsewhere by now."""
        with self._lock, locked(self._database):
            self._database.execute(
                "DELETE FROM blob WHERE oid = ? AND offset = ? AND pack = (SELECT id FROM pack WHERE name = ?)",
                (bytes.fromhex(oid), place.offset, place.pack),
            )

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
        with self._lock, mapped_sqlite(self.path), self._one_view():
            for batch in _batches(oids):
                self._find_batch(batch, found)
        return found

    @contextmanager
    def _one_view(self) -> Iterator[None]:
        """Shows the catalog as it is now until the end: packs come and go, and the numbers of those gone come again."""
        if self._database.in_transaction:
            yield
            return
        self._database.execute("BEGIN")
        try:
            yield
        finally:
            self._database.execute("COMMIT")

    def _find_batch(self, batch: list[bytes], found: dict[Oid, PackedBlob]) -> None:
        marks = ",".join("?" * len(batch))
        for oid, name, offset, size in self._database.execute(
            f"SELECT oid, name, offset, size FROM blob JOIN pack ON pack.id = pack WHERE oid IN ({marks})",  # noqa: S608
            batch,
        ):
            found[Oid(oid.hex())] = PackedBlob(sys.intern(name), offset, size)

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

    def checksums(self, oids: Iterable[Oid]) -> dict[Oid, str]:
        """Returns the MD5, in hex digits, of those of the blobs of which it was kept."""
        found: dict[Oid, str] = {}
        with self._lock, mapped_sqlite(self.path):
            for batch in _batches(oids):
                marks = ",".join("?" * len(batch))
                rows = self._database.execute(f"SELECT oid, md5 FROM checksum WHERE oid IN ({marks})", batch)  # noqa: S608
                found.update((Oid(oid.hex()), md5.hex()) for oid, md5 in rows)
        return found

    def keep_checksums(self, checksums: Mapping[Oid, str]) -> None:
        """Keeps the MD5 of blobs, in hex digits."""
        rows = [(bytes.fromhex(oid), bytes.fromhex(md5)) for oid, md5 in checksums.items()]
        with self.alone() as database:
            database.executemany("INSERT OR REPLACE INTO checksum VALUES (?, ?)", rows)

    # What maintenance needs (store/sweep.py)

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """Holds the catalog as its only writer; what is changed within is durable at the end, or undone."""
        with self._lock, mapped_sqlite(self.path), locked(self._database):
            yield self._database

    def pack_rows(self, name: str) -> list[PackRow]:
        """Returns a pack's blobs, in the order of their bytes."""
        with self._lock, mapped_sqlite(self.path):
            rows = self._database.execute(
                "SELECT oid, offset, size, seen FROM blob JOIN pack ON pack.id = pack WHERE name = ? ORDER BY offset",
                (name,),
            ).fetchall()
        return [PackRow(Oid(oid.hex()), offset, size, seen) for oid, offset, size, seen in rows]

    def pack_names(self) -> list[str]:
        """Returns the names of the packs, sorted."""
        with self._lock, mapped_sqlite(self.path):
            return sorted(self._known())

    def files_seen(self, prefix: str) -> dict[Oid, int]:
        """Returns when blobs stored as files were last wanted, for those whose oids begin with two digits."""
        low = bytes.fromhex(prefix)
        with self._lock, mapped_sqlite(self.path):
            rows = self._database.execute(
                "SELECT oid, seen FROM file WHERE oid >= ? AND oid <= ?", (low, low + b"\xff" * 32)
            ).fetchall()
        return {Oid(oid.hex()): seen for oid, seen in rows}

    def newest_seen(self) -> int:
        """Returns the latest time at which a blob was wanted, in seconds; 0 when none was."""
        with self._lock, mapped_sqlite(self.path):
            row = self._database.execute(
                "SELECT max(ifnull((SELECT max(seen) FROM blob), 0), ifnull((SELECT max(seen) FROM file), 0))"
            ).fetchone()
        return int(row[0])


def _batches(oids: Iterable[Oid]) -> Iterator[list[bytes]]:
    pending = iter(oids)
    while batch := [bytes.fromhex(oid) for oid in islice(pending, _BATCH)]:
        yield batch


def iter_pack(path: Path) -> Iterator[tuple[Oid, int, int]]:
    """Yields (oid, offset, size) of every blob in a pack, without reading their bytes. Raises CorruptRepository."""
    with path.open("rb") as file:
        try:
            for frame in scan_frames(file.read, lambda size: _skip(file.seek, size), str(path)):
                yield frame.oid, frame.offset, frame.size
        except ProtocolError as error:
            raise CorruptRepository(str(path), error.message) from error


def scan_pack(path: Path) -> tuple[list[tuple[Oid, int, int]], str]:
    """Returns the frames of a pack, as `iter_pack`, and what is wrong with it, "" for nothing.

    Of a pack that is cut or malformed, the frames before the damage. Raises CorruptRepository for one of a later
    version: nothing of it is touched.
    """
    found: list[tuple[Oid, int, int]] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC and magic.startswith(MAGIC[:-1]):
        raise CorruptRepository(str(path), "no aimd-pack of version 1")
    try:
        for oid, offset, length in iter_pack(path):
            if offset + length > size:
                return found, "is cut within a blob"
            found.append((oid, offset, length))
    except CorruptRepository:
        return found, "is cut, or no aimd-pack any more"
    return found, ""


def _skip(seek: Callable[[int, int], int], size: int) -> None:
    seek(size, 1)
