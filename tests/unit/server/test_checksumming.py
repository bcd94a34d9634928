"""The MD5 of blobs, found beside everything else: what is lost or breaks meanwhile, and that it ends when told."""

import time
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

import pytest

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.checksumming import Checksummer
from aimdvc.server.checksums import known_md5s
from aimdvc.server.site import Location, Site, open_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = open_site(Location(tmp_path / "srv"))
    yield opened
    opened.close()


def known(site: Site, pointers: list[Pointer]) -> dict[Oid, str]:
    with site.database.read() as connection:
        return known_md5s(connection, [pointer.oid for pointer in pointers])


def wait_for(site: Site, pointers: list[Pointer]) -> None:
    for _ in range(400):
        if len(known(site, pointers)) == len(pointers):
            return
        time.sleep(0.01)
    raise AssertionError("not found in time")


def test_what_is_wanted_is_found_and_what_is_lost_is_passed_over(site: Site) -> None:
    contents = [b"%d" % number * 1000 for number in range(450)]
    pointers = [site.storage.blobs.store([content], len(content)) for content in contents]
    lost = Pointer(Oid("ab" * 32), 5)
    site.checksummer.want([lost, *pointers])
    site.checksummer.want(pointers)
    wait_for(site, pointers)
    wanted = [md5(content, usedforsecurity=False).hexdigest() for content in contents]
    assert list(map(known(site, pointers).get, (pointer.oid for pointer in pointers))) == wanted
    assert known(site, [lost]) == {}
    more = site.storage.blobs.store([b"later"], 5)
    site.checksummer.want([more])
    wait_for(site, [more])


def test_it_ends_at_once_when_the_site_closes(site: Site) -> None:
    large = site.storage.blobs.store((b"x" * (1 << 20) for _ in range(8)), 8 << 20)
    slow = Checksummer(site.database, site.storage.blobs, rate=1 << 10)
    slow.want([large])
    began = time.monotonic()
    slow.close()
    slow.want([large])
    assert time.monotonic() - began < 1
    assert known(site, [large]) == {}
