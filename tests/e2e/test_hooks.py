"""`aimdvc hooks`: Git runs aimdvc beside what it ran before, and all of it can be taken back."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from aimdvc.model.hooktexts import NAMES, chained_text, plain_text
from tests.e2e.hooking import Told, repository, tree
from tests.shell import Shell, git


@pytest.fixture
def code(tmp_path: Path) -> Shell:
    """A code repository."""
    return repository(tmp_path / "my co$de's")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What Git runs; `aimdvc` on the PATH of Git's hooks tells, too."""
    made = Told(tmp_path)
    made.program(tmp_path / "bin" / "aimdvc", "ours")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return made


def states(shell: Shell) -> dict[str, str]:
    """Returns the state of each hook."""
    return {one["name"]: one["state"] for one in shell("hooks", "--json").json["hooks"]["hooks"]}


def test_every_hook_is_installed_once_and_is_what_git_runs(code: Shell, told: Told) -> None:
    assert set(states(code).values()) == {"not-installed"}
    done = code("hooks", "install", "--json").json
    assert done["changed"] == list(NAMES)
    assert done["is_driver_changed"] is True
    assert set(states(code).values()) == {"installed"}
    hooks = code.here / ".git" / "hooks"
    for name in NAMES:
        assert (hooks / name).read_bytes() == plain_text(name)
        assert (hooks / name).stat().st_mode & 0o777 == 0o755
    before = {path: path.stat().st_mtime_ns for path in (code.here / ".git").rglob("*")}
    assert "Nothing to do" in code("hooks", "install").out
    assert {path: path.stat().st_mtime_ns for path in (code.here / ".git").rglob("*")} == before
    git(code.here, "commit", "-q", "--allow-empty", "-m", "m")
    git(code.here, "checkout", "-q", "-b", "other")
    git(code.here, "commit", "-q", "--amend", "--allow-empty", "-m", "n")
    git(code.here, "merge", "-q", "--no-ff", "-m", "merge", "main")
    (code.here.parent / "remote").mkdir()
    git(code.here.parent / "remote", "init", "-q", "--bare")
    git(code.here, "push", "-q", "../remote", "HEAD:refs/heads/x")
    assert {line[2][1] for line in told.take()} == set(NAMES)


def test_a_hook_that_is_there_runs_first_with_all_arguments_and_input(code: Shell, told: Told) -> None:
    hooks = code.here / ".git" / "hooks"
    for name in ("pre-push", "post-rewrite", "commit-msg"):
        told.program(hooks / name, "theirs")
    done = code("hooks", "install")
    assert "Installed pre-push, runs with pre-push.aimdvc-chained" in done.out
    assert states(code)["pre-push"] == "chained"
    assert (hooks / "pre-push").read_bytes() == chained_text("pre-push")
    git(code.here.parent, "init", "-q", "--bare", "remote")
    names = "".join(f"create refs/heads/a-branch-with-a-long-name/{number:0200} HEAD\n" for number in range(300))
    subprocess.run(["git", "update-ref", "--stdin"], cwd=code.here, input=names.encode(), check=True)
    git(code.here, "push", "-q", "../remote", "--all")
    theirs, ours = told.take()
    assert theirs == ["theirs", "pre-push.aimdvc-chained", ["../remote", "../remote"], ours[3]]
    assert ours[:3] == ["ours", "aimdvc", ["hook", "pre-push", "../remote", "../remote"]]
    assert len(ours[3].splitlines()) == 301
    assert len(ours[3]) > 1 << 17
    git(code.here, "push", "-q", "../remote", "--all")
    assert [line[3] for line in told.take()] == ["", ""]
    git(code.here, "commit", "-q", "--amend", "--allow-empty", "-m", "n")
    rewritten = [line for line in told.take() if "post-rewrite" in [line[1].partition(".")[0], *line[2]]]
    assert [line[0] for line in rewritten] == ["theirs", "ours"]
    assert rewritten[0][2:] == [["amend"], rewritten[1][3]]


