"""Reading blobs while maintenance moves them: an old place is no reason to forget a blob."""

from pathlib import Path

import pytest

from aimdvc.errors import CorruptBlob
from aimdvc.fs.disk import Disk
from aimdvc.store.blobs import BlobStore


def two_packs(root: Path) -> BlobStore:
    store = BlobStore(root, Disk())
    for content in (b"one" * 100, b"two" * 100):
        with store.writer() as writer:
            writer.add_bytes(content)
    return store


def test_a_blob_that_was_moved_since_it_was_looked_up_is_read_where_it_is_now(tmp_path: Path) -> None:
    with two_packs(tmp_path) as store, BlobStore(tmp_path, Disk()) as other:
        oids = [oid for oid, _ in store.catalog.iter_blobs()]
        old = store.find_many(oids)
        contents = {oid: store.read_packed(oid, old[oid]) for oid in oids}  # The packs stay open.
        sweeper = other.sweeper()
        sweeper.join(sweeper.small_packs(2))
        swapped = dict(zip(oids, reversed(old.values()), strict=True))
        assert {oid: store.read_packed(oid, swapped[oid]) for oid in oids} == contents
        assert {oid: store.read_packed(oid, old[oid]) for oid in oids} == contents
        assert store.missing(oids) == set()


def test_a_damaged_blob_that_was_added_again_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    with two_packs(tmp_path) as store, BlobStore(tmp_path, Disk()) as other:
        oid, place = next(store.catalog.iter_blobs())
        path = tmp_path / "blobs/packs" / place.pack
        raw = bytearray(path.read_bytes())
        raw[place.offset] ^= 1
        path.chmod(0o644)
        path.write_bytes(raw)
        with pytest.raises(CorruptBlob):
            store.verify(oid)
        with other.writer() as writer:
            writer.add_bytes(b"one" * 100)
            writer.add_bytes(b"two" * 100)
        store.catalog.forget(oid, place)
        store.set_aside(oid)
        assert store.is_whole(oid)


def test_a_pack_that_went_to_the_trash_is_read_from_there(tmp_path: Path) -> None:
    with two_packs(tmp_path) as store:
        oid, place = next(store.catalog.iter_blobs())
        batch = store.trash.begin("prune")
        (batch / "packs").mkdir(parents=True)
        (tmp_path / "blobs/packs" / place.pack).rename(batch / "packs" / place.pack)
        assert store.read(oid) == b"one" * 100


def test_a_good_file_that_another_stored_meanwhile_is_not_set_aside(tmp_path: Path) -> None:
    content = b"large" * 50_000
    with BlobStore(tmp_path, Disk()) as store:
        with store.writer() as writer:
            oid = writer.add_bytes(content).oid
        store.set_aside(oid)
        assert store.is_whole(oid)
