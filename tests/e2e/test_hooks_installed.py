"""Installed hooks, and the directory `hooks/` by core.hooksPath, at work: real Git calls the real aimdvc."""

from pathlib import Path

import pytest

from tests.e2e.frameworks import ROOT, tried
from tests.e2e.hooking import repository
from tests.shell import Shell, git


@pytest.fixture
def inner(tmp_path: Path) -> Shell:
    """A workspace in a directory of a code repository, with the artifacts `data` and `net`; hooks are not installed."""
    code = repository(tmp_path / "code")
    shell = Shell(code.here / "models" / "vision")
    shell.here.mkdir(parents=True)
    shell("init")
    for name in ("data", "net"):
        shell.write(f"{name}/a", "1")
        shell.commit(name)
    git(code.here, "add", "-A")
    git(code.here, "commit", "-qm", "with artifacts")
    return shell


def stopped(here: Path, *arguments: str) -> str:
    """Runs Git, which must fail; returns what is said."""
    done = tried(here, *arguments)
    assert done.returncode != 0, done.stdout
    return done.stdout


def move(shell: Shell, name: str, content: str) -> None:
    """Makes a version, and a commit of the code that pins it."""
    shell.write(f"{name}/a", content)
    shell("commit", "-am", content)
    git(shell.here, "commit", "-qam", f"{name} {content}")


def test_installed_hooks_serve_a_workspace_in_any_directory(inner: Shell) -> None:
    code = inner.here.parents[1]
    inner("hooks", "install")
    inner.write("data/a", "2")
    assert "data" in stopped(code, "commit", "--allow-empty", "-m", "part")
    inner("commit", "-am", "two")
    git(code, "commit", "-qam", "both")
    git(code, "checkout", "-q", "-b", "topic", "HEAD~1")
    assert (inner.here / "data" / "a").read_text() == "1"
    move(inner, "net", "2")
    git(code, "checkout", "-q", "main")
    git(code, "merge", "-q", "--no-edit", "topic")
    assert [(inner.here / name / "a").read_text() for name in ("data", "net")] == ["2", "2"]
    assert inner("check").code == 0


def test_the_registered_driver_merges_the_lock(inner: Shell) -> None:
    code = inner.here.parents[1]
    inner("hooks", "install")
    git(code, "branch", "topic")
    move(inner, "data", "2")
    git(code, "checkout", "-q", "topic")
    inner("switch", "-c", "data@topic")
    move(inner, "data", "3")
    git(code, "checkout", "-q", "main")
    said = stopped(code, "merge", "topic")
    assert "models/vision/aimdvc.lock: when all are settled: `git add models/vision/aimdvc.lock`" in said
    git(code, "merge", "--abort")
    inner("hooks", "uninstall")
    assert "when all are settled" not in stopped(code, "merge", "topic")


def test_the_directory_of_hooks_serves_by_a_setting(inner: Shell, tmp_path: Path) -> None:
    git(inner.here, "config", "--global", "core.hooksPath", str(ROOT / "hooks"))
    inner.write("data/a", "2")
    assert "data" in stopped(inner.here, "commit", "--allow-empty", "-m", "part")
    plain = repository(tmp_path / "plain")
    git(tmp_path, "init", "-q", "--bare", "remote")
    for line in (
        "commit --allow-empty -m m",
        "checkout -q -b x",
        "push -q ../remote x",
        "commit --amend --allow-empty -m n",
    ):
        done = tried(plain.here, *line.split())
        assert done.returncode == 0
        assert "aimdvc" not in done.stdout
