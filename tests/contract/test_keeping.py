"""Maintenance of stored blobs: the same on a local storage and on buckets over SQLite and PostgreSQL."""

import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.errors import CorruptBlob, MissingBlob
from aimdvc.model.pointer import Pointer
from aimdvc.server.database import now_s
from aimdvc.server.site import Location, Site, open_site
from tests.buckets import BucketServer
from tests.contract.server_client import pointer_of


@pytest.fixture(params=["local", "nanio", "moto-postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    kind, *database = request.param.split("-")
    url = request.getfixturevalue("postgres").with_tables() if database else None
    bucket = None if kind == "local" else request.getfixturevalue(kind).bucket()
    made = open_site(Location(tmp_path / "srv", url, bucket))
    yield made
    made.close()


def stored(site: Site) -> dict[str, bytes]:
    """Stores two large blobs and some small ones, and returns them all by oid."""
    source = random.Random(5)
    small = [source.randbytes(300 + number) for number in range(20)] + [b""]
    large = [source.randbytes(200_000), source.randbytes(9_000_000)]
    site.storage.blobs.receive_many((pointer_of(one), one) for one in small)
    for one in large:
        site.storage.blobs.receive(pointer_of(one), iter([one[:70_000], one[70_000:]]))
    return {pointer_of(one).oid: one for one in (*small, *large)}


def read(site: Site, content: bytes) -> bytes:
    return b"".join(site.storage.blobs.iter_blob(pointer_of(content)))


def test_what_is_taken_is_missing_and_comes_back(site: Site) -> None:
    contents = stored(site)
    keeping, later = site.storage.keeping, int(now_s()) + 10
    found = {one.oid: one.size for one in keeping.iter_stored()}
    assert found == {oid: len(content) for oid, content in contents.items()}
    assert all(abs(one.seen_s - now_s()) < 60 for one in keeping.iter_stored())
    assert keeping.size() >= sum(map(len, contents.values()))
    some = sorted(found)[::3]
    # Wanted just now: not taken.
    assert keeping.take(some, int(now_s()) - 60).blobs == 0
    taken = keeping.take(some, later)
    assert (taken.blobs, taken.size) == (len(some), sum(found[oid] for oid in some))
    assert site.storage.blobs.missing(found) == set(some)
    for oid, content in contents.items():
        if oid not in some:
            assert read(site, content) == content
    (batch,) = keeping.batches()
    assert set(some) <= set(keeping.iter_batch(batch.name))
    for _ in range(2):
        keeping.put_back(batch.name)
    assert keeping.batches() == []
    assert {oid: read(site, content) for oid, content in contents.items()} == contents


def test_what_is_emptied_is_gone_and_can_be_stored_again(site: Site) -> None:
    contents = stored(site)
    keeping, later = site.storage.keeping, int(now_s()) + 10
    keeping.take([pointer_of(content).oid for content in contents.values()], later)
    (batch,) = keeping.batches()
    one = next(content for content in contents.values() if content)
    # Stored anew while it lies in the trash: what is emptied then is the other copy.
    site.storage.blobs.receive(pointer_of(one), iter([one]))
    for _ in range(2):
        keeping.empty(batch.name)
    keeping.clean(later)
    assert keeping.batches() == []
    assert read(site, one) == one
    assert [blob.oid for blob in keeping.iter_stored()] == [pointer_of(one).oid]


def test_a_blob_that_is_asked_for_again_is_wanted_again(site: Site) -> None:
    contents = stored(site)
    content = max(contents.values(), key=len)
    before = {one.oid: one.seen_s for one in site.storage.keeping.iter_stored()}
    site.storage.blobs.receive(pointer_of(content), iter([content]))
    after = {one.oid: one.seen_s for one in site.storage.keeping.iter_stored()}
    assert after[pointer_of(content).oid] >= before[pointer_of(content).oid]


def test_a_whole_blob_passes_the_check_and_a_missing_one_does_not(site: Site) -> None:
    counted: list[int] = []
    contents = stored(site)
    for oid in contents:
        site.storage.keeping.check(pointer_of(contents[oid]).oid, counted.append)
    assert sum(counted) == sum(map(len, contents.values()))
    with pytest.raises(MissingBlob):
        site.storage.keeping.check(pointer_of(b"never stored").oid, counted.append)


def test_what_rots_in_a_bucket_is_set_aside_and_heals(tmp_path: Path, nanio: BucketServer) -> None:
    url = nanio.bucket()
    site = open_site(Location(tmp_path / "srv", None, url))
    contents = stored(site)
    place = nanio.directory / urlsplit(url).netloc
    for path in [path for path in place.rglob("*") if path.is_file() and "prefix" in str(path)]:
        raw = bytearray(path.read_bytes())
        if len(raw) > 6000:
            raw[5000] ^= 1
            path.write_bytes(raw)
    damaged = 0
    for oid, content in contents.items():
        try:
            site.storage.keeping.check(pointer_of(content).oid, lambda size: None)
        except CorruptBlob:
            damaged += 1
            assert oid in site.storage.blobs.missing([pointer_of(content).oid])
    assert damaged >= 3
    for content in contents.values():
        site.storage.blobs.receive(pointer_of(content), iter([content] if content else []))
        assert read(site, content) == content
    site.close()


def test_what_cut_uploads_left_in_a_bucket_goes_after_a_while(tmp_path: Path, nanio: BucketServer) -> None:
    url = nanio.bucket()
    site = open_site(Location(tmp_path / "srv", None, url))
    contents = stored(site)
    client = nanio.client()
    for key in ("incoming/x/y", "blobs/ab/left", "packs/left.pack", "git/x/left.pack"):
        client.put_object(Bucket=urlsplit(url).netloc, Key=f"some/prefix/{key}", Body=b"left")
    client.create_multipart_upload(Bucket=urlsplit(url).netloc, Key="some/prefix/blobs/cut")
    site.storage.keeping.clean(int(now_s()) - 3600)
    listed = client.list_objects_v2(Bucket=urlsplit(url).netloc)["Contents"]
    assert sum("left" in one["Key"] or "incoming" in one["Key"] for one in listed) == 4
    site.storage.keeping.clean(int(now_s()) + 10)
    listed = client.list_objects_v2(Bucket=urlsplit(url).netloc)["Contents"]
    assert not [one for one in listed if "left" in one["Key"] or "incoming" in one["Key"]]
    assert "Uploads" not in client.list_multipart_uploads(Bucket=urlsplit(url).netloc)
    assert {oid: read(site, content) for oid, content in contents.items()} == contents
    site.close()


def test_sizes_that_do_not_fit_are_no_blob(site: Site) -> None:
    content = b"x" * 100_000
    for wrong in (Pointer(pointer_of(content).oid, 99_999), Pointer(pointer_of(b"other").oid, 100_000)):
        with pytest.raises(CorruptBlob):
            site.storage.blobs.receive(wrong, iter([content]))
        assert site.storage.blobs.missing([wrong.oid]) == {wrong.oid}
