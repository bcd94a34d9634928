"""Takes blobs out of the store, and joins blob packs. What to take is the caller's to know (ops/prune.py).

A blob is taken in the catalog's transaction, after its `seen` was looked at there: whoever noted it as wanted before
keeps it, whoever notes it afterwards finds it gone and stores it anew (store/catalog.py). A pack that loses blobs is
written anew without them; the old one goes to the trash whole. Cut anywhere, every blob that was to stay is in a pack
that the catalog knows or adopts; what was not taken yet is taken by the next run.
"""

import hashlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import CorruptBlob, StorageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers
from aimdvc.fs.system import pread
from aimdvc.model.frames import FRAME, MAGIC, end_frame, frame_header
from aimdvc.model.joining import worth_joining
from aimdvc.model.oid import Oid
from aimdvc.store.blobwriter import PACK_LIMIT
from aimdvc.store.catalog import Catalog, PackRow
from aimdvc.store.layout import Layout

_FILES_AT_ONCE = 500
_BUFFER = 1 << 20
JOIN_AT = 50
"""Blob packs; with as many small ones they are joined."""


class Stored(NamedTuple):
    """One blob here: its size in bytes, when it was last wanted, and the pack that holds it, None for a file."""

    oid: Oid
    size: int
    seen: int
    pack: str | None


@dataclass(slots=True)
class Taken:
    """What was taken out: blobs, and their bytes."""

    blobs: int = 0
    size: int = 0


