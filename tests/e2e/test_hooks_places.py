"""`aimdvc hooks` where hooks lie elsewhere than usual: core.hooksPath, worktrees, submodules; and cut half way."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git.program import Git
from aimdvc.model.hooktexts import NAMES, plain_text
from aimdvc.ops.hooks import install_hooks, uninstall_hooks
from tests.crash.scenarios import Fault, Killed
from tests.e2e.hooking import Told, repository, tree
from tests.shell import Shell, git


@pytest.fixture
def code(tmp_path: Path) -> Shell:
    """A code repository."""
    return repository(tmp_path / "code")


def installed(directory: Path) -> bool:
    """Returns whether ours are in a directory, all of them or none."""
    found = [name for name in NAMES if (directory / name).exists()]
    assert found in ([], list(NAMES))
    return bool(found)


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_relative_hooks_path_is_of_the_work_tree(code: Shell, scope: str) -> None:
    git(code.here, "config", scope, "core.hooksPath", "team/hooks")
    code.write("team/hooks/pre-push", "#!/bin/sh\ntrue\n").chmod(0o755)
    code.write("deep/down/x", "")
    done = code("hooks", "install", at=code.here / "deep" / "down")
    assert f"core.hooksPath ({scope[2:]}) has the hooks in the work tree: commit them" in done.err
    assert (code.here / "team/hooks/pre-commit").read_bytes() == plain_text("pre-commit")
    assert not installed(code.here / ".git" / "hooks")
    state = code("hooks", "--json").json["hooks"]
    assert (state["directory"], state["hooks_path"]) == (str(code.here / "team/hooks"), "team/hooks")
    assert (state["scope"], state["is_outside"], state["is_in_work_tree"]) == (scope[2:], False, True)
    code("hooks", "uninstall", at=code.here / "deep")
    assert tree(code.here / "team") == {"hooks/pre-push": (0o100755, b"#!/bin/sh\ntrue\n")}


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_hooks_outside_of_the_repository_are_written_to_with_force_only(
    code: Shell, scope: str, tmp_path: Path, home: Path
) -> None:
    shared = home / "all hooks"
    git(code.here, "config", scope, "core.hooksPath", "~/all hooks")
    config = (code.here / ".git" / "config").read_bytes()
    refused = code("hooks", "install", "--json", code=2).json
    assert refused["message"] == (
        f"core.hooksPath ({scope[2:]}) is '{shared}', outside of this repository: nothing was written"
    )
    assert refused["hint"].startswith("run `aimdvc hooks install --force` if all repositories")
    assert not shared.exists()
    assert (code.here / ".git" / "config").read_bytes() == config
    code("hooks", "install", "--force")
    assert installed(shared)
    assert f"core.hooksPath ({scope[2:]}) says so, outside of this repository" in code("hooks").out
    assert "nothing was taken away" in code("hooks", "uninstall", code=2).err
    assert installed(shared)
    code("hooks", "uninstall", "--force")
    assert not installed(shared)


def test_a_link_leads_out_of_the_repository_as_well(code: Shell, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (code.here / "hooks").symlink_to(tmp_path / "elsewhere")
    git(code.here, "config", "core.hooksPath", "hooks")
    assert "outside of this repository" in code("hooks", "install", code=2).err
    for value in ("", "/dev/null"):
        git(code.here, "config", "core.hooksPath", value)
        assert "outside of this repository" in code("hooks", "install", code=2).err
    assert code("hooks", "install", "--force", code=8).err.rstrip().endswith("is no directory")


def test_the_directory_of_this_project_serves_as_it_is(code: Shell) -> None:
    ours = Path(__file__).parents[2] / "hooks"
    git(code.here, "config", "core.hooksPath", str(ours))
    state = code("hooks", "--json").json["hooks"]
    assert {one["state"] for one in state["hooks"]} == {"installed"}


def test_hooks_that_a_setting_hides_are_told_and_taken_away(code: Shell) -> None:
    code("hooks", "install")
    git(code.here, "config", "core.hooksPath", ".husky")
    shown = code("hooks").out
    assert f"Hidden by core.hooksPath, in the repository's own directory: {', '.join(NAMES)}" in shown
    assert code("hooks", "--json").json["hooks"]["hidden"] == list(NAMES)
    assert {one["state"] for one in code("hooks", "--json").json["hooks"]["hooks"]} == {"not-installed"}
    code("hooks", "uninstall")
    assert not installed(code.here / ".git" / "hooks")


def test_all_worktrees_have_the_hooks_of_the_repository(code: Shell, tmp_path: Path) -> None:
    git(code.here, "worktree", "add", "-q", "../tree")
    assert Shell(tmp_path / "tree")("hooks", "install").out.count("Installed") == len(NAMES)
    assert installed(code.here / ".git" / "hooks")
    assert not (code.here / ".git" / "worktrees" / "tree" / "hooks").exists()
    assert "Nothing to do" in code("hooks", "install").out
    for place in (code.here, tmp_path / "tree"):
        assert git(place, "check-attr", "merge", "aimdvc.lock").endswith(": aimdvc-lock\n")
        assert git(place, "config", "merge.aimdvc-lock.driver")


def test_a_worktree_may_have_hooks_of_its_own(code: Shell, tmp_path: Path) -> None:
    git(code.here, "worktree", "add", "-q", "../tree")
    git(code.here, "config", "extensions.worktreeConfig", "true")
    git(tmp_path / "tree", "config", "--worktree", "core.hooksPath", ".hooks")
    other = Shell(tmp_path / "tree")
    other("hooks", "install")
    assert installed(tmp_path / "tree" / ".hooks")
    assert not installed(code.here / ".git" / "hooks")
    assert other("hooks", "--json").json["hooks"]["scope"] == "worktree"
    assert code("hooks", "--json").json["hooks"]["scope"] is None
    assert code("hooks", "--json").json["hooks"]["merge_driver"] == "registered"


def test_a_worktree_of_a_bare_repository_has_hooks(code: Shell, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", "code", "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "-q", "../tree", "main")
    Shell(tmp_path / "tree")("hooks", "install")
    assert installed(tmp_path / "bare.git" / "hooks")


def test_init_tells_of_the_hooks_once_and_where_there_are_some(code: Shell, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert Shell(tmp_path / "plain")("init").err == ""
    assert "`aimdvc hooks install` has Git's hooks keep code and artifacts in step" in code("init").err
    assert code("init").err == ""


def test_a_submodule_has_hooks_of_its_own(code: Shell, tmp_path: Path) -> None:
    repository(tmp_path / "library")
    git(code.here, "-c", "protocol.file.allow=always", "submodule", "add", "-q", "../library", "lib")
    code("hooks", "install", at=code.here / "lib")
    assert installed(code.here / ".git" / "modules" / "lib" / "hooks")
    assert not installed(code.here / ".git" / "hooks")
    assert git(code.here / "lib", "config", "--local", "merge.aimdvc-lock.driver")


def test_the_hooks_work_at_whatever_step_installing_them_is_cut(
    code: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(tmp_path)
    told.program(tmp_path / "bin" / "aimdvc", "ours")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    hooks = code.here / ".git" / "hooks"
    told.program(hooks / "pre-commit", "theirs", mode=0o750)
    (hooks / "post-merge").symlink_to("pre-commit")
    (code.here / ".git" / "info" / "attributes").write_bytes(b"a b")
    environment = dict(os.environ)
    git_program = Git(code.here, environment)

    def look() -> dict[str, tuple[int, bytes]]:
        return {path: found for path, found in tree(code.here / ".git").items() if "tmp-" not in path}

    before = look()
    stop_at = 0
    while True:
        stop_at += 1 if stop_at < 16 else 7  # The later steps write the other hooks in the same way.
        fault = Fault(stop_at)
        with contextlib.suppress(Killed):
            install_hooks(git_program, Disk(fault), False)
        _runs_theirs(hooks / "pre-commit", told)
        _runs_theirs(hooks / "post-merge", told)
        is_whole = len(fault.steps) < stop_at
        if not is_whole and stop_at % 3 == 0:
            install_hooks(git_program, Disk(), False)
            assert (hooks / "pre-push").read_bytes() == plain_text("pre-push")
        with contextlib.suppress(Killed):
            uninstall_hooks(git_program, Disk(Fault(stop_at % 7 + 1)), False)
        _runs_theirs(hooks / "pre-commit", told)
        uninstall_hooks(git_program, Disk(), False)
        assert look() == before, f"step {stop_at} of {fault.steps}"
        if is_whole:
            break
    assert stop_at > 40


def _runs_theirs(hook: Path, told: Told) -> None:
    subprocess.run([hook, "0"], check=True, stdin=subprocess.DEVNULL)
    assert told.take()[0][0] == "theirs"
