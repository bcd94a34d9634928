"""What maintenance does with the stored blobs of a server: lists, checks, takes away, puts back. One interface.

Which blobs to take is the caller's to know: nothing here looks at who owns what. What is taken lies in batches of the
trash until it is put back, or the batch is emptied.
"""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, Protocol

from aimdvc.model.oid import Oid
from aimdvc.store.blobs import BlobStore
from aimdvc.store.sweep import Taken


class Stored(NamedTuple):
    """One blob: its size in bytes, and when it was last wanted, in seconds since the epoch."""

    oid: Oid
    size: int
    seen_s: int


class Batch(NamedTuple):
    """What was taken at one time, in seconds since the epoch, and its bytes in the storage."""

    name: str
    time_s: int
    size: int


class Keeping(Protocol):
    """Maintenance of one storage, beside everything else that is done with it."""

    def iter_stored(self) -> Iterator[Stored]:
        """Yields every blob here, in no order. Those that come meanwhile may be missed."""

    def take(self, oids: Collection[Oid], before_s: int) -> Taken:
        """Moves those of the blobs that nobody wanted since `before_s` into a new batch of the trash."""

    def batches(self) -> list[Batch]:
        """Returns what is in the trash, oldest first."""

    def iter_batch(self, name: str) -> Iterator[Oid]:
        """Yields the blobs of a batch; some of them may be in the storage, too."""

    def put_back(self, name: str) -> None:
        """Puts a batch back. Safe to repeat."""

    def empty(self, name: str) -> None:
        """Deletes a batch. Safe to repeat."""

    def check(self, oid: Oid, advance: Callable[[int], None]) -> None:
        """Reads and hashes a blob; a damaged one is set aside, so that it counts as missing.

        Raises CorruptBlob, MissingBlob.
        """

    def size(self) -> int:
        """Returns the bytes of all blobs here, each counted once."""

    def clean(self, before_s: int) -> None:
        """Deletes what uploads that were cut before then left behind."""


class LocalKeeping:
    """Maintenance of a blob store on this machine."""

    def __init__(self, store: BlobStore, clean_uploads: Callable[[float], None]) -> None:
        self._store = store
        self._clean_uploads = clean_uploads

    def iter_stored(self) -> Iterator[Stored]:
        """See Keeping."""
        for one in self._store.sweeper().iter_stored():
            yield Stored(one.oid, one.size, one.seen)

    def take(self, oids: Collection[Oid], before_s: int) -> Taken:
        """See Keeping."""
        into = self._store.trash.begin("gc")
        sweeper = self._store.sweeper()
        packed = self._store.find_many(oids).keys()
        files = sweeper.take_files([oid for oid in oids if oid not in packed], before_s, into)
        taken = sweeper.take_packed(packed, before_s, into)
        return Taken(taken.blobs + files.blobs, taken.size + files.size)

    def batches(self) -> list[Batch]:
        """See Keeping."""
        return [Batch(one.name, one.time_s, one.size) for one in self._store.trash.batches()]

    def iter_batch(self, name: str) -> Iterator[Oid]:
        """See Keeping. Packs go into the trash whole, with blobs that were kept."""
        return self._store.trash.iter_oids(name)

    def put_back(self, name: str) -> None:
        """See Keeping."""
        self._store.trash.restore(name, self._store.catalog)

    def empty(self, name: str) -> None:
        """See Keeping."""
        self._store.trash.empty(name)

    def check(self, oid: Oid, advance: Callable[[int], None]) -> None:
        """See Keeping."""
        self._store.check(oid, advance)

    def size(self) -> int:
        """See Keeping."""
        return self._store.size_on_disk()

    def clean(self, before_s: int) -> None:
        """See Keeping. Every upload that begins does so for processes that are gone."""
        self._clean_uploads(before_s)
        with self._store.writer():
            pass