@pytest.mark.parametrize(("theirs", "ours"), [(0, 0), (3, 0), (0, 4), (3, 4)])
def test_the_first_hook_that_fails_gives_the_exit_code(code: Shell, told: Told, theirs: int, ours: int) -> None:
    for name in NAMES:
        told.program(code.here / ".git" / "hooks" / name, "theirs", theirs)
    told.program(code.here.parent / "bin" / "aimdvc", "ours", ours)
    code("hooks", "install")
    for name in NAMES:
        run = [str(code.here / ".git" / "hooks" / name), "one", "two words"]
        done = subprocess.run(run, cwd=code.here, input=b"x\ny", capture_output=True)
        assert done.returncode == (theirs or ours), name
        ran = told.take()
        assert [line[0] for line in ran] == (["theirs"] if theirs and name.startswith("pre") else ["theirs", "ours"])
        assert ran[0][2] == ["one", "two words"]
        if len(ran) == 2:
            assert ran[1][2] == ["hook", name, "one", "two words"]
        if name in ("pre-push", "post-rewrite"):
            assert {line[3] for line in ran} == {"x\ny"}


def test_uninstalling_brings_back_every_byte_and_mode(code: Shell, told: Told) -> None:
    hooks = code.here / ".git" / "hooks"
    told.program(hooks / "pre-push", "theirs", mode=0o700)
    told.program(hooks / "pre-commit", "asleep", mode=0o640)
    told.program(code.here / "tools" / "check", "linked")
    (hooks / "post-merge").symlink_to("../../tools/check")
    (hooks / "post-rewrite").symlink_to("nowhere")
    (code.here / ".git" / "info" / "attributes").write_bytes(
        b"*.png binary\n/aimdvc.lock merge=aimdvc-lock-2\r\n*.x -text"
    )
    git(code.here, "config", "user.name", "; a # comment")
    before = tree(code.here)
    code("hooks", "install")
    assert states(code)["post-merge"] == "chained"
    git(code.here, "commit", "-q", "--allow-empty", "-m", "m")
    assert ["asleep"] not in [line[:1] for line in told.take()]
    subprocess.run([hooks / "post-merge", "0"], check=True)
    assert [line[0] for line in told.take()] == ["linked", "ours"]
    subprocess.run([hooks / "post-rewrite", "amend"], check=True, stdin=subprocess.DEVNULL)
    assert [line[0] for line in told.take()] == ["ours"]
    git(code.here, "reset", "-q", "--hard", "HEAD~1")
    assert "Uninstalled pre-push" in code("hooks", "uninstall").out
    after = tree(code.here)
    assert {path for path in after if "hooks/" in path} == {path for path in before if "hooks/" in path}
    for path in (name for name in before if "/hooks/" in name or "/info/" in name or name == ".git/config"):
        assert after[path] == before[path], path
    assert "Nothing to do" in code("hooks", "uninstall").out


@pytest.mark.parametrize("content", [None, b"a b\n", b"a b", b"\n", b"*.lock -merge\n"])
def test_the_lock_is_merged_by_aimdvc_in_every_directory_and_attributes_stay(
    code: Shell, content: bytes | None
) -> None:
    attributes = code.here / ".git" / "info" / "attributes"
    if content is not None:
        attributes.write_bytes(content)
    config = (code.here / ".git" / "config").read_bytes()
    assert code("hooks", "--json").json["hooks"]["merge_driver"] == "not-registered"
    code("hooks", "install")
    assert code("hooks", "--json").json["hooks"]["merge_driver"] == "registered"
    for path in ("aimdvc.lock", "deep/down/aimdvc.lock"):
        assert git(code.here, "check-attr", "merge", path) == f"{path}: merge: aimdvc-lock\n"
    assert git(code.here, "config", "merge.aimdvc-lock.driver") == "aimdvc hook merge-driver %O %A %B %P\n"
    code("hooks", "uninstall")
    assert (attributes.read_bytes() if attributes.exists() else None) == content
    assert (code.here / ".git" / "config").read_bytes() == config


def test_how_the_user_has_the_lock_merged_is_left(code: Shell) -> None:
    attributes = code.here / ".git" / "info" / "attributes"
    attributes.write_bytes(b"aimdvc.lock text merge=union\n")
    git(code.here, "config", "merge.aimdvc-lock.driver", "/opt/aimdvc hook merge-driver %O %A %B %P")
    before = tree(code.here / ".git" / "info"), (code.here / ".git" / "config").read_bytes()
    done = code("hooks", "install")
    assert "Git merges aimdvc.lock otherwise: by what the user set; that was left as it is" in done.err
    assert code("hooks", "--json").json["hooks"]["merge_driver"] == "differs"
    code("hooks", "uninstall")
    assert (tree(code.here / ".git" / "info"), (code.here / ".git" / "config").read_bytes()) == before


