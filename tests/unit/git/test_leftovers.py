"""What killed processes left in a repository goes with the next pack; what runs, or may run elsewhere, stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.fs.leftovers import owner
from aimdvc.git.history import History
from aimdvc.git.packs import clean_repository
from aimdvc.git.writer import LOOSE_LIMIT


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leave(history: History, who: str) -> list[Path]:
    places = ["objects/pack/tmp-{}-a", "objects/ab/tmp_obj_tmp-{}-a", "objects/incoming-{}-a/pack/x", "ref-tmp-{}-a"]
    made = [history.path / place.format(who) for place in places]
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    return made


def test_the_next_pack_removes_what_killed_processes_left(tmp_path: Path, gone: int) -> None:
    with History.create(tmp_path / "r.git", Disk()) as history:
        theirs, running = leave(history, owner(gone)), leave(history, owner(os.getppid()))
        other = history.path / "objects/pack/tmp_pack_x"
        other.write_bytes(b"git's")
        with history.writer() as writer:
            ids = [writer.blob(b"%d" % number) for number in range(LOOSE_LIMIT + 1)]
        assert not any(path.exists() for path in theirs)
        assert not (history.path / f"objects/incoming-{owner(gone)}-a").exists()
        assert all(path.exists() for path in [*running, other])
        assert all(history.has(git_id) for git_id in ids)


def test_what_a_process_of_elsewhere_owns_stays_for_a_day(tmp_path: Path, gone: int) -> None:
    with History.create(tmp_path / "r.git", Disk()) as history:
        left = leave(history, f"0123abcd.{gone}")
        clean_repository(history.path)
        assert all(path.exists() for path in left)
        for path in [*left, left[2].parents[1]]:
            os.utime(path, (1, 1))
        clean_repository(history.path)
        assert not any(path.exists() for path in left)
