"""Files that change while they are read, and what is no file at all. Cases L30 to L32."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from aimdvc.errors import ChangedMeanwhile
from aimdvc.fs.disk import Disk
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.workspace import Workspace
from tests.shell import Shell


class Meddler:
    """Changes a file whenever some of it was read, so many times."""

    def __init__(self, change: Callable[[], object], times: int) -> None:
        self._change = change
        self._times = times

    def start(self, label: str, total: int | None, unit: Literal["bytes", "files"]) -> None:
        """Does nothing."""

    def advance(self, amount: int) -> None:
        if self._times:
            self._times -= 1
            self._change()

    def finish(self) -> None:
        """Does nothing."""


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def rewrite(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(os.urandom(size))


CHANGES: dict[str, Callable[[Path], None]] = {"grow": grow, "shrink": shrink, "rewrite": rewrite}


@pytest.mark.parametrize("size", [1000, 3 << 20])
@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_read_again_or_refused(shell: Shell, how: str, size: int) -> None:
    """Case L30: what is stored is always what its name says."""
    path = shell.write("data/a", os.urandom(size))
    for times, is_settled in ((1, True), (1_000_000, False)):
        meddler = Meddler(lambda: CHANGES[how](path), times)
        with Workspace.open(shell.here, Disk()) as workspace:
            if is_settled:
                add(workspace, shell.here, ["data"], AddOptions(), meddler)
                content = path.read_bytes()
            else:
                path.write_bytes(os.urandom(size))
                with pytest.raises(ChangedMeanwhile) as told:
                    add(workspace, shell.here, ["data"], AddOptions(), meddler)
                assert told.value.exit_code == 5
        assert shell("fsck").code == 0
    shell("commit", "-m", "m")
    assert shell("cat", "data:a").raw == content


def test_what_is_no_file_is_skipped_and_said_and_nothing_waits(shell: Shell) -> None:
    """Case L31."""
    shell.write("data/a", "1")
    os.mkfifo(shell.here / "data/pipe")
    (shell.here / "data/zero").symlink_to("/dev/zero")
    (shell.here / "data/loop").symlink_to(".")
    (shell.here / "data/up").symlink_to("..")
    (shell.here / "data/nowhere").symlink_to("nothing")
    place = os.getcwd()
    os.chdir(shell.here / "data")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        os.chdir(place)
        kinds = ["pipe", "socket"]
        if os.geteuid() == 0:
            os.mknod(shell.here / "data/device", stat.S_IFCHR | 0o600, os.makedev(1, 5))
            kinds.append("device")
        said = shell("add", "data").err
    for name in kinds:
        assert f"skipped '{name}': neither file nor link" in said
    shell("commit", "-m", "m")
    entries = {entry["path"]: entry["size"] for entry in shell("ls", "data", "--json").json["entries"]}
    assert entries == {"a": 1, "loop": 1, "nowhere": 7, "up": 2, "zero": 9}
    for name in ("zero", "loop"):
        (shell.here / "data" / name).unlink()
    shell("restore", "data")
    assert (shell.here / "data/zero").readlink() == Path("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "directory"])
def test_a_file_whose_place_something_else_took_stops_nothing(shell: Shell, kind: str) -> None:
    """Case L31: `open` alone would wait at a pipe for ever, and read a device without end."""
    path = shell.write("data/a", "1" * 100)
    shell.commit("data")
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    wanted = {"pipe": " D data/a\n", "directory": " D data/a\n", "link to a device": " M data/a\n"}
    assert shell("status", "-s").out == wanted[kind]
    shell("diff")
    shell("add", "data")
    shell("fsck")
    shell("commit", "-m", "m")


def test_a_pipe_becomes_no_artifact(shell: Shell) -> None:
    os.mkfifo(shell.here / "pipe")
    assert shell("add", "pipe", "--json", code=4).json["error"] == "unsafe-path"
    assert shell("ls", "--json").json["artifacts"] == []


SPARSE = (2 << 30) + 12_345


def test_a_sparse_file_takes_no_room_for_its_holes(shell: Shell) -> None:
    """Case L32."""
    path = shell.write("data/sparse", b"start" * 1000)
    with path.open("r+b") as file:
        file.seek(SPARSE // 2)
        file.write(b"middle")
        file.truncate(SPARSE)
    shell.commit("data")
    blob = next((shell.here / ".aimdvc/blobs/files").glob("*/*"))
    assert blob.stat().st_size == SPARSE
    assert blob.stat().st_blocks * 512 < 64 << 20
    path.unlink()
    shell("restore", "data")
    assert path.stat().st_size == SPARSE
    assert path.stat().st_blocks * 512 < 64 << 20
    with path.open("rb") as file:
        assert file.read(5000) == b"start" * 1000
        file.seek(SPARSE // 2)
        assert file.read(8) == b"middle\0\0"
    assert shell("status", "-s").out == ""
    assert shell("fsck", "--quick").code == 0
