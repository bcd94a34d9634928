"""More blob packs are read than are kept open: no file is closed under a thread that reads from it."""

import os
import resource
from contextlib import suppress
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.fs.system import pread
from aimdvc.store import blobs
from aimdvc.store.blobs import BlobStore


def test_a_pack_that_is_let_go_stays_open_for_who_reads_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "_OPEN_PACKS_AT_MOST", 20)
    opened_before = len(os.listdir("/proc/self/fd"))
    with BlobStore(tmp_path, Disk()) as store:
        contents = {}
        for _ in range(40):
            content = os.urandom(300)
            with store.writer() as writer:
                contents[writer.add_bytes(content).oid] = content
        first, *others = contents

        def beside_others(descriptor: int, size: int, offset: int) -> bytes:
            """Reads, when other threads have read so much meanwhile that this pack is kept open no more."""
            monkeypatch.setattr(blobs, "pread", pread)
            for oid in others:
                assert store.read(oid) == contents[oid]
            return pread(descriptor, size, offset)

        monkeypatch.setattr(blobs, "pread", beside_others)
        assert store.read(first) == contents[first]
        assert len(os.listdir("/proc/self/fd")) - opened_before < 35


def test_a_pack_that_was_deleted_is_let_go_when_another_is_opened(tmp_path: Path) -> None:
    with BlobStore(tmp_path, Disk()) as store:
        oids = []
        for _ in range(2):
            with store.writer() as writer:
                oids.append(writer.add_bytes(os.urandom(300)).oid)
        store.read(oids[0])
        place = store.find_many(oids)[oids[0]]
        store.layout.packs.joinpath(place.pack).unlink()
        assert str(tmp_path / "blobs/packs" / place.pack) + " (deleted)" in opened()
        store.read(oids[1])
        assert not any(place.pack in path for path in opened())


def test_many_packs_are_not_all_looked_at_for_each_that_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "_OPEN_PACKS_AT_MOST", 20)
    looks: list[int] = []

    def look(pack: blobs._OpenPack) -> bool:
        looks.append(pack.descriptor)
        return False

    monkeypatch.setattr(blobs._OpenPack, "is_deleted", look)
    with BlobStore(tmp_path, Disk()) as store:
        oids = []
        for _ in range(40):
            with store.writer() as writer:
                oids.append(writer.add_bytes(os.urandom(300)).oid)
        for oid in (*oids, *oids):
            store.read(oid)
    assert len(looks) <= 2 * len(oids)


def test_where_a_process_may_open_few_files_few_packs_stay_open(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        with BlobStore(tmp_path, Disk()) as store:
            oids = []
            for _ in range(80):
                with store.writer() as writer:
                    oids.append(writer.add_bytes(os.urandom(300)).oid)
            for oid in oids:
                store.read(oid)
            assert 0 < sum(str(store.layout.packs) in path for path in opened()) <= 64
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def opened() -> list[str]:
    """Returns what this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found
