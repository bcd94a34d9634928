"""Kill, and a failing disk, at the durable steps of the verbs: the invariants hold, and a rerun finishes it."""

import errno
import gc
import os
from contextlib import suppress
from pathlib import Path

import pytest

from aimdvc.errors import StorageError
from tests.crash.scenarios import ACT, Fault, Killed, Scene

EVERY = 10_000


VERBS = pytest.mark.parametrize("verb", ACT)
ERRORS = pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "io-error"])


def cut(scene: Scene, number: int | None, points: range) -> None:
    """Cuts the verb at each of the points: by a kill, or by an error of the disk with this number."""
    for stop_at in points:
        scene.reset()
        fault = Fault(stop_at, number)
        try:
            scene.run(fault)
        except Killed:
            assert number is None
        except StorageError as error:
            assert number is not None
            assert error.exit_code == 8
        if len(fault.steps) < stop_at:
            assert stop_at > 3, "the verb has no durable steps"
            break
        scene.check()
        scene.run(Fault())
        assert scene.outcome() == scene.final, f"cut at step {stop_at}: {fault.steps[-3:]}"


@VERBS
def test_cut_at_every_durable_step(verb: str, tmp_path: Path) -> None:
    cut(Scene(tmp_path, verb), None, range(1, EVERY))


@VERBS
@ERRORS
def test_the_disk_fails_at_some_durable_steps(verb: str, number: int, tmp_path: Path) -> None:
    cut(Scene(tmp_path, verb), number, range(2 if number == errno.EIO else 1, EVERY, 4))


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@VERBS
@ERRORS
def test_the_disk_fails_at_every_durable_step(verb: str, number: int, tmp_path: Path) -> None:
    cut(Scene(tmp_path, verb), number, range(1, EVERY))


@VERBS
def test_running_it_again_changes_nothing(verb: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path, verb)
    scene.run(Fault())
    scene.run(Fault())
    assert scene.outcome() == scene.final


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system doesn't list a process's open files")
def test_a_cut_leaves_no_file_open(tmp_path: Path) -> None:
    """What lives on after an interrupt, as a notebook does, must not hold what was being written."""
    scene = Scene(tmp_path, "pull")
    for stop_at in range(1, EVERY):
        scene.reset()
        fault = Fault(stop_at)
        with suppress(Killed):
            scene.run(fault)
        gc.collect()
        assert not _open_below(scene.root), f"cut at step {stop_at}: {fault.steps[-3:]}"
        if len(fault.steps) < stop_at:
            break


def _open_below(root: Path) -> list[str]:
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if path.startswith(str(root))]
