"""Whether the blobs of a checkout are here, asked where the store is whole, lacks some, is full or can't be written."""

import os
import sqlite3
from pathlib import Path

import pytest

from aimdvc.ops.workspace import Workspace
from aimdvc.store.presence import missing_on_disk
from tests.crash.mounts import read_only, tmpfs
from tests.shell import Shell

_SMALL, _LARGE = 300, 2


def _committed(place: Path) -> Shell:
    """An artifact of small files, which are packed, of large ones, and of two that share a blob."""
    place.mkdir(exist_ok=True)
    shell = Shell(place)
    shell("init")
    for number in range(_SMALL):
        shell.write(f"data/{number:03}.bin", os.urandom(64 + number))
    for number in range(_LARGE):
        shell.write(f"data/large-{number}.bin", bytes([number]) * (2 << 20))
    shell.write("data/same.bin", (place / "data/large-0.bin").read_bytes())
    shell.commit("data")
    return shell


def _missing(place: Path) -> int:
    with Workspace.open(place) as workspace:
        (head,) = workspace.state.heads()
        found = missing_on_disk(workspace.state, workspace.blobs, head)
        assert found == workspace.blobs.missing(workspace.state.parts.iter_blobs_on_disk(head.id))
    return len(found)


def test_packed_blobs_and_files_that_are_gone_are_told(tmp_path: Path) -> None:
    place = tmp_path / "a place of 100 % + 1 #?"
    _committed(place)
    assert _missing(place) == 0
    (large, *_) = (path for path in (place / ".aimdvc/blobs/files").rglob("*") if path.is_file())
    large.unlink()
    assert _missing(place) == 1
    with sqlite3.connect(place / ".aimdvc/store.db") as database:
        database.execute("DELETE FROM blob WHERE size < 70")
    database.close()
    assert _missing(place) == 1 + 6


@pytest.mark.parametrize("is_full", [False, True])
def test_a_store_that_cannot_be_written_is_asked_all_the_same(tmp_path: Path, is_full: bool) -> None:
    with tmpfs(tmp_path / "small", "size=16m") as place:
        shell = _committed(place)
        if is_full:
            with (place / ".aimdvc" / "filler").open("ab", buffering=0) as file, pytest.raises(OSError):
                while True:
                    file.write(bytes(1 << 10))
            assert shell("check").code == 0
        else:
            with read_only(place):
                assert shell("check").code == 0
