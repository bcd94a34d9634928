"""Git packs in a bucket, of which each machine keeps copies: `repositories.py` reads files.

    git/<artifact>/<name>-<random>.pack, .idx

Which packs an artifact has is told by rows in the database; what lies in the directory of the copies may be lost at any
time. A pack is in the bucket, then it has its row, then its copy. Packs that were joined leave their rows in the
transaction that brings the new one's; their keys stay until gc, for those who just read the rows.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Select, delete, insert, select

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.server.bucket_upload import put_stream
from aimdvc.server.database import Database
from aimdvc.server.limits import CHUNK_BYTES
from aimdvc.server.objects import Objects
from aimdvc.server.pack_copies import PackCopies
from aimdvc.server.repositories import Repository, ensure_repository
from aimdvc.server.schema import git_packs

_TRIES = 5
_PARTS = (".idx", ".pack")
"""In the order in which they appear: readers look for the pack."""


@dataclass(frozen=True, slots=True)
class BucketPacks:
    """The git packs of one server in a bucket, of which this machine holds copies."""

    objects: Objects
    database: Database
    copies: PackCopies
    disk: Disk

    def repository(self, artifact: str) -> Repository:
        """Returns the open git packs of an artifact; close it."""
        directory, using = self.copies.use(artifact)
        try:
            ensure_repository(directory, self.disk)
            with mapped(directory):
                os.utime(directory)
            shelf = _BucketShelf(self, artifact, directory, using)
            shelf.bring()
            return Repository(directory, self.disk, shelf)
        except BaseException:  # Whatever stopped it, an interrupt too: the copies are no longer in use.
            using.close()
            raise

    def drop(self, artifact: str) -> None:
        """Deletes the packs of an artifact, and what clients were sending to the bucket. See storage.Storage."""
        # Rows, then bytes: cut in between, the same call finds the keys.
        with self.database.write(artifact) as connection:
            connection.execute(delete(git_packs).where(git_packs.c.artifact == artifact))
        for prefix in (f"git/{artifact}/", f"incoming/{artifact}/"):
            self.objects.delete([one.key for one in self.objects.iter_keys(prefix)])
        self.copies.drop(artifact)


class _BucketShelf:
    """The packs of one artifact: see repositories.Shelf."""

    def __init__(self, packs: BucketPacks, artifact: str, directory: Path, using: ExitStack) -> None:
        self._objects = packs.objects
        self._database = packs.database
        self._copies = packs.copies
        self._using = using
        self._artifact = artifact
        self._directory = directory
        self._packs = directory / "objects" / "pack"
        self._disk = packs.disk

    def bring(self) -> None:
        for _ in range(_TRIES):
            # Listed first: what was published since has its row, too, and is not taken for one that was joined.
            here = self._here()
            rows = self._rows()
            try:
                for name in rows.keys() - here:
                    self._fetch(name, rows[name])
            except KeyError:
                continue  # Joined meanwhile, and long ago: the rows tell what it became.
            for name in here - rows.keys():
                for part in reversed(_PARTS):
                    self._disk.unlink(self._packs / (name + part))
            return
        raise CorruptRepository(self._directory.name, "a git pack is gone from the storage")

    def put(self, name: str, pack: Path, index: Path, old: Sequence[str] = ()) -> None:
        key = self._store(name, pack, index)
        with self._database.write(self._artifact) as connection:
            self._forget(connection, [stem for stem in old if stem != name])
            if not self._has(connection, name):
                connection.execute(insert(git_packs), {"artifact": self._artifact, "name": name, "key": key})

    @contextmanager
    def replacing(self) -> Iterator[None]:
        self.bring()
        before = self._here()
        yield
        after = self._here()
        gone, new = before - after, after - before
        keys = {name: self._store(name, *(self._packs / (name + part) for part in reversed(_PARTS))) for name in new}
        with self._database.write(self._artifact) as connection:
            known = set(connection.scalars(self._names()))
            # Another process may have joined some of them meanwhile: then its pack has them, and ours is not needed.
            if gone <= known:
                rows = [{"artifact": self._artifact, "name": name, "key": key} for name, key in keys.items()]
                if rows:
                    connection.execute(insert(git_packs), rows)
                self._forget(connection, sorted(gone))
        self.bring()

    def close(self) -> None:
        self._using.close()
        self._copies.settle()

    def _here(self) -> set[str]:
        return {name.removesuffix(".pack") for name in os.listdir(self._packs) if name.endswith(".pack")}

    def _rows(self) -> dict[str, str]:
        query = select(git_packs.c.name, git_packs.c.key).where(git_packs.c.artifact == self._artifact)
        with self._database.read() as connection:
            return {str(name): str(key) for name, key in connection.execute(query)}

    def _names(self) -> "Select[tuple[str]]":
        return select(git_packs.c.name).where(git_packs.c.artifact == self._artifact)

    def _forget(self, connection: Connection, names: Sequence[str]) -> None:
        connection.execute(delete(git_packs).where(git_packs.c.artifact == self._artifact, git_packs.c.name.in_(names)))

    def _has(self, connection: Connection, name: str) -> bool:
        query = select(git_packs.c.name).where(git_packs.c.artifact == self._artifact, git_packs.c.name == name)
        return connection.scalar(query) is not None

    def _store(self, name: str, pack: Path, index: Path) -> str:
        key = f"git/{self._artifact}/{name}-{secrets.token_hex(8)}"
        for part, path in ((".idx", index), (".pack", pack)):
            self._copies.grew(path.stat().st_size)
            with path.open("rb") as file:
                chunks = iter(lambda: file.read(CHUNK_BYTES), b"")
                put_stream(self._objects, key + part, chunks, path.stat().st_size, self._directory / "incoming")
        return key

    def _fetch(self, name: str, key: str) -> None:
        for part in _PARTS:
            with self._disk.create_temp(self._directory / "incoming") as temp:
                for chunk in self._objects.get(key + part):
                    temp.write(chunk)
                    self._copies.grew(len(chunk))
                # Synced as all that is published: a copy that a power cut tore would look like damage for ever.
                self._disk.publish(temp, self._packs / (name + part), 0o444)
