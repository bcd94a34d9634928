"""Sparse files, and files that don't fit: holes stay holes, and a copy without room is refused before it is written."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mounts import mounted
from tests.shell import Shell

SIZE = 256 << 20
ROOM_MIB = 64


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Shell]:
    """A workspace on a file system of 64 MiB."""
    with mounted(tmp_path, "tmpfs", ROOM_MIB) as point:
        work = point / "work"
        work.mkdir()
        shell = Shell(work)
        shell("init", "--remote", str(point / "remote"))
        (point / "remote").mkdir()
        yield shell


def sparse(path: Path) -> None:
    """Makes a file of 256 MiB of which little is data, at its start, in the middle, and before its end."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        for position in (0, SIZE // 2 + 5, SIZE - 70_000):
            file.seek(position)
            file.write(b"data" * 1000)
        file.truncate(SIZE)


def room(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.mark.parametrize("link", ["reflink", "copy", "hardlink"])
def test_holes_stay_holes_in_the_store_on_the_remote_and_in_the_workspace(small: Shell, link: str) -> None:
    small("config", "core.link", link)
    path = small.here / "data/big"
    sparse(path)
    small.commit("data", "one")
    blob = next((small.here / ".aimdvc/blobs/files").glob("*/*"))
    assert room(blob) < 8 << 20
    small("push")
    remote = next((small.here.parent / "remote").glob("data.git/lfs/objects/*/*/*"))
    assert room(remote) < 8 << 20
    path.unlink()
    small("restore", "data/big")
    assert path.stat().st_size == SIZE
    assert room(path) < 8 << 20
    assert small("status", "-s").out == ""
    blob.unlink()
    path.unlink()
    small("restore", "data/big")
    assert room(path) < 8 << 20


def test_a_file_that_has_no_room_for_a_copy_is_refused_before_it_is_written(small: Shell) -> None:
    content = os.urandom(40 << 20)
    path = small.write("data/big", content)
    failed = small("add", "data", code=8)
    assert f"{40 << 20:,} bytes are needed" in failed.err
    assert " are free" in failed.err
    assert path.read_bytes() == content
    assert not list((small.here / ".aimdvc/tmp").glob("tmp-*"))
    small("config", "core.link", "hardlink")
    small.commit("data", "one")
    assert path.read_bytes() == content


@pytest.mark.parametrize("link", ["reflink", "copy", "hardlink"])
@pytest.mark.parametrize("size_mib", [1, 2, 15, 16, 20])
def test_a_file_that_ends_in_zeros_is_stored_whole(small: Shell, link: str, size_mib: int) -> None:
    content = os.urandom((size_mib << 20) - 1)[: (size_mib - 1) << 20] + bytes(1 << 20)
    small("config", "core.link", link)
    path = small.write("data/big", content)
    small.commit("data", "one")
    small("push")
    small("fsck")
    path.unlink()
    small("restore", "data/big")
    assert path.read_bytes() == content
