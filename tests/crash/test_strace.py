"""Real processes, killed or failed by strace at the n-th system call that writes: the judge of the in-process faults.

A representative part runs always; `pytest -m sweep tests/crash` runs every call.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.scenarios import Scene
from tests.shell import Shell, unmeasured

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

DURABLE = "fsync,fdatasync,syncfs,rename,renameat,unlink,unlinkat,pwrite64,ftruncate,mkdir,mkdirat"
COMMANDS = {
    "add": ["add", "data"],
    "commit": ["commit", "-m", "second"],
    "checkout": ["checkout", "data@v1?"],
    "push": ["push"],
    "pull": ["pull"],
    "prune": ["prune"],
    "trash-empty": ["trash", "empty"],
    "maintenance": ["maintenance"],
    "rm": ["rm", "-r", "data/same", "data/sub", "data/large.bin"],
    "mv": ["mv", "data/large.bin", "data/same", "data/sub"],
    "merge": ["merge", "topic"],
    "switch": ["switch", "topic"],
    "revert": ["revert", "topic"],
}
SWEPT = {
    "narrow": ["checkout", "data", "--include", "sub/", "--include", "text.txt"],
    "widen": ["checkout", "data", "--all"],
    "follow": ["checkout"],
    "push --restore": ["push", "--restore"],
    "deepen": ["fetch", "--depth", "3"],
    "unshallow": ["fetch", "--unshallow"],
    "rebase": ["pull", "--rebase"],
    "conflict": ["merge", "topic"],
    "abort": ["merge", "--abort"],
    "rename": ["branch", "-m", "topic", "sub/renamed"],
    "switch-c": ["switch", "-c", "new", "topic"],
    "branch": ["branch", "sub/new", "start"],
    "alias": ["alias", "set", "data@start", "best"],
    "alias-delete": ["alias", "delete", "data", "best"],
    "mv-directory": ["mv", "data/sub", "data/moved"],
    "rm-artifact": ["rm", "-r", "-f", "deep/other"],
    "mv-artifact": ["mv", "deep/other", "elsewhere"],
    "restore": ["restore", "data"],
    "restore --source": ["restore", "--source", "start", "data"],
    "reset": ["reset", "data@start"],
    "reset --hard": ["reset", "--hard", "data@start"],
    "track": ["track", "*.md"],
    "untrack": ["untrack", "*.csv"],
    "meta": ["meta", "set", "data", "labels", "raw, checked"],
    "ref-add": ["ref", "add", "s3://bucket/other.csv", "data:raw/one.csv", "--size", "8"],
    "ref-rm": ["ref", "rm", "data:raw/one.csv"],
    "ref-fetch": ["ref", "fetch", "data:raw/two.bin", "--allow-root", "..", "--out", "fetched/two.bin"],
    "prune-remote": ["prune", "--remote", "origin"],
    "evict": ["prune", "--limit", "0"],
    "trash-restore": ["trash", "restore"],
    "pack-refs": ["maintenance"],
    "repair": ["fsck", "--repair"],
    "config": ["config", "core.link", "copy"],
}
"""Verbs that only the sweep takes: they write through the same parts as those above."""

ENDS = {"conflict": 1}
"""Where it isn't 0: the exit code of a verb that nothing stopped."""

ONCE = {"abort", "alias-delete", "branch", "mv-directory", "mv-artifact", "ref-rm", "rename", "rm-artifact"}
"""Cut after their last step, these say when run again that there is nothing left to do: no such key, no merge."""

FAULTS = {
    "kill": f"inject={DURABLE}:signal=KILL",
    "full": "inject=write,pwrite64,pwritev:error=ENOSPC",
    "sync-error": "inject=fsync,fdatasync,syncfs:error=EIO",
}


def _command(scene: Scene) -> list[str]:
    return (COMMANDS | SWEPT)[scene.verb]


def run(scene: Scene, fault: str, when: int) -> tuple[int, str, bool]:
    """Runs the command with a fault at the n-th call; returns its exit code, what it said, and whether it was hit."""
    log = scene.root / "strace.log"
    arguments = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={FAULTS[fault].split('=')[1].split(':')[0]}"]
    arguments += ["-e", f"{FAULTS[fault]}:when={when}", sys.executable, "-m", "aimdvc", *_command(scene)]
    done = subprocess.run(arguments, cwd=scene.work, capture_output=True, text=True, timeout=120, env=unmeasured())
    text = log.read_text(errors="replace") if log.exists() else ""
    log.unlink(missing_ok=True)
    return done.returncode, done.stdout + done.stderr, "INJECTED" in text or "killed by SIGKILL" in text


def sweep(scene: Scene, fault: str, points: range) -> int:
    """Cuts at each of the points until one is past the end; returns how many were hit."""
    hit = 0
    end = ENDS.get(scene.verb, 0)
    for when in points:
        scene.reset()
        code, said, was_hit = run(scene, fault, when)
        if not was_hit:
            break
        hit += 1
        assert "Traceback" not in said, said
        if fault == "kill":
            assert code in (-9, 137), (code, said)
        else:
            assert code in (end, 5, 8), (code, said)
        scene.check()
        again = Shell(scene.work)(*_command(scene), code=-1)
        assert again.code in (end, *([1, 2] if scene.verb in ONCE else [])), (again.out, again.err)
        assert scene.outcome() == scene.final, f"{fault} at call {when}"
        left = list(scene.work.rglob("tmp/*tmp-*"))
        assert len(left) <= 1, left
    return hit


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_some_system_calls(verb: str, fault: str, tmp_path: Path) -> None:
    first = 1 if fault == "sync-error" else 2  # The first write that fails may be that of the error message, too.
    assert sweep(Scene(tmp_path, verb), fault, range(first, 40, 9)) > 0


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", [*COMMANDS, *SWEPT])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_system_call(verb: str, fault: str, tmp_path: Path) -> None:
    assert sweep(Scene(tmp_path, verb), fault, range(1, 100_000)) > (3 if fault == "kill" else 0)
