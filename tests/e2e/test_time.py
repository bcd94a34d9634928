"""Clocks and times of files: no change goes unseen, and no date stops a commit. Cases L27 to L29."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aimdvc.store.state import Stat, is_racy
from tests.shell import Shell, git

SECOND = 1_000_000_000


def test_an_edit_right_after_an_add_is_seen_every_time(shell: Shell) -> None:
    """Case L27: same size, within one tick of the file system's clock."""
    path = shell.write("data/a", "00")
    for turn in range(60):
        path.write_text(f"{turn:02d}")
        shell("add", "data")
        path.write_text(f"{turn + 20:02d}")
        assert " data/a\n" in shell("status", "-s").out and shell("status", "-s").out[1] == "M", turn


def test_a_time_of_whole_seconds_is_not_trusted_for_two_of_them() -> None:
    """Case L27: file systems that stamp by the second, or by two."""
    coarse = Stat(1, 100 * SECOND, 100 * SECOND, 1)
    fine = Stat(1, 100 * SECOND + 5, 100 * SECOND + 5, 1)
    assert is_racy(coarse, 101 * SECOND) and not is_racy(coarse, 102 * SECOND + 1)
    assert is_racy(fine, 100 * SECOND + 10_000_000) and not is_racy(fine, 100 * SECOND + 30_000_000)
    assert is_racy(Stat(1, 200 * SECOND, 1, 1), 100 * SECOND), "a file from the future may change unseen"


@pytest.mark.parametrize("stamp", [0, 1, 2**31, 2**32 + 5, -1, 4_000_000_000])
def test_a_time_that_was_set_hides_no_change(shell: Shell, stamp: int) -> None:
    """Case L28: `touch -r`, `cp -p` and `tar` set times, also odd ones."""
    path = shell.write("data/a", "one")
    os.utime(path, (stamp, stamp))
    shell.commit("data")
    assert shell("status", "-s").out == ""
    path.write_text("two")
    os.utime(path, (stamp, stamp))
    assert shell("status", "-s").out == " M data/a\n"
    replaced = shell.write("replaced", "new")
    os.utime(replaced, (stamp, stamp))
    replaced.rename(path)
    assert shell("status", "-s").out == " M data/a\n"


CLOCKS = {"1970": 0, "2038": 2**31 + 5, "2106": 2**32 + 5, "year 10000": 253_402_300_800, "before 1970": -86_400}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_clock_that_is_wrong_stops_nothing(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    """Case L29."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/a", "1")
    shell.commit("data", "one")
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: float(CLOCKS[clock]))
        shell.write("data/a", "2")
        shell.commit("data", "two")
        shell("alias", "set", "data", "best")
    shell.write("data/a", "3")
    shell.commit("data", "three")
    assert [one["commit"]["message"] for one in shell("log", "--json").json["versions"]] == [
        "three\n",
        "two\n",
        "one\n",
    ]
    assert shell("log").out.count("commit ") == 3 or shell("log", "--oneline").out.count("\n") == 3
    shell("push")
    Shell(tmp_path)("clone", str(tmp_path / "remote/data"), "clone")
    assert (tmp_path / "clone/a").read_text() == "3"
    assert shell("fsck").code == 0
    if CLOCKS[clock] >= 0:
        git(shell.here / ".aimdvc/repos/data.git", "fsck", "--strict")


def test_what_a_running_process_holds_survives_a_jump_of_the_clock(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case L29: only a process that is gone loses its temporary files at once."""
    shell.write("data/a", "1")
    shell.commit("data")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as running:
        shell.write("data/b", "1")
        names = shell.here / ".aimdvc/tmp"
        mine = next(iter(_names_of(running.pid)))
        (names / mine).write_text("being written")
        with monkeypatch.context() as wrong:
            wrong.setattr(time, "time", lambda: 2**33)
            shell("add", "data")
        assert (names / mine).exists()
    shell.write("data/c", "1")
    shell("add", "data")
    assert not (names / mine).exists()


def _names_of(pid: int) -> list[str]:
    code = f"from aimdvc.fs.leftovers import owner; print('tmp-' + owner({pid}) + '-0123456789ab')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
