"""Init and clone, cut at durable steps: what is left never looks like a whole workspace, and a rerun ends it."""

import errno
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aimdvc.errors import StorageError
from aimdvc.fs.disk import Disk
from aimdvc.ops.clone import clone, parse_origin
from aimdvc.ops.init import init
from tests.crash.ground import connector, first_version, means
from tests.crash.scenarios import Fault, Killed
from tests.shell import Shell, files_of, git

EVERY = 1000


def cut(place: Path, act: Callable[[Disk], None], number: int | None, check: Callable[[], None], step: int = 1) -> int:
    """Cuts at each step, or each `step`th, looks at what is left, and runs it again; returns how far it came."""
    for stop_at in range(1, EVERY, step):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        fault = Fault(stop_at, number)
        try:
            act(Disk(fault))
        except Killed:
            assert number is None
        except StorageError as error:
            assert number is not None and error.exit_code == 8
        else:
            if len(fault.steps) < stop_at:
                return stop_at - 1
            # Tidying the store failed, which is no failure of the verb: it is done, and looked at in `act`.
            assert number is not None
            continue
        check()
        act(Disk())
        assert not list(place.rglob(".tmp-*")) or number is None
    raise AssertionError("it never ends")


FAULTS = pytest.mark.parametrize("number", [None, errno.ENOSPC, errno.EIO], ids=["kill", "full", "io-error"])


@FAULTS
def test_init_is_cut_at_every_step(tmp_path: Path, number: int | None) -> None:
    """Case L06."""
    place = tmp_path / "new"

    def act(disk: Disk) -> None:
        init(place, "https://aimd.example.org/team", disk)
        assert "https://aimd.example.org/team" in Shell(place)("remote").out

    def check() -> None:
        assert Shell(place)("status", code=-1).code in (0, 2)

    assert cut(place, act, number, check) > 3


@FAULTS
@pytest.mark.parametrize(("depth", "is_inside"), [(None, False), (1, False), (None, True)])
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.sweep)], ids=["some", "every"])
def test_clone_is_cut_at_many_steps(
    tmp_path: Path, number: int | None, depth: int | None, is_inside: bool, step: int
) -> None:
    """Case L06."""
    shell = first_version(tmp_path / "origin")
    shell.write("data/text.txt", "second\n")
    shell.commit("data", "second")
    shell("push")
    wanted = files_of(shell.here / "data")
    address = str(tmp_path / "origin/remote/data")
    here = tmp_path / "here"

    def act(disk: Disk) -> None:
        opened = connector()
        (here / "place").mkdir(exist_ok=True)
        start, path = (here / "place", ".") if is_inside else (here, "place")
        clone(opened, start, replace(parse_origin(address, here), depth=depth), path, disk, means(opened))
        assert files_of(here / "place") == wanted
        assert Shell(here / "place")("status", "-s").out == ""
        assert Shell(here / "place")("fsck").code == 0
        log = Shell(here / "place")("log", "--json").json["versions"]
        assert len(log) == (2 if depth is None else depth)

    def check() -> None:
        own = here / "place/.aimdvc"
        if not own.exists() or all(path.name.startswith(".tmp-") for path in own.iterdir()):
            return
        done = Shell(own.parent)("status", "--json", code=-1)
        if (own / "clone").exists():
            assert "aimdvc clone" in done.json["hint"]
        else:
            assert files_of(own.parent) == wanted

    assert cut(here, act, number, check, step) > 10


@FAULTS
def test_a_store_that_moves_into_git_is_cut_at_every_step(tmp_path: Path, number: int | None) -> None:
    """Case L06: until all of it has moved, every verb says to run `init` again, and none starts a second store."""
    template = tmp_path / "template"
    shell = first_version(template)
    shell.write(".gitignore", "/data\n")
    git(shell.here, "init", "-q")
    here = tmp_path / "here"

    def act(disk: Disk) -> None:
        if not (here / "work").exists():
            shutil.copytree(template / "work", here / "work", symlinks=True)
        init(here / "work", None, disk)
        assert Shell(here / "work")("fsck").code == 0
        assert [one["message"].strip() for one in _log(here / "work")] == ["first"]

    def check() -> None:
        done = Shell(here / "work")("log", "--json", code=-1)
        if done.code:
            assert "aimdvc init" in done.json["hint"]
        else:
            assert [one["message"].strip() for one in _log(here / "work")] == ["first"]

    assert cut(here, act, number, check) > 10
    shutil.rmtree(here)
    here.mkdir()
    uncut = Fault()
    act(Disk(uncut))
    assert uncut.steps[-3:] == ["rename", "fsync", "fsync"], "what was moved last is durable in both directories"


def _log(work: Path) -> list[dict[str, str]]:
    return [version["commit"] for version in Shell(work)("log", "--json").json["versions"]]
