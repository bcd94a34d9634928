"""What a writer of blobs keeps, and what it throws away, when the disk fails under it."""

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from aimdvc.errors import CorruptBlob, DiskFull, StorageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import storage_error
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.store.blobs import BlobStore


class Faulty:
    """Fails the next durable step of a kind, once."""

    def __init__(self) -> None:
        self.operation = ""
        self.number = 0

    def __call__(self, operation: str, path: Path | str) -> None:
        if operation == self.operation:
            self.operation = ""
            raise storage_error(OSError(self.number, errno.errorcode[self.number]), path)

    def arm(self, operation: str, number: int) -> None:
        self.operation, self.number = operation, number


@pytest.fixture
def faulty() -> Faulty:
    return Faulty()


@pytest.fixture
def make_store(tmp_path: Path, faulty: Faulty) -> Callable[[], BlobStore]:
    return lambda: BlobStore(tmp_path, Disk(faulty))


def oid_of(content: bytes) -> Oid:
    return Oid(hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(("operation", "number"), [("write", errno.ENOSPC), ("fsync", errno.EIO)])
def test_a_pack_that_the_disk_refused_is_not_written_on(
    make_store: Callable[[], BlobStore], faulty: Faulty, operation: str, number: int
) -> None:
    contents = [b"%d" % number * 1000 for number in range(5)]
    with make_store() as store:
        with pytest.raises(StorageError), store.writer() as writer:
            for content in contents:
                writer.add_bytes(content)
            faulty.arm(operation, number)
        assert store.missing(map(oid_of, contents)) == set(map(oid_of, contents))
        assert not list(store.layout.packs.iterdir())
        with store.writer() as writer:
            for content in contents:
                writer.add_bytes(content)
        assert [store.read(oid_of(content)) for content in contents] == contents


def test_a_disk_that_fills_up_after_a_bad_blob_is_told_of(make_store: Callable[[], BlobStore], faulty: Faulty) -> None:
    good = b"good"
    with make_store() as store:
        with pytest.raises(DiskFull), store.writer() as writer:
            writer.receive(Pointer(oid_of(good), len(good)), [good])
            faulty.arm("write", errno.ENOSPC)
            writer.receive(Pointer(oid_of(b"other"), 5), [b"wrong"])
        assert not store.has(oid_of(good))


def test_what_came_before_a_bad_blob_is_kept(make_store: Callable[[], BlobStore]) -> None:
    good = b"good"
    with make_store() as store:
        with pytest.raises(CorruptBlob), store.writer() as writer:
            writer.receive(Pointer(oid_of(good), len(good)), [good])
            writer.receive(Pointer(oid_of(b"other"), 5), [b"wrong"])
        assert store.read(oid_of(good)) == good


def test_an_interrupt_keeps_what_was_whole(make_store: Callable[[], BlobStore]) -> None:
    with make_store() as store:
        with pytest.raises(KeyboardInterrupt), store.writer() as writer:
            writer.add_bytes(b"kept")
            raise KeyboardInterrupt
        assert store.read(oid_of(b"kept")) == b"kept"


def test_a_download_that_could_not_be_synced_is_fetched_again(
    make_store: Callable[[], BlobStore], faulty: Faulty
) -> None:
    content = bytes(range(256)) * 512
    pointer = Pointer(oid_of(content), len(content))
    with make_store() as store, store.writer() as writer:
        partial = writer.partial(pointer)
        partial.append(content)
        faulty.arm("fsync", errno.EIO)
        with pytest.raises(StorageError):
            partial.finish()
        partial.close()
        again = writer.partial(pointer)
        assert again.size_bytes == 0
        again.append(content)
        again.finish()
        store.verify(pointer.oid)


def test_the_same_content_is_stored_once(make_store: Callable[[], BlobStore]) -> None:
    with make_store() as store:
        for _ in range(2):
            with store.writer() as writer:
                for _ in range(3):
                    writer.add_bytes(b"same")
        assert list(store.iter_pointers()) == [Pointer(oid_of(b"same"), 4)]
        assert len(list(store.layout.packs.iterdir())) == 1
