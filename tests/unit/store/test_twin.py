"""A blob that comes again is compared with the file that is here: nothing is written where they agree."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aimdvc.errors import CorruptBlob
from aimdvc.fs import system
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.settings import Link
from aimdvc.store.blobs import BlobStore

CHUNK = 1 << 20
# It ends in a chunk of zeros, which becomes a hole.
CONTENT = os.urandom(3 * CHUNK) + bytes(CHUNK)
POINTER = Pointer(Oid(hashlib.sha256(CONTENT).hexdigest()), len(CONTENT))
DAMAGES = {
    "first byte": b"?" + CONTENT[1:],
    "middle": CONTENT[: 2 * CHUNK] + b"?" + CONTENT[2 * CHUNK + 1 :],
    "last byte": CONTENT[:-1] + b"?",
    "cut short": CONTENT[: 3 * CHUNK],
    "empty": b"",
    "too long": CONTENT + b"?",
}


class Steps:
    """Remembers the durable steps."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def __call__(self, operation: str, path: Path | str) -> None:
        self.taken.append(operation)


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def store(tmp_path: Path, steps: Steps) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "store", Disk(steps)) as store:
        with store.writer() as writer:
            writer.receive(POINTER, chunks())
        steps.taken.clear()
        yield store


def chunks(content: bytes = CONTENT) -> Iterator[bytes]:
    yield from (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))


def damage(store: BlobStore, content: bytes) -> None:
    path = store.layout.blob_file(POINTER.oid)
    path.chmod(0o644)
    path.write_bytes(content)


def receive(store: BlobStore, coming: Iterator[bytes]) -> None:
    with store.writer() as writer:
        writer.receive(POINTER, coming)


def temporary(store: BlobStore) -> list[Path]:
    return [path for path in store.layout.temporary.rglob("*") if path.is_file()]


def test_a_blob_that_comes_again_is_not_written_again(store: BlobStore, steps: Steps) -> None:
    before = store.layout.blob_file(POINTER.oid).stat()
    receive(store, chunks())
    after = store.layout.blob_file(POINTER.oid).stat()
    # Whoever wrote it may not have lived to make its name durable.
    assert steps.taken == ["syncfs"]
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("there", DAMAGES.values(), ids=DAMAGES)
def test_one_that_is_damaged_is_healed_by_what_comes(store: BlobStore, there: bytes) -> None:
    damage(store, there)
    receive(store, chunks())
    store.verify(POINTER.oid)
    assert not temporary(store)


@pytest.mark.parametrize("link", ["copy", "hardlink"])
@pytest.mark.parametrize("there", [CONTENT, *DAMAGES.values()], ids=["whole", *DAMAGES])
def test_so_it_is_by_what_is_added(store: BlobStore, tmp_path: Path, there: bytes, link: Link) -> None:
    damage(store, there)
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    descriptor = os.open(file, system.READ)
    with store.writer() as writer:
        assert writer.add_file(descriptor, os.fstat(descriptor), lambda size: None, link) == POINTER
    os.close(descriptor)
    store.verify(POINTER.oid)
    assert not temporary(store)


@pytest.mark.parametrize("there", [CONTENT, DAMAGES["middle"]], ids=["whole", "damaged"])
@pytest.mark.parametrize("coming", [CONTENT[::-1], CONTENT[:-1], CONTENT + b"?"], ids=["other", "short", "long"])
def test_other_bytes_change_nothing(store: BlobStore, there: bytes, coming: bytes) -> None:
    damage(store, there)
    with pytest.raises(CorruptBlob):
        receive(store, chunks(coming))
    assert store.layout.blob_file(POINTER.oid).read_bytes() == there
    assert not temporary(store)


def test_one_that_goes_while_it_comes_again_is_stored(store: BlobStore) -> None:
    def coming() -> Iterator[bytes]:
        for at, chunk in enumerate(chunks()):
            if at == 2:
                store.layout.blob_file(POINTER.oid).unlink()
            yield chunk

    receive(store, coming())
    store.verify(POINTER.oid)
    assert not temporary(store)


def test_one_that_takes_long_to_come_again_is_wanted_from_its_end_on(store: BlobStore) -> None:
    oid = bytes.fromhex(POINTER.oid)
    with closing(sqlite3.connect(store.catalog.path, isolation_level=None)) as database:

        def coming() -> Iterator[bytes]:
            yield from chunks()
            database.execute("UPDATE file SET seen = 1 WHERE oid = ?", (oid,))

        receive(store, coming())
        (seen_s,) = database.execute("SELECT seen FROM file WHERE oid = ?", (oid,)).fetchone()
    assert seen_s > time.time() - 60


def test_what_agreed_once_is_not_trusted_when_it_is_copied(store: BlobStore) -> None:
    def coming() -> Iterator[bytes]:
        for at, chunk in enumerate(chunks()):
            if at == 2:
                damage(store, DAMAGES["first byte"][: 2 * CHUNK])
            yield chunk

    with pytest.raises(CorruptBlob):
        receive(store, coming())
    assert not temporary(store)
    receive(store, chunks())
    store.verify(POINTER.oid)
