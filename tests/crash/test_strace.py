"""Real processes, killed or failed by strace at the n-th system call that writes: the judge of the in-process faults.

A representative part runs always; `pytest -m sweep tests/crash` runs every call.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
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
    "kill": f"{DURABLE}:signal=KILL",
    "full": "write,pwrite64,pwritev:error=ENOSPC",
    "sync-error": "fsync,fdatasync,syncfs:error=EIO",
}

_CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)


def _command(scene: Scene) -> list[str]:
    return (COMMANDS | SWEPT)[scene.verb]


def run(scene: Scene, fault: str, call: str = "", when: int = 0) -> tuple[int, str, str]:
    """Runs the command, with a fault at the n-th call if one is named; returns its exit code, what it said, the log."""
    log = scene.root / "strace.log"
    names, _, harm = FAULTS[fault].partition(":")
    arguments = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call or names}"]
    # Stops at the traced calls alone, which is four times as fast; but so strace delivers no signal (seen with 6.1).
    if fault != "kill" or not call:
        arguments.append("--seccomp-bpf")
    if call:
        arguments += ["-e", f"inject={call}:{harm}:when={when}"]
    arguments += [sys.executable, "-m", "aimdvc", *_command(scene)]
    done = subprocess.run(arguments, cwd=scene.work, capture_output=True, text=True, timeout=120, env=unmeasured())
    text = log.read_text(errors="replace")
    log.unlink()
    return done.returncode, done.stdout + done.stderr, text


def calls(scene: Scene, fault: str) -> list[tuple[str, int]]:
    """Returns the calls of an uncut run in their order, each as its name and its number among those of its name.

    So strace counts them: `when` of several names is met by the first of them that comes as often.
    """
    scene.reset()
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], None] = {}
    for process, name in _CALL.findall(run(scene, fault)[2]):
        seen[process, name] += 1
        found[name, seen[process, name]] = None
    return list(found)


def sweep(scene: Scene, fault: str, points: slice) -> int:
    """Cuts at each of the points, places among all the calls; returns how many were hit."""
    hit = 0
    end = ENDS.get(scene.verb, 0)
    for call, when in calls(scene, fault)[points]:
        scene.reset()
        code, said, log = run(scene, fault, call, when)
        if "INJECTED" not in log and "killed by SIGKILL" not in log:
            continue
        hit += 1
        assert "Traceback" not in said, said
        if fault == "kill":
            assert code in (-9, 137), (code, said)
        else:
            assert code in (end, 5, 8), (code, said)
        scene.check()
        again = Shell(scene.work)(*_command(scene), code=-1)
        assert again.code in (end, *([1, 2] if scene.verb in ONCE else [])), (again.out, again.err)
        assert scene.outcome() == scene.final, f"{fault} at {call} {when}"
        left = list(scene.work.rglob("tmp/*tmp-*"))
        assert len(left) <= 1, left
    return hit


@pytest.mark.parametrize("verb", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_some_system_calls(verb: str, fault: str, tmp_path: Path) -> None:
    first = 0 if fault == "sync-error" else 1  # The first write that fails may be that of the error message, too.
    assert sweep(Scene(tmp_path, verb), fault, slice(first, 40, 9)) > 0


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("verb", [*COMMANDS, *SWEPT])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_system_call(verb: str, fault: str, tmp_path: Path) -> None:
    assert sweep(Scene(tmp_path, verb), fault, slice(None)) > 0
