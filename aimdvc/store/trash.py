"""The trash: what was taken out of the store, whole, until `trash empty` deletes it.

    trash/20261125T071500Z-prune-3fa9c1d2/      when, by what; a name of its own each time
        files/OID                               blobs that were files
        packs/NAME.pack                         blob packs that held blobs which were taken

All moves are renames within one file system. A name tells all there is to know of a batch, so that a full disk can't
keep it from being made.
"""

import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from aimdvc.errors import CorruptBlob
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.model.oid import Oid
from aimdvc.store.catalog import Catalog, iter_pack
from aimdvc.store.layout import Layout

_NAME = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([a-z]+)-[0-9a-f]{8}")
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Batch:
    """What was taken at one time: `time_s` since the epoch, `size` in bytes on disk."""

    name: str
    why: str
    time_s: int
    files: int
    packs: int
    size: int


class Trash:
    """The trash of one store."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        self._layout = layout
        self._disk = disk

    def begin(self, why: str) -> Path:
        """Returns the directory of a new batch; nothing is made before something is put there."""
        now = datetime.fromtimestamp(time.time(), timezone.utc)
        return self._layout.trash / f"{now.strftime(_TIME)}-{why}-{os.urandom(4).hex()}"

    def is_empty(self) -> bool:
        """Returns whether nothing is there."""
        return not self._directories()

    def batches(self) -> list[Batch]:
        """Returns what is there, oldest first."""
        return [batch for path in self._directories() if (batch := _described(path)) is not None]

    def _directories(self) -> list[Path]:
        try:
            with mapped(self._layout.trash):
                names = sorted(os.listdir(self._layout.trash))
        except FileNotFoundError:
            return []
        paths = [self._layout.trash / name for name in names if _NAME.fullmatch(name)]
        return [path for path in paths if path.is_dir() and not path.is_symlink()]

    def find_file(self, oid: Oid) -> Path | None:
        """Returns where a blob that was a file lies in the trash, in the newest batch, or None."""
        for directory in reversed(self._directories()):
            path = directory / "files" / oid
            if path.exists():
                return path
        return None

    def iter_packed(self, oids: Collection[Oid]) -> Iterator[tuple[Oid, Path, int, int]]:
        """Yields (oid, pack, byte offset, size) of those of the blobs that lie in packs, newest batch first."""
        for directory in reversed(self._directories()):
            for pack in sorted(directory.glob("packs/*.pack")):
                for oid, offset, size in iter_pack(pack):
                    if oid in oids:
                        yield oid, pack, offset, size

    def iter_oids(self, name: str) -> Iterator[Oid]:
        """Yields every blob that a batch holds, those that the store has, too."""
        for path in sorted((self._layout.trash / name).glob("files/*")):
            yield Oid(path.name)
        for pack in sorted((self._layout.trash / name).glob("packs/*.pack")):
            for oid, _, _ in iter_pack(pack):
                yield oid

    def restore(self, name: str, catalog: Catalog) -> None:
        """Puts a batch back. What the store has again by itself stays in the trash. Safe to repeat."""
        directory = self._layout.trash / name
        for path in sorted(directory.glob("files/*")):
            put_back_file(path, self._layout, catalog, self._disk)
        for pack in sorted(directory.glob("packs/*.pack")):
            self._disk.rename(pack, self._layout.packs / pack.name)
        self._disk.sync_directory(self._layout.packs)
        catalog.adopt_new_packs()
        self._remove_empty(directory)

    def empty(self, name: str) -> None:
        """Deletes a batch: the one place of the store that deletes what has no copy. Safe to repeat."""
        directory = self._layout.trash / name
        for path in sorted([*directory.glob("files/*"), *directory.glob("packs/*")]):
            self._disk.unlink(path)
        self._remove_empty(directory)
        self._disk.sync_directory(self._layout.trash)

    def _remove_empty(self, directory: Path) -> None:
        for path in (directory / "files", directory / "packs", directory):
            if path.is_dir() and not os.listdir(path):
                self._disk.before("rmdir", path)
                with mapped(path):
                    path.rmdir()


def put_back_file(path: Path, layout: Layout, catalog: Catalog, disk: Disk) -> None:
    """Moves a blob that was a file back into the store, as one that was wanted now; not over one that is there."""
    oid = Oid(path.name)
    target = layout.blob_file(oid)
    catalog.touch([oid])
    if target.exists():
        return
    disk.make_directory(target.parent)
    disk.rename(path, target)
    disk.sync_directory(target.parent)


def read_packed(pack: Path, oid: Oid, offset: int, size: int) -> bytes:
    """Returns the bytes at a place of a pack in the trash. Raises CorruptBlob for fewer."""
    with mapped(pack), pack.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) != size:
        raise CorruptBlob(oid, f"{len(content)} bytes in '{pack}', expected {size}")
    return content


def _described(path: Path) -> Batch | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    files = packs = size = 0
    for kind in ("files", "packs"):
        with suppress(FileNotFoundError):  # Another command may be emptying it.
            for entry in os.scandir(path / kind):
                size += entry.stat(follow_symlinks=False).st_size
                files, packs = files + (kind == "files"), packs + (kind == "packs")
    moment = datetime.strptime(match[1], _TIME).replace(tzinfo=timezone.utc)
    return Batch(path.name, match[2], int(moment.timestamp()), files, packs, size)
