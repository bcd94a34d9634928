"""More blob packs are read than are kept open: no file is closed under a thread that reads from it."""

import os
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
    opened_before = len(os.listdir("/proc/self/fd"))
    with BlobStore(tmp_path, Disk()) as store:
        contents = {}
        for _ in range(300):
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
        assert len(os.listdir("/proc/self/fd")) - opened_before < 290


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


def opened() -> list[str]:
    """Returns what this process has open."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found