class Sweeper:
    """Maintenance of one store. One at a time works best; several at once lose nothing."""

    def __init__(self, layout: Layout, catalog: Catalog, disk: Disk) -> None:
        self._layout = layout
        self._catalog = catalog
        self._disk = disk

    def iter_stored(self) -> Iterator[Stored]:
        """Yields every blob here: packs first, then files."""
        for name in self._catalog.pack_names():
            for row in self._catalog.pack_rows(name):
                yield Stored(row.oid, row.size, row.seen, name)
        for prefix in self._layout.prefixes():
            seen = self._catalog.files_seen(prefix)
            for oid, status in self._layout.iter_files(prefix):
                yield Stored(oid, status.st_size, max(int(status.st_mtime), seen.get(oid, 0)), None)

    def take_files(self, oids: Sequence[Oid], before: int, into: Path | None) -> Taken:
        """Moves files that nobody wanted since `before` into a trash batch, or deletes them where it is None."""
        taken = Taken()
        pending = iter(oids)
        while group := list(islice(pending, _FILES_AT_ONCE)):
            self._take_group(group, before, into, taken)
        return taken

    def _take_group(self, group: list[Oid], before: int, into: Path | None, taken: Taken) -> None:
        directories = set()
        with self._catalog.alone() as database:
            for oid in group:
                path = self._layout.blob_file(oid)
                with suppress(FileNotFoundError):
                    status = path.stat()
                    row = database.execute("SELECT seen FROM file WHERE oid = ?", (bytes.fromhex(oid),)).fetchone()
                    if max(int(status.st_mtime), row[0] if row else 0) >= before:
                        continue
                    if into is None:
                        self._disk.unlink(path)
                    else:
                        self._disk.make_directory(into / "files")
                        self._disk.rename(path, into / "files" / oid)
                    directories.add(path.parent)
                    taken.blobs, taken.size = taken.blobs + 1, taken.size + status.st_size
                    if row:
                        database.execute("DELETE FROM file WHERE oid = ?", (bytes.fromhex(oid),))
        if into is not None and directories:
            self._disk.sync_directory(into / "files")
        for directory in directories:
            self._disk.sync_directory(directory)

    def take_packed(self, oids: Collection[Oid], before: int, into: Path | None) -> Taken:
        """Takes packed blobs that nobody wanted since `before`; packs that held any go into the batch whole."""
        taken = Taken()
        held = {oid: place.pack for oid, place in self._catalog.find_many(oids).items()}
        losing = set(held.values())
        group: list[str] = []
        size = 0
        for name in self._catalog.pack_names():
            rows = self._catalog.pack_rows(name)
            if rows and name not in losing:
                continue
            group.append(name)
            size += sum(row.size for row in rows if row.oid not in held)
            if size >= PACK_LIMIT // 2:
                self._rewrite(group, held.keys(), before, into, taken)
                group, size = [], 0
        if group:
            self._rewrite(group, held.keys(), before, into, taken)
        return taken

    def small_packs(self, at_least: int | None = None) -> list[str]:
        """Returns the packs that are worth joining, none when there are fewer than `at_least`, else 50."""
        at_least = JOIN_AT if at_least is None else at_least
        packs = list(self._layout.iter_packs())
        return worth_joining(packs, at_least, PACK_LIMIT) if len(packs) >= at_least else []

    def join(self, names: Sequence[str]) -> None:
        """Makes one pack of several; the old ones are deleted when each of their blobs is in the new one, durable."""
        self._rewrite(names, (), 0, None, Taken())

    def _rewrite(
        self, names: Sequence[str], drop: Collection[Oid], before: int, into: Path | None, taken: Taken
    ) -> None:
        """Writes one pack of what is to stay of several, then takes them away in one transaction."""
        new = f"{os.urandom(16).hex()}.pack"
        try:
            moved = self._copy(names, drop, new)
        except FileNotFoundError:
            return  # Another maintenance was faster.
        gone: list[str] = []
        try:
            with self._catalog.alone() as database:
                known = dict(database.execute("SELECT name, id FROM pack"))
                target = known.get(new)
                if moved and target is None:
                    target = database.execute("INSERT INTO pack (name) VALUES (?)", (new,)).lastrowid
                for name in names:
                    if name not in known:
                        continue
                    database.executemany(
                        "UPDATE blob SET pack = ?, offset = ? WHERE oid = ? AND pack = ?",
                        ((target, offset, bytes.fromhex(oid), known[name]) for oid, offset in moved.get(name, ())),
                    )
                    if self._forget(database, known[name], drop, before, taken):
                        # Gone before the commit: a cut in between leaves a pack that is lost, and one to adopt.
                        self._remove(name, into)
                        gone.append(name)
                self._disk.sync_directory(self._layout.packs)
        except StorageError:
            if into is not None:
                for name in gone:
                    with suppress(FileNotFoundError):
                        self._disk.rename(into / "packs" / name, self._layout.packs / name)
            raise

    def _forget(
        self, database: sqlite3.Connection, pack: int, drop: Collection[Oid], before: int, taken: Taken
    ) -> bool:
        """Forgets a pack whose blobs are all to go; returns False where one was wanted meanwhile: it stays, then."""
        left = database.execute("SELECT oid, size, seen FROM blob WHERE pack = ?", (pack,)).fetchall()
        if any(seen >= before or Oid(oid.hex()) not in drop for oid, _, seen in left):
            return False
        database.execute("DELETE FROM blob WHERE pack = ?", (pack,))
        database.execute("DELETE FROM pack WHERE id = ?", (pack,))
        taken.blobs += len(left)
        taken.size += sum(size for _, size, _ in left)
        return True

    def _remove(self, name: str, into: Path | None) -> None:
        with suppress(FileNotFoundError):
            if into is None:
                self._disk.unlink(self._layout.packs / name)
            else:
                self._disk.make_directory(into / "packs")
                self._disk.rename(self._layout.packs / name, into / "packs" / name)
                self._disk.sync_directory(into / "packs")

    def _copy(self, names: Sequence[str], drop: Collection[Oid], new: str) -> dict[str, list[tuple[Oid, int]]]:
        """Writes the pack; returns by old pack what was copied: oid and offset in the new one. Streams."""
        moved: dict[str, list[tuple[Oid, int]]] = {}
        remove_leftovers(self._layout.temporary)
        with self._disk.create_temp(self._layout.temporary) as temp:
            parts = [MAGIC]
            position, held, count = len(MAGIC), 0, 0
            for name in names:
                copied = moved.setdefault(name, [])
                for row, content in self._contents(name, drop):
                    parts += (frame_header(row.oid, row.size), content)
                    copied.append((row.oid, position + FRAME.size))
                    position += FRAME.size + row.size
                    held += row.size
                    count += 1
                    if held >= _BUFFER:
                        temp.write(b"".join(parts))
                        parts, held = [], 0
            if not count:
                return {}
            parts.append(end_frame(count))
            temp.write(b"".join(parts))
            self._disk.publish(temp, self._layout.packs / new, 0o444)
        return moved

    def _contents(self, name: str, drop: Collection[Oid]) -> Iterator[tuple[PackRow, bytes]]:
        path = self._layout.packs / name
        rows = [row for row in self._catalog.pack_rows(name) if row.oid not in drop]
        if not rows:
            return
        with mapped(path):
            file = path.open("rb")
        with file:
            for row in rows:
                with mapped(path):
                    content = pread(file.fileno(), row.size, row.offset)
                if hashlib.sha256(content).hexdigest() != row.oid:
                    raise CorruptBlob(row.oid, f"{len(content)} bytes with another hash in pack '{name}'")
                yield row, content
