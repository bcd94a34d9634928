"""Native hooks and those of pre-commit or prek in one repository: in any order both run, and either can go."""

import os
import subprocess
from pathlib import Path

import pytest

from aimdvc.model.hooktexts import KEPT, LEGACY, NAMES, plain_text
from tests.e2e.frameworks import FRAMEWORKS, run
from tests.e2e.hooking import Told, repository
from tests.shell import Shell, git

KINDS = ["-t", "pre-commit", "-t", "pre-push"]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What Git runs; `aimdvc` on the PATH of Git's hooks tells, too."""
    made = Told(tmp_path)
    made.program(tmp_path / "bin" / "aimdvc", "ours")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    monkeypatch.setenv("PREK_HOME", str(tmp_path / "prek"))
    return made


@pytest.fixture
def code(tmp_path: Path, told: Told) -> Shell:
    """A code repository with a hook of the framework's, that needs no environment."""
    made = repository(tmp_path / "code")
    entry = told.program(tmp_path / "bin" / "framework-hook", "framework")
    made.write(
        ".pre-commit-config.yaml",
        "repos:\n- repo: local\n  hooks:\n  - {id: told, name: told, language: system, pass_filenames: false,"
        f" always_run: true, entry: {entry}, stages: [pre-commit, pre-push]}}\n",
    )
    git(made.here, "add", "-A")
    git(made.here, "commit", "-qm", "framework")
    git(tmp_path, "init", "-q", "--bare", "remote")
    return made


def ran(code: Shell, told: Told, *arguments: str) -> list[str]:
    """Returns whose hooks ran for a command of Git's, in order."""
    git(code.here, *arguments)
    return [line[0] for line in told.take()]


def works(framework: str, code: Shell, *arguments: str) -> None:
    """Runs a framework, which must succeed."""
    done = run(framework, code.here, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("is_first", [True, False])
def test_both_run_whichever_was_installed_first_and_however_often(
    code: Shell, told: Told, framework: str, is_first: bool
) -> None:
    for _ in range(2):
        if is_first:
            code("hooks", "install")
        works(framework, code, "install", *KINDS)
        code("hooks", "install")
    hooks = code.here / ".git" / "hooks"
    assert (hooks / f"pre-push{LEGACY}").read_bytes() == plain_text("pre-push")
    state = {one["name"]: one for one in code("hooks", "--json").json["hooks"]["hooks"]}
    assert (state["pre-push"]["state"], state["pre-push"]["beside"]) == ("chained", [framework])
    assert (state["post-merge"]["state"], state["post-merge"]["beside"]) == ("installed", [])
    assert ran(code, told, "commit", "--allow-empty", "-qm", "m")[:2] == ["ours", "framework"]
    git(code.here, "push", "-q", "../remote", "HEAD:refs/heads/a", "HEAD:refs/heads/b")
    ours, framework_line = told.take()
    assert (ours[0], ours[2][1:], framework_line[0]) == ("ours", ["pre-push", "../remote", "../remote"], "framework")
    assert [line.split()[2] for line in ours[3].splitlines()] == ["refs/heads/a", "refs/heads/b"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_either_can_go(code: Shell, told: Told, framework: str) -> None:
    works(framework, code, "install", *KINDS)
    theirs = (code.here / ".git" / "hooks" / "pre-push").read_bytes()
    code("hooks", "install")
    code("hooks", "uninstall")
    assert (code.here / ".git" / "hooks" / "pre-push").read_bytes() == theirs
    assert not [path for path in (code.here / ".git" / "hooks").iterdir() if path.suffix == LEGACY]
    assert ran(code, told, "commit", "--allow-empty", "-qm", "m") == ["framework"]
    code("hooks", "install")
    works(framework, code, "uninstall", *KINDS)
    assert {one["state"] for one in code("hooks", "--json").json["hooks"]["hooks"]} == {"installed"}
    assert set(ran(code, told, "commit", "--allow-empty", "-qm", "m")) == {"ours"}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_hook_of_the_users_runs_beside_both(code: Shell, told: Told, framework: str) -> None:
    hooks = code.here / ".git" / "hooks"
    before = told.program(hooks / "pre-commit", "theirs").read_bytes()
    code("hooks", "install")
    works(framework, code, "install", *KINDS)
    works(framework, code, "install", *KINDS)
    assert ran(code, told, "commit", "--allow-empty", "-qm", "m")[:3] == ["theirs", "ours", "framework"]
    code("hooks", "uninstall")
    assert ran(code, told, "commit", "--allow-empty", "-qm", "m") == ["theirs", "framework"]
    code("hooks", "install")
    assert ran(code, told, "commit", "--allow-empty", "-qm", "m")[:3] == ["theirs", "ours", "framework"]
    works(framework, code, "uninstall", *KINDS)
    assert ran(code, told, "commit", "--allow-empty", "-qm", "m")[:2] == ["theirs", "ours"]
    code("hooks", "uninstall")
    assert (hooks / "pre-commit").read_bytes() == before
    assert not (hooks / f"pre-commit{KEPT}").exists()


def test_two_frameworks_at_once_are_not_chained(code: Shell) -> None:
    works("pre-commit", code, "install")
    works("prek", code, "install", "-t", "pre-commit")
    done = code("hooks", "install", code=2)
    assert "'pre-commit.legacy' is another framework's, beside that of prek: neither was touched" in done.err
    assert not (code.here / ".git" / "hooks" / "pre-push").exists()
    found = code("hooks", "--json").json["hooks"]["hooks"]
    assert [one["state"] for one in found] == ["not-installed"] * len(NAMES)


def test_what_would_happen_to_a_wrapper_around_a_frameworks_hook(code: Shell) -> None:
    # Why ours goes where the framework looks for an older hook (docs/decisions/0031-hooks-beside-hooks.md).
    works("pre-commit", code, "install")
    hooks = code.here / ".git" / "hooks"
    (hooks / "pre-commit").rename(hooks / "pre-commit.kept")
    (hooks / "pre-commit").write_text('#!/bin/sh\nexec "$(dirname "$0")/pre-commit.kept" "$@"\n')
    (hooks / "pre-commit").chmod(0o755)
    git(code.here, "commit", "-q", "--allow-empty", "-m", "m")
    works("pre-commit", code, "install")
    stopped = subprocess.run(["git", "commit", "--allow-empty", "-m", "m"], cwd=code.here, capture_output=True)
    assert stopped.returncode == 1
    assert b"pre-commit's script is installed in migration mode" in stopped.stderr
