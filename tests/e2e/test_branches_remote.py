"""Branches pushed, pulled, merged and rebased over a server and a folder."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.branching import clone, in_git, names, with_topic
from tests.shell import Shell, files_of, git


@pytest.fixture
def made(shell: Shell) -> Shell:
    """A workspace with two versions and a branch `topic` at the first."""
    return with_topic(shell)


def test_another_branch_is_pushed_pulled_and_not_numbered(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    made("switch", "topic")
    made.write("data/t", "t\n")
    made.commit("data", "on topic")
    assert "pushed topic" in made("push").out
    assert "nothing to push" in made("push").out
    assert [tag["tag"] for tag in made("tag", "--json").json["tags"]] == ["v2", "v1"]
    other = clone(tmp_path, f"{remote}/data")
    assert names(other, "-a") == ["main", "origin/main", "origin/topic"]
    assert names(other, "-r") == ["origin/main", "origin/topic"]
    other("switch", "topic")
    assert files_of(other.here) == {"a": b"one\n", "t": b"t\n"}
    other.write("t", "more\n")
    other.commit(".", "more")
    assert "[1 ahead]" in other("branch", "-v").out
    assert "1 ahead of the remote" in other("status").out
    assert "pushed topic" in other("push").out
    made.write("data/u", "u\n")
    made.commit("data", "meanwhile")
    assert made("push", "--json", code=5).json["error"] == "ref-moved"
    assert "merge to" in made("pull").out
    assert made("show", "--json").json["version"]["commit"]["message"] == "Merge branch 'topic' of origin into topic\n"
    made("push")
    assert "fast-forward" in other("pull").out
    assert files_of(other.here) == files_of(made.here / "data")
    assert in_git(other, "rev-parse", "main") == in_git(made, "rev-parse", "main")
    other("switch", "main")
    assert "merge to v3?" in other("merge", "topic").out
    other("push")
    assert [tag["tag"] for tag in other("tag", "--json").json["tags"]] == ["v3", "v2", "v1"]
    assert other("fsck").code == 0


def test_a_branch_that_the_remote_lacks_says_so_and_a_deleted_one_stays_there(
    made: Shell, remote: str, tmp_path: Path
) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    made("switch", "topic")
    assert "doesn't have this branch" in made("pull").out
    made("push")
    made("switch", "main")
    made("branch", "-d", "topic")
    made("fetch")
    assert names(made, "-a") == ["main", "origin/main", "origin/topic"]
    assert "on topic" in made("switch", "topic").out


def test_merge_without_a_revision_takes_the_remote_s_branch_as_first_parent(
    made: Shell, remote: str, tmp_path: Path
) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    made.write("data/a", "three\n")
    made.commit("data", "three")
    made("push")
    other.write("b", "mine\n")
    other.commit(".", "mine")
    other("fetch")
    other("merge")
    theirs = in_git(made, "rev-parse", "main")
    assert in_git(other, "rev-parse", "main^1") == theirs
    assert in_git(other, "log", "-1", "--format=%s", "main") == "Merge remote-tracking branch 'origin/main'"
    other("push")
    assert [tag["tag"] for tag in other("tag", "--json").json["tags"]] == ["v4", "v3", "v2", "v1"]


def test_a_pull_that_conflicts_is_finished_by_merge_and_commit(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    made.write("data/a", "theirs\n")
    made.write("data/n", "n\n")
    made.commit("data", "theirs")
    made("push")
    other.write("a", "ours\n")
    other.commit(".", "ours")
    assert other("pull", "--json", code=1).json["error"] == "merge-conflict"
    assert files_of(other.here) == {"a": b"ours\n", "b": b"b\n", "n": b"n\n"}
    assert "has to wait" in other("pull", code=1).err
    assert "nothing to push" not in other("push", code=-1).out
    other("merge", "--theirs")
    other("commit")
    assert in_git(other, "log", "-1", "--format=%s", "main") == "Merge branch 'main' of origin"
    assert in_git(other, "rev-parse", "main^1") == in_git(made, "rev-parse", "main")
    other("push")
    made("pull")
    assert files_of(other.here) == files_of(made.here / "data")


def test_rebase_makes_local_commits_anew_on_the_remote_s_tip(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    made.write("data/a", "three\n")
    made.write("data/same", "same\n")
    made.commit("data", "three")
    made("push")
    for path in ("x", "y", "same"):
        other.write(path, f"{path}\n")
        other.commit(".", path)
    other.write("b", "unsaved\n")
    assert "rebase to" in other("pull", "--rebase").out
    assert in_git(other, "log", "--format=%s", "main").split() == ["y", "x", "three", "two", "one"]
    assert files_of(other.here) == {"a": b"three\n", "b": b"unsaved\n", "same": b"same\n", "x": b"x\n", "y": b"y\n"}
    in_git(other, "fsck", "--strict")
    assert other("status", "-s").out == " M b\n"
    assert "up to date" in other("pull", "--rebase").out
    other("push")


def test_rebase_with_a_conflict_changes_nothing(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    made.write("data/a", "theirs\n")
    made.commit("data", "theirs")
    made("push")
    other.write("x", "x\n")
    other.commit(".", "fine")
    other.write("a", "ours\n")
    other.commit(".", "ours")
    before = files_of(other.here), in_git(other, "rev-parse", "main"), other("status", "-s").out
    done = other("pull", "--rebase", "--json", code=1).json
    assert (done["error"], "'a'" in done["message"]) == ("merge-conflict", True)
    assert (files_of(other.here), in_git(other, "rev-parse", "main"), other("status", "-s").out) == before
    assert other("pull", "--rebase", "--ours", code=2)


def test_rebase_refuses_what_the_code_pins_what_is_published_and_merges(tmp_path: Path, remote: str) -> None:
    code = Shell(tmp_path / "code")
    code.here.mkdir()
    git(code.here, "init", "-q", "-b", "main")
    code("init", "--remote", remote)
    code.write("data/a", "one\n")
    code.commit("data", "one")
    code("push")
    other = clone(tmp_path, f"{remote}/data")
    other.write("b", "b\n")
    other.commit(".", "two")
    other("push")
    code.write("data/c", "c\n")
    code.commit("data", "pinned")
    git(code.here, "add", "-A")
    git(code.here, "commit", "-qm", "pins it")
    repository = str(code.here / ".git/aimdvc/repos/data.git")
    before = git(code.here, "--git-dir", repository, "rev-parse", "main")
    said = code("pull", "--rebase", code=1).err
    assert "'pinned'" in said
    assert "pins it in aimdvc.lock" in said
    assert git(code.here, "--git-dir", repository, "rev-parse", "main") == before
    # Nothing of the code names it any more: no ref, no reflog, no staged lock.
    git(code.here, "update-ref", "-d", "refs/heads/main")
    git(code.here, "rm", "-rq", "--cached", ".")
    shutil.rmtree(code.here / ".git/logs")
    assert "rebase to v3?" in code("pull", "--rebase").out
    other.write("d", "d\n")
    other.commit(".", "three")
    other("push")
    code("branch", "kept")
    code("commit", "--allow-empty", "-m", "x")
    code("switch", "kept")
    code("push")
    code("switch", "main")
    assert "it is published" in code("pull", "--rebase", code=1).err


def test_rebase_refuses_a_merge(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    made("commit", "--allow-empty", "-m", "three")
    made("push")
    other("switch", "-c", "aside")
    other("commit", "--allow-empty", "-m", "aside")
    other("switch", "main")
    other("merge", "--no-ff", "aside")
    assert "it is a merge" in other("pull", "--rebase", code=1).err


def test_a_branch_is_deleted_on_the_remote(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    made("switch", "topic")
    made.write("data/t", "t\n")
    made.commit("data", "on topic")
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    done = made("push", "--delete", "data@topic", "--json").json["deleted"]
    assert (done["branch"], done["commit"]) == ("topic", in_git(made, "rev-parse", "topic"))
    assert names(made, "-a") == ["main", "topic", "origin/main"]
    other("fetch")
    assert names(other, "-a") == ["main", "origin/main"]
    assert "has no revision 'topic'" in made("push", "--delete", "data@topic", code=2).err
    # What stays: it can be pushed again.
    assert "pushed topic" in made("push").out
    for stays in ("main", "v1"):
        assert "stays on the remote" in made("push", "--delete", f"data@{stays}", code=1).err


def test_a_deletion_on_the_remote_is_never_of_what_was_not_seen(made: Shell, remote: str, tmp_path: Path) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    made("switch", "topic")
    made("push")
    other = clone(tmp_path, f"{remote}/data")
    other("switch", "topic")
    other.write("new", "new\n")
    other.commit(".", "unseen")
    other("push")
    refused = made("push", "--delete", "data@topic", "--json", code=5).json
    assert refused["error"] == "ref-moved"
    made("fetch")
    made("push", "--delete", "data@topic")


def test_a_deletion_that_was_cut_is_finished_by_running_it_again(
    made: Shell, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("remote", "add", "origin", remote)
    made("push")
    made("switch", "topic")
    made("push")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("aimdvc.git.history.History.move_refs", stop)
        made("push", "--delete", "data@topic", code=130)
    assert names(made, "-r") == ["origin/main", "origin/topic"]
    made("push", "--delete", "data@topic")
    assert names(made, "-r") == ["origin/main"]
