"""Maintenance of the blobs in a bucket. The trash is rows: bytes stay under their keys until a batch is emptied.

A row goes before its bytes: cut in between, a key is left that nothing names, and `clean` deletes it.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timezone
from itertools import islice
from typing import TypeVar

from sqlalchemy import delete, func, select

from aimdvc.errors import MissingBlob
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.bucket_blobs import BucketBlobs
from aimdvc.server.bucket_index import BucketIndex, Place, move_to_trash
from aimdvc.server.database import Database, now_s
from aimdvc.server.keeping import Batch, Stored
from aimdvc.server.objects import Objects
from aimdvc.server.schema import git_packs, stored_blobs, trashed_blobs
from aimdvc.store.sweep import Taken

_T = TypeVar("_T")

_PAGE = 1000
_GROUP = 500


class BucketKeeping:
    """See keeping.Keeping."""

    def __init__(self, objects: Objects, database: Database, index: BucketIndex, blobs: BucketBlobs) -> None:
        self._objects = objects
        self._database = database
        self._index = index
        self._blobs = blobs

    def iter_stored(self) -> Iterator[Stored]:
        """See Keeping."""
        last = b""
        columns = (stored_blobs.c.oid, stored_blobs.c.size, stored_blobs.c.seen_s)
        while True:
            query = select(*columns).where(stored_blobs.c.oid > last).order_by(stored_blobs.c.oid).limit(_PAGE)
            with self._database.read() as connection:
                page = connection.execute(query).all()
            if not page:
                return
            for oid, size, seen_s in page:
                yield Stored(Oid(oid.hex()), size, int(seen_s))
            last = page[-1][0]

    def take(self, oids: Collection[Oid], before_s: int) -> Taken:
        """See Keeping."""
        taken = Taken()
        stamp = datetime.fromtimestamp(now_s(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        batch = f"{stamp}-gc-{os.urandom(4).hex()}"
        for group in _groups(oids):
            places = self._index.find(group)
            with self._database.write(f"blobs {batch}") as connection:
                for place in move_to_trash(connection, batch, list(places.values()), before_s):
                    taken.blobs, taken.size = taken.blobs + 1, taken.size + place.size
        return taken

    def batches(self) -> list[Batch]:
        """See Keeping."""
        columns = (trashed_blobs.c.batch, func.min(trashed_blobs.c.taken_s), func.sum(trashed_blobs.c.size))
        query = select(*columns).group_by(trashed_blobs.c.batch).order_by(func.min(trashed_blobs.c.taken_s))
        with self._database.read() as connection:
            return [Batch(name, int(time_s), int(size)) for name, time_s, size in connection.execute(query)]

    def iter_batch(self, name: str) -> Iterator[Oid]:
        """See Keeping."""
        for _, place in self._iter_rows(name):
            yield place.oid

    def put_back(self, name: str) -> None:
        """See Keeping."""
        for group in _groups(self._iter_rows(name)):
            # There again, then gone from the trash: cut in between, it is in both.
            self._index.add([place for _, place in group])
            self._forget([number for number, _ in group])

    def empty(self, name: str) -> None:
        """See Keeping."""
        for group in _groups(self._iter_rows(name)):
            self._forget([number for number, _ in group])
            self._delete_unnamed({place.key for _, place in group})

    def check(self, oid: Oid, advance: Callable[[int], None]) -> None:
        """See Keeping."""
        place = self._index.find([oid]).get(oid)
        if place is None:
            raise MissingBlob(oid)
        for chunk in self._blobs.iter_blob(Pointer(oid, place.size)):
            advance(len(chunk))

    def size(self) -> int:
        """See Keeping."""
        with self._database.read() as connection:
            return int(connection.scalar(select(func.coalesce(func.sum(stored_blobs.c.size), 0))) or 0)

    def clean(self, before_s: int) -> None:
        """See Keeping. Deletes also what git packs that were joined left."""
        for prefix in ("blobs/", "packs/", "git/", "incoming/"):
            old = (one.key for one in self._objects.iter_keys(prefix) if one.written_s < before_s)
            for group in _groups(old):
                self._delete_unnamed(group)
        for key, upload, begun_s in self._objects.iter_begun(""):
            if begun_s < before_s:
                self._objects.abort(key, upload)

    def _iter_rows(self, batch: str) -> Iterator[tuple[int, Place]]:
        last = 0
        columns = (trashed_blobs.c.id, trashed_blobs.c.oid, trashed_blobs.c.size, trashed_blobs.c.key)
        while True:
            query = select(*columns, trashed_blobs.c.offset).where(
                trashed_blobs.c.batch == batch, trashed_blobs.c.id > last
            )
            with self._database.read() as connection:
                page = connection.execute(query.order_by(trashed_blobs.c.id).limit(_PAGE)).all()
            if not page:
                return
            for number, oid, size, key, offset in page:
                yield number, Place(Oid(oid.hex()), size, key, offset)
            last = page[-1][0]

    def _forget(self, numbers: list[int]) -> None:
        with self._database.write("trash") as connection:
            connection.execute(delete(trashed_blobs).where(trashed_blobs.c.id.in_(numbers)))

    def _delete_unnamed(self, keys: Iterable[str]) -> None:
        """Deletes those of the keys that no row names."""
        wanted = sorted(keys)
        stems = {key: key.removesuffix(".pack").removesuffix(".idx") for key in wanted if key.startswith("git/")}
        with self._database.read() as connection:
            named = set(connection.scalars(select(stored_blobs.c.key).where(stored_blobs.c.key.in_(wanted))))
            named |= set(connection.scalars(select(trashed_blobs.c.key).where(trashed_blobs.c.key.in_(wanted))))
            names = select(git_packs.c.key).where(git_packs.c.key.in_(sorted(set(stems.values()))))
            named |= set(connection.scalars(names))
        self._objects.delete([key for key in wanted if key not in named and stems.get(key) not in named])


def _groups(items: Iterable[_T]) -> Iterator[list[_T]]:
    pending = iter(items)
    while group := list(islice(pending, _GROUP)):
        yield group
