"""Many processes at once lose nothing; two that push at once: one wins, the other is told."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of

PROCESSES = 8


def aimdvc(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=here, capture_output=True, text=True)


def test_eight_processes_add_and_commit_at_once(shell: Shell) -> None:
    shell.write("data/first", "1")
    shell.commit("data", "first")

    def work(number: int) -> None:
        for turn in range(3):
            shell.write(f"data/p{number}/f{turn}", f"{number} {turn}\n" * 100)
            added = aimdvc(shell.here, "add", f"data/p{number}")
            assert added.returncode == 0, added.stderr
            committed = aimdvc(shell.here, "commit", "-m", f"{number} {turn}")
            assert committed.returncode == 0, committed.stderr

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(work, range(PROCESSES)))
    assert shell("status", "-s").out == ""
    held = {f"data/{entry['path']}" for entry in shell("ls", "data", "--json").json["entries"]}
    assert held == set(files_of(shell.here))
    assert len(held) == 3 * PROCESSES + 1
    assert shell("fsck").code == 0


def test_two_pushes_at_once(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/a", "1")
    shell.commit("data")
    shell("push")
    clones = []
    for name in ("one", "two"):
        Shell(tmp_path)("clone", f"{server.url}/data", name)
        clones.append(Shell(tmp_path / name))
    for turn in range(3):
        for clone in clones:
            clone("pull")
            clone.write(f"{clone.here.name}-{turn}", "mine")
            clone.commit(".", "mine")
        clones[0].here.joinpath("x").unlink(missing_ok=True)
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda clone: aimdvc(clone.here, "push"), clones))
        codes = sorted(one.returncode for one in done)
        assert codes == [0, 5], [one.stderr for one in done]
        loser = clones[[one.returncode for one in done].index(5)]
        assert "pull" in next(one.stderr for one in done if one.returncode == 5)
        loser("pull")
        loser("push")
    for clone in clones:
        clone("pull")
    assert files_of(clones[0].here) == files_of(clones[1].here)
    assert len(files_of(clones[0].here)) == 7
