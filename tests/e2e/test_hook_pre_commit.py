"""The hook pre-commit: a code commit that artifacts disagree with is stopped, by real Git."""

from pathlib import Path

import pytest

from tests.e2e.hooking import repository
from tests.e2e.projects import project, tried
from tests.shell import Shell, git


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a project with one artifact, one version, one code commit and the hook."""
    return project(tmp_path / "project", ("pre-commit", "pre-merge-commit"))


def refused(shell: Shell, *arguments: str) -> str:
    """Returns what was told where Git is stopped."""
    done = tried(shell.here, *(arguments or ("commit", "-qm", "x")))
    assert done.returncode == 1, done.stdout
    return done.stdout


def test_a_commit_whose_lock_agrees_goes_through_in_silence(shell: Shell) -> None:
    shell.write("code.py", "2\n")
    shell.write("data/images/b", "2")
    shell.commit("data/images")
    assert tried(shell.here, "commit", "-qam", "x").stdout == ""


def test_a_stale_lock_stops_the_commit_and_names_the_command(shell: Shell) -> None:
    shell.write("data/images/b", "2")
    shell.commit("data/images")
    shell.write("code.py", "2\n")
    git(shell.here, "add", "code.py")
    assert refused(shell) == ("aimdvc: images: the lock pins v1?, checked out is v2?; `git add aimdvc.lock`\n")
    git(shell.here, "add", "aimdvc.lock")
    git(shell.here, "commit", "-qm", "x")


def test_git_commit_of_one_path_is_held_against_the_index_that_it_makes(shell: Shell) -> None:
    shell.write("data/images/b", "2")
    shell.commit("data/images")
    shell.write("code.py", "2\n")
    git(shell.here, "add", "aimdvc.lock")
    assert "`git add aimdvc.lock`" in refused(shell, "commit", "-qm", "x", "code.py")
    git(shell.here, "commit", "-qm", "x", "code.py", "aimdvc.lock")


def test_what_is_uncommitted_in_an_artifact_stops_the_commit(shell: Shell) -> None:
    for path, text in (("a", "changed"), ("new", "1")):
        shell.write(f"data/images/{path}", text)
    told = refused(shell, "commit", "-qm", "x", "--allow-empty")
    assert (
        "images: 2 uncommitted changes; `aimdvc add data/images` and `aimdvc commit images` save them (a, new)" in told
    )
    shell("add", "data/images")
    told = refused(shell, "commit", "-qm", "x", "--allow-empty")
    assert "images: 2 uncommitted changes; `aimdvc commit images` save them" in told


def test_a_lock_that_is_not_canonical_or_not_readable_stops_the_commit(shell: Shell) -> None:
    lock = shell.here / "aimdvc.lock"
    text = lock.read_text()
    lock.write_text(text.replace("\t", "    "))
    git(shell.here, "add", "aimdvc.lock")
    assert "aimdvc.lock: is not written as aimdvc writes it; `aimdvc checkout` writes it anew" in refused(shell)
    lock.write_text(f"<<<<<<< ours\n{text}")
    git(shell.here, "add", "aimdvc.lock")
    assert refused(shell).startswith("aimdvc: aimdvc.lock: a merge conflict is not settled")


def test_a_lock_that_is_not_tracked_or_is_removed_stops_the_commit(shell: Shell) -> None:
    git(shell.here, "rm", "-q", "--cached", "aimdvc.lock")
    assert "aimdvc.lock: is removed by this commit, and artifacts are here" in refused(shell)
    git(shell.here, "restore", "--staged", "--worktree", "aimdvc.lock")
    new = Shell(repository(shell.here.parent / "new").here)
    new("init")
    new.write("data/a", "1")
    new.commit("data")
    assert new("hook", "pre-commit", code=1).out.startswith("aimdvc: aimdvc.lock: is not tracked by Git")


def test_an_artifact_that_the_commit_takes_out_of_the_lock_is_told(shell: Shell) -> None:
    shell.write("data/other", "1")
    shell.commit("data/other")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "two artifacts")
    lock = shell.here / "aimdvc.lock"
    lock.write_text(lock.read_text().split("\n\n")[0] + "\n")
    git(shell.here, "add", "aimdvc.lock")
    assert "aimdvc: other: this commit takes it out of the lock, and it is still here" in refused(shell)
    git(shell.here, "checkout", "-q", "HEAD", "aimdvc.lock")
    shell("rm", "-rf", "data/other")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "one artifact")


def test_a_lock_that_was_changed_and_not_staged_is_told(shell: Shell) -> None:
    lock = shell.here / "aimdvc.lock"
    lock.write_text(lock.read_text().replace("images", "pictures"))
    assert "aimdvc.lock: was changed and is not staged so; `git add aimdvc.lock`" in refused(
        shell, "commit", "-qm", "x", "--allow-empty"
    )


def test_a_conflict_in_the_lock_stops_the_commit(shell: Shell) -> None:
    git(shell.here, "switch", "-qc", "side")
    for branch in ("side", "main"):
        git(shell.here, "switch", "-q", branch)
        shell("checkout")
        shell("switch", "-c", f"on-{branch}")
        shell.write("data/images/a", branch)
        shell.commit("data/images")
        git(shell.here, "commit", "-qam", branch)
    assert tried(shell.here, "merge", "-q", "side").returncode == 1
    assert shell("hook", "pre-commit", code=1).out == (
        "aimdvc: aimdvc.lock: is in conflict; settle it, then `git add aimdvc.lock`\n"
    )


def test_a_merge_may_bring_a_pin_that_is_followed_after_it(shell: Shell) -> None:
    git(shell.here, "switch", "-qc", "side")
    shell.write("data/images/b", "2")
    shell.commit("data/images")
    git(shell.here, "commit", "-qam", "two")
    git(shell.here, "switch", "-q", "main")
    shell("checkout")
    shell.write("code.py", "2\n")
    git(shell.here, "commit", "-qam", "code")
    git(shell.here, "merge", "-q", "--no-edit", "side")
    assert len(git(shell.here, "log", "-1", "--format=%P").split()) == 2
    assert shell("hook", "pre-commit", code=1).out.count("follows the lock") == 1


def test_an_artifact_that_was_never_pulled_stands_in_no_ones_way(shell: Shell, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(shell.here), "clone")
    clone = Shell(tmp_path / "clone")
    clone.write("code.py", "2\n")
    git(clone.here, "add", "code.py")
    assert clone("hook", "pre-commit").out == ""


def test_each_workspace_of_a_repository_is_checked(tmp_path: Path) -> None:
    shell = repository(tmp_path / "many")
    for inside in ("one", "two"):
        part = Shell(shell.here / inside)
        part.write("data/a", inside)
        part("init")
        part("add", "data", "-n", inside)
        part("commit", "-m", "m")
        part.write("data/a", "changed")
    git(shell.here, "add", "-A")
    told = shell("hook", "pre-commit", code=1).out.splitlines()
    assert [line.split(": ")[1:3] for line in told] == [["one", "one"], ["two", "two"]]
    found = shell("hook", "pre-commit", "--json", code=1).json["findings"]
    assert [(one["workspace"], one["kind"]) for one in found] == [("one", "uncommitted"), ("two", "uncommitted")]


def test_outside_of_a_project_every_hook_is_silent(tmp_path: Path) -> None:
    for place in (Shell(tmp_path), repository(tmp_path / "code")):
        done = place("hook", "pre-commit")
        assert (done.out, done.err) == ("", "")


def test_skip_names_a_hook_that_is_not_to_run(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.write("data/images/new", "1")
    monkeypatch.setenv("SKIP", "flake8, aimdvc-check")
    assert shell("hook", "pre-commit").out == ""


def test_an_unknown_hook_is_refused_by_name(shell: Shell) -> None:
    assert "did you mean `aimdvc hook pre-commit`?" in shell("hook", "precommit", code=2).err
