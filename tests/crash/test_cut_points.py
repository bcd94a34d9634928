"""Kill, and a failing disk, at every durable step of the verbs: the invariants hold, and a rerun finishes it."""

import errno
import gc
import os
from contextlib import suppress
from pathlib import Path

import pytest

from aimdvc.errors import StorageError
from tests.crash.scenarios import ACT, Fault, Killed, Scene

EVERY = 10_000


@pytest.mark.parametrize("verb", ACT)
@pytest.mark.parametrize("number", [None, errno.ENOSPC, errno.EIO], ids=["kill", "full", "io-error"])
def test_cut_at_every_durable_step(verb: str, number: int | None, tmp_path: Path) -> None:
    scene = Scene(tmp_path, verb)
    for stop_at in range(1, EVERY):
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


@pytest.mark.parametrize("verb", ACT)
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
