"""`prune` beside verbs that count on blobs: what they want while it runs is never lost."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.model.progress import Silent
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.prune import PruneOptions, prune
from aimdvc.ops.workspace import Workspace
from tests.e2e.pruning import LARGE, age, contents, pruned, store, version
from tests.shell import Shell, files_of

TURNS = 12


def aimdvc(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=here, capture_output=True, text=True)


class Meanwhile:
    """Begins a command before the n-th durable step, and lets it run: until it ends, or waits for a lock of ours."""

    def __init__(self, stop_at: int, here: Path, arguments: list[str]) -> None:
        self._left = stop_at
        self._here = here
        self._arguments = [sys.executable, "-m", "aimdvc", *arguments]
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, operation: str, path: Path | str) -> None:
        self._left -= 1
        if self._left == 0:
            self._process = subprocess.Popen(self._arguments, cwd=self._here, stderr=subprocess.PIPE, text=True)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.5)

    def finish(self) -> bool:
        """Waits for the command; returns whether it was begun at all."""
        if self._process is None:
            return False
        _, said = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, said
        return True


def unneeded(shell: Shell) -> None:
    """Leaves blobs of the contents 7 in the store that nothing needs and nobody wanted for long."""
    version(shell, 1)
    for name, content in zip(("large", "small"), contents(7), strict=False):
        shell.write(f"data/{name}.bin", content)
    shell("add", "data")
    for name, content in zip(("large", "small"), contents(1), strict=False):
        shell.write(f"data/{name}.bin", content)
    shell("add", "data")
    age(shell)


def write_seven(shell: Shell) -> None:
    for name, content in zip(("large", "small"), contents(7), strict=False):
        shell.write(f"data/{name}.bin", content)


def _add(shell: Shell, disk: Disk) -> None:
    with Workspace.open(shell.here, disk) as workspace:
        add(workspace, shell.here, ["data"], AddOptions(), Silent())


def _prune(shell: Shell, disk: Disk) -> None:
    with Workspace.open(shell.here, disk) as workspace:
        prune(workspace, None, PruneOptions(), Silent())


@pytest.mark.parametrize(("outer", "inner"), [(_prune, ["add", "data"]), (_add, ["prune"])], ids=["prune", "add"])
def test_an_add_and_a_prune_that_meet_at_any_step(
    tmp_path: Path, outer: Callable[[Shell, Disk], None], inner: list[str]
) -> None:
    for stop_at in range(1, 100):
        place = tmp_path / f"work{stop_at}"
        place.mkdir()
        shell = Shell(place)
        shell("init")
        unneeded(shell)
        write_seven(shell)
        meanwhile = Meanwhile(stop_at, shell.here, inner)
        outer(shell, Disk(meanwhile))
        if not meanwhile.finish():
            break
        assert shell("fsck").code == 0
        for name in ("large", "small"):
            (shell.here / f"data/{name}.bin").unlink()
        shell("restore", "data")
        assert [files_of(shell.here)[f"data/{name}.bin"] for name in ("large", "small")] == contents(7)[:2]
    assert stop_at > 3


def test_adds_and_prunes_in_a_loop_lose_nothing(shell: Shell) -> None:
    unneeded(shell)

    def work(number: int) -> None:
        for turn in range(TURNS):
            if number == 0:
                age(shell)
                done = aimdvc(shell.here, "prune")
                assert done.returncode == 0, done.stderr
                continue
            for name, content in zip(("large", "small"), contents(7 if turn % 2 else 8), strict=False):
                place = shell.here / f"data/p{number}/{name}.bin"
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(content)
            done = aimdvc(shell.here, "add", f"data/p{number}")
            assert done.returncode == 0, done.stderr

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert shell("fsck").code == 0
    shell("commit", "-m", "m")
    assert shell("fsck").code == 0


def test_prunes_beside_pulls_lose_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    version(shell, 1)
    shell("push")
    Shell(tmp_path)("clone", str(tmp_path / "remote/data"), "other")
    other = Shell(tmp_path / "other")

    def publish() -> None:
        for number in range(2, 6):
            version(shell, number)
            assert aimdvc(shell.here, "push").returncode == 0

    def keep_pruning() -> None:
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            age(other)
            done = aimdvc(other.here, "prune", "--remote", "origin")
            assert done.returncode == 0, done.stderr

    def keep_pulling() -> None:
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            done = aimdvc(other.here, "pull")
            assert done.returncode == 0, done.stderr

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(publish), pool.submit(keep_pruning), pool.submit(keep_pulling)]:
            future.result()
    other("pull")
    assert other("fsck").code == 0
    assert files_of(other.here)["large.bin"] == b"%08d" % 5 * (LARGE // 8)
    other("trash", "empty")
    assert other("fsck").code == 0
    assert pruned(other)["unreachable"] == 0


def test_two_prunes_at_once(shell: Shell) -> None:
    unneeded(shell)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: aimdvc(shell.here, "prune"), range(4)))
    assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
    assert shell("fsck").code == 0
    assert os.listdir(store(shell) / "trash")


@pytest.mark.parametrize("link", ["hardlink", "copy"])
@pytest.mark.parametrize("expire", [[], ["--expire", "0"]], ids=["default", "expire 0"])
def test_what_an_add_has_stored_is_not_taken_before_its_index_is_saved(
    shell: Shell, link: str, expire: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is old; that it is wanted as a blob is not."""
    version(shell, 1)
    shell("config", "core.link", link)
    then = time.time() - 60 * 24 * 3600
    for name, content in zip(("new-large", "new-small"), contents(7), strict=False):
        os.utime(shell.write(f"data/{name}.bin", content), (then, then))

    def meanwhile(directory: Path) -> int:
        for arguments in (["prune", *expire], ["trash", "empty"]):
            done = aimdvc(shell.here, *arguments)
            assert done.returncode == 0, done.stderr
        return time.time_ns()

    # The clock is read between the blobs and the index: the moment at which nothing but their age protects them.
    monkeypatch.setattr("aimdvc.ops.add.clock_ns", meanwhile)
    shell("add", "data")
    shell("commit", "-m", "two")
    assert shell("fsck").code == 0
