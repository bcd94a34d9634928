"""`why`: which commits, branches and tags of the code pin a version; real Git makes the code's history."""

from pathlib import Path

import pytest

from tests.shell import Shell, git


@pytest.fixture
def code(shell: Shell) -> Shell:
    """A code repository with v1? of `data` pinned by two commits, then v2? by one on a branch."""
    git(shell.here, "init", "-q", "-b", "main")
    shell("init")
    shell.write("data/f", "1")
    shell.commit("data", "one")
    save(shell, "pin v1")
    shell.write("train.py", "1")
    save(shell, "train")
    git(shell.here, "tag", "-a", "first", "-m", "first")
    git(shell.here, "switch", "-q", "-c", "feature")
    shell.write("data/f", "2")
    shell("commit", "-am", "two")
    save(shell, "pin v2")
    return shell


def save(shell: Shell, message: str) -> None:
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-q", "-m", message)


def test_commits_branches_and_tags_are_named(code: Shell) -> None:
    found = code("why", "data@HEAD~1", "--json").json
    assert [one["message"] for one in found["commits"]] == ["pin v1\n", "train\n"]
    assert [(one["ref"], one["is_tip"]) for one in found["refs"]] == [
        ("refs/heads/main", True),
        ("refs/tags/first", True),
        ("refs/heads/feature", False),
    ]
    told = code("why", "data@HEAD~1").out
    assert "data@v1?: pinned by 2 code commits\n" in told
    assert "branch main: pins it\n" in told and "tag first: pins it\n" in told
    assert "branch feature: pinned it earlier\n" in told
    assert [one["message"] for one in code("why", "--json").json["commits"]] == ["pin v2\n"]


def test_commits_are_those_that_git_log_finds(code: Shell) -> None:
    commit = code("log", "data", "--json").json["versions"][-1]["commit"]["id"]
    want = git(code.here, "log", "--all", "--reverse", "--format=%H", "-S", commit, "--", "aimdvc.lock").split()
    have = [one["id"] for one in code("why", f"data@{commit}", "--json").json["commits"]]
    assert have[0] == want[0] and set(have) < set(git(code.here, "rev-list", "--all").split())


def test_a_version_that_only_the_lock_here_pins_is_said(code: Shell) -> None:
    code.write("data/f", "3")
    code("commit", "-am", "three")
    assert code("why").out == "data@v3?: pinned by only aimdvc.lock as it lies here, not committed\n"
    code("checkout", "data@HEAD~1")
    assert code("why", "data@v3?").out == "data@v3?: pinned by no code commit\n"


def test_a_workspace_in_a_subdirectory_and_a_detached_head_count(tmp_path: Path) -> None:
    code = Shell(tmp_path / "code")
    inner = Shell(code.here / "sub")
    inner.write("data/f", "1")
    git(code.here, "init", "-q", "-b", "main")
    inner("init")
    inner.commit("data", "one")
    save(code, "one")
    git(code.here, "switch", "-q", "--detach")
    git(code.here, "commit", "-q", "--allow-empty", "-m", "detached")
    found = inner("why", "--json").json
    assert [one["message"] for one in found["commits"]] == ["one\n", "detached\n"]
    assert ("HEAD", True) in [(one["ref"], one["is_tip"]) for one in found["refs"]]


def test_a_lock_that_cannot_be_read_is_told(code: Shell) -> None:
    lock = code.here / "aimdvc.lock"
    before = lock.read_bytes()
    lock.write_bytes(b"<<<<<<< HEAD\n" + before)
    save(code, "broken")
    lock.write_bytes(before)
    save(code, "mended")
    done = code("why")
    assert "pinned by 2 code commits" in done.out
    assert "the lock of 1 code commit can't be read" in done.err


def test_outside_of_a_code_repository_it_is_one_line(shell: Shell) -> None:
    shell.write("data/f", "1")
    shell.commit("data", "one")
    assert "is in no Git work tree" in shell("why", code=2).err