def test_what_is_not_ours_as_it_stands_is_told_apart(code: Shell) -> None:
    hooks = code.here / ".git" / "hooks"
    code("hooks", "install")
    (hooks / "pre-commit").write_bytes(b'#!/bin/sh\nlint && exec aimdvc hook pre-commit "$@"\n')
    (hooks / "pre-push").write_bytes(b'#!/bin/bash\naimdvc hook pre-push "$@"\n')
    (hooks / "post-merge").chmod(0o644)
    (hooks / "post-checkout").unlink()
    found = states(code)
    expected = {
        "pre-commit": "differs",
        "pre-push": "older",
        "post-merge": "disabled",
        "post-checkout": "not-installed",
    }
    assert {name: found[name] for name in expected} == expected
    assert "of another aimdvc: `aimdvc hooks install` renews it" in code("hooks").out
    done = code("hooks", "install")
    assert "pre-commit calls aimdvc by a text of its own, which is left as it is" in done.err
    assert states(code) == {name: "differs" if name == "pre-commit" else "installed" for name in NAMES}
    code("hooks", "uninstall")
    assert [path.name for path in hooks.iterdir() if path.suffix != ".sample"] == ["pre-commit"]


def test_nothing_is_written_where_a_hook_could_be_lost(code: Shell, told: Told) -> None:
    hooks = code.here / ".git" / "hooks"
    told.program(hooks / "pre-push", "theirs")
    code("hooks", "install")
    told.program(hooks / "pre-push", "newer")
    code("hooks", "uninstall")
    before = tree(code.here / ".git")
    assert "nothing was written" in code("hooks", "install", code=1).err
    assert tree(code.here / ".git") == before
    (hooks / "pre-push").unlink()
    assert "Uninstalled pre-push" in code("hooks", "uninstall").out
    assert told.program(hooks / "x", "theirs").read_bytes() == (hooks / "pre-push").read_bytes()
    (hooks / "post-merge").mkdir()
    assert "is a directory, expected a hook" in code("hooks", "install", code=2).err
    assert not (hooks / "pre-commit").exists()


def test_where_there_is_no_work_tree_it_says_so(tmp_path: Path, code: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    git(tmp_path, "init", "-q", "--bare", "bare")
    for action in ("install", "uninstall", "status"):
        for place, said in (
            ("plain", "not in a Git work tree: "),
            ("bare", "a bare repository, not a work tree; install the hooks in a clone"),
            ("my co$de's/.git", "inside of a Git directory, not a work tree"),
        ):
            done = code("hooks", action, at=tmp_path / place, code=2)
            assert said in done.err
    (code.here / ".git" / "config.lock").touch()
    assert "Git's configuration of" in code("hooks", "install", code=5).err
    (code.here / ".git" / "config.lock").unlink()
    git(code.here, "config", "extensions.tomorrow", "yes")
    git(code.here, "config", "core.repositoryFormatVersion", "1")
    assert "unknown repository extension" in code("hooks", "install", code=2).err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "`git` is not on the PATH; install Git" in code("hooks", "install", code=2).err


def test_hooks_tell_of_another_repository_in_vain(tmp_path: Path, code: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    other = repository(tmp_path / "other")
    before = tree(other.here)
    for name, value in (
        ("GIT_DIR", str(other.here / ".git")),
        ("GIT_WORK_TREE", str(other.here)),
        ("GIT_COMMON_DIR", str(other.here / ".git")),
        ("GIT_INDEX_FILE", str(other.here / ".git" / "index")),
        ("GIT_CONFIG", str(other.here / ".git" / "config")),
        ("GIT_CONFIG_PARAMETERS", f"'core.hooksPath={other.here}'"),
    ):
        monkeypatch.setenv(name, value)
    assert code("hooks", "install", "--json").json["hooks"]["directory"] == str(code.here / ".git" / "hooks")
    assert tree(other.here) == before
    assert (code.here / ".git" / "hooks" / "pre-push").exists()


def test_a_hook_that_finds_no_aimdvc_says_so_in_one_line_and_stops_the_commit(
    code: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("git", "sh", "dirname", "cat"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    assert "`aimdvc` is not on the PATH" in code("hooks", "install").err
    done = subprocess.run(["git", "commit", "--allow-empty", "-m", "m"], cwd=code.here, capture_output=True, text=True)
    assert done.returncode != 0
    assert "aimdvc: not found" in done.stderr
    assert done.stderr.count("\n") == 1
