"""Power cuts: the file system's image is copied while a command runs, at each durable step, and mounted as it is.

What was not synced is not in the copy. A representative part runs always; `pytest -m sweep tests/crash`
cuts everywhere.
"""

import shutil
from pathlib import Path

import pytest

from aimdvc.model.progress import Silent
from aimdvc.ops.fsck import fsck
from aimdvc.ops.workspace import Workspace
from tests.crash.ground import first_version
from tests.crash.image import Image, run
from tests.crash.scenarios import Fault, Killed, Scene
from tests.shell import git

LONG = ("add", "commit", "checkout", "push", "pull")
"""Verbs of many durable steps."""

SHORT = (
    *("rm", "mv", "rm-artifact", "mv-artifact", "merge", "conflict", "settle", "abort", "rebase", "repair"),
    *("alias-delete", "branch-delete", "pack-refs", "fetch", "reset --hard", "evict", "trash-restore"),
)
"""Verbs that only the sweep takes, but for the first two."""


class _Cut(Fault):
    """Cuts the power before the n-th durable step."""

    def __init__(self, image: Image, stop_at: int) -> None:
        super().__init__(stop_at)
        self._image = image

    def __call__(self, operation: str, path: Path | str) -> None:
        if len(self.steps) + 1 == self.stop_at:
            self._image.cut()
        super().__call__(operation, path)


def sweep(image: Image, verb: str, points: range) -> int:
    """Cuts at each of the points; the state is old or new, and the command run again finishes it."""
    scene = Scene(image.mount_point, verb)
    run("sync", "-f", str(image.mount_point))
    image.unmount()
    shutil.copyfile(image.file, image.base)
    cuts = 0
    for stop_at in points:
        shutil.copyfile(image.base, image.file)
        image.mount()
        fault = _Cut(image, stop_at)
        try:
            scene.run(fault)
        except Killed:
            cuts += 1
        is_past_the_end = len(fault.steps) < stop_at
        if is_past_the_end:
            image.cut()
        image.unmount()
        shutil.copyfile(image.copy, image.file)
        image.mount()
        scene.check()
        assert not [
            path for path in scene.work.glob(".aimdvc/blobs/**/*") if path.is_file() and not path.stat().st_size
        ]
        if is_past_the_end:
            assert scene.outcome() == scene.final, "what was said to be done is there after a power cut"
            image.unmount()
            break
        scene.run(Fault())
        assert scene.outcome() == scene.final, f"power cut before step {stop_at}: {fault.steps[-3:]}"
        with Workspace.open(scene.work) as workspace:
            assert not fsck(workspace, False, Silent()).damage
        image.unmount()
    return cuts


@pytest.mark.parametrize("verb", ["add", "commit", "checkout", "pull", "rm", "mv"])
def test_some_power_cuts(image: Image, verb: str) -> None:
    assert sweep(image, verb, range(2, 1000, 6 if verb in LONG else 2)) > 1


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", [*LONG, *SHORT])
def test_every_power_cut(image: Image, verb: str) -> None:
    assert sweep(image, verb, range(1, 100_000)) > (10 if verb in LONG else 3)


def test_a_store_that_moved_into_git_is_there_after_a_power_cut(image: Image) -> None:
    """Case L08: nothing else is written then, that would make its renames durable."""
    shell = first_version(image.mount_point)
    shell.write(".gitignore", "/data\n")
    git(shell.here, "init", "-q")
    run("sync", "-f", str(image.mount_point))
    shell("init")
    image.cut()
    image.unmount()
    shutil.copyfile(image.copy, image.file)
    image.mount()
    assert [one["artifact"] for one in shell("status", "--json").json["artifacts"]] == ["data"]
    assert shell("fsck").code == 0
