"""Verbs over several artifacts: each is tried, what was done is told, and the first error counts."""

from pathlib import Path

import pytest

from tests.shell import Shell


@pytest.fixture
def three(shell: Shell, tmp_path: Path) -> Shell:
    """Three artifacts on a remote; somebody else has pushed to the second since."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    for name in ("a", "b", "c"):
        shell.write(f"{name}/f", "1")
        shell.commit(name, "one")
    shell("push")
    Shell(tmp_path)("clone", str(tmp_path / "remote/b"), "other")
    other = Shell(tmp_path / "other")
    other.write("f", "theirs")
    other.commit(".", "theirs")
    other("push")
    for name in ("a", "b", "c"):
        shell.write(f"{name}/f", "2")
    shell("commit", "-am", "two")
    return shell


def test_a_push_goes_on_after_one_artifact_failed(three: Shell) -> None:
    done = three("push", "--json", code=5).json
    assert [one["artifact"] for one in done["artifacts"]] == ["a", "c"]
    assert [(one["artifact"], one["error"]) for one in done["failed"]] == [("b", "ref-moved")]
    assert done["error"] == "ref-moved"
    again = three("push", code=5)
    assert "a: nothing to push" in again.out and "c: nothing to push" in again.out
    assert again.err.count("\n") == 1 and "b:" in again.err


def test_a_pull_goes_on_after_one_artifact_failed(three: Shell) -> None:
    done = three("pull", "--json", code=1).json
    assert [one["artifact"] for one in done["artifacts"]] == ["a", "c"]
    assert done["failed"][0]["error"] == "merge-conflict"
    assert (three.here / "b/f").read_text() == "2"


def test_a_commit_of_several_is_refused_before_the_first(shell: Shell) -> None:
    for name in ("a", "b"):
        shell.write(f"{name}/f", "1")
        shell.commit(name, "one")
        shell.write(f"{name}/f", "2")
        shell.commit(name, "two")
    shell("checkout", "b@HEAD~1")
    for name in ("a", "b"):
        shell.write(f"{name}/f", "3")
    assert shell("commit", "-am", "three", "--json", code=1).json["error"] == "refused"
    assert shell("status", "-s").out == " M a/f\n M b/f\n"
    assert len(shell("log", "a", "--json").json["versions"]) == 2


def test_a_change_of_an_old_version_can_be_kept(shell: Shell) -> None:
    shell.write("data/f", "1")
    shell.commit("data", "one")
    shell.write("data/f", "2")
    shell.commit("data", "two")
    shell("checkout", "data@HEAD~1")
    shell.write("data/f", "precious")
    hint = shell("commit", "-am", "three", "--json", code=1).json["hint"]
    assert "aimdvc reset data@main" in hint
    shell("checkout", "data@main", code=1)
    shell("reset", "data@main")
    assert "-2\n" in shell("diff").out and "+precious" in shell("diff").out
    shell("commit", "-am", "three")
    assert [entry["commit"]["message"] for entry in shell("log", "--json").json["versions"]] == [
        "three\n",
        "two\n",
        "one\n",
    ]
    assert (shell.here / "data/f").read_text() == "precious"


def test_options_of_new_artifacts_are_refused_for_old_ones(shell: Shell) -> None:
    shell.write("data/f", "1")
    shell.commit("data", "one")
    assert "already" in shell("add", "data", "-n", "other", "--json", code=2).json["message"]
    assert "meta set data type model" in shell("add", "data", "--type", "model", "--json", code=2).json["hint"]
    shell("add", "data", "-n", "data")
    (shell.here / "data/f").unlink()
    (shell.here / "data").rmdir()
    shell.write("data", "a file now")
    assert "is a file now" in shell("add", "data", "--json", code=2).json["message"]
    shell.write("sub/inner", "1")
    assert "lies in the workspace" in Shell(shell.here / "sub")("init", "--json", code=2).json["message"]
    assert shell("init", "--remote", "https://a.example.org").code == 0
    assert "already" in shell("init", "--remote", "https://b.example.org", "--json", code=2).json["message"]


def test_an_ignored_file_is_not_taken_by_its_name_either(shell: Shell) -> None:
    shell.write("data/.aimdvcignore", "*.tmp\nlogs/\n")
    shell.write("data/kept", "1")
    shell.write("data/a.tmp", "t")
    shell.write("data/logs/today", "t")
    shell.commit("data", "one")
    for path in ("data/a.tmp", "data/logs", "data/logs/today"):
        assert "1 path ignored" in shell("add", path).out
    assert shell("status", "-s").out == ""
    shell("add", "-f", "data/logs/today")
    assert shell("status", "-s").out == "A  data/logs/today\n"


def test_a_push_sends_the_blobs_of_aliases_too(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/f", "1")
    shell.commit("data", "one")
    shell.write("data/f", "experiment")
    shell.commit("data", "two")
    shell("alias", "set", "data@HEAD", "experiment")
    shell("reset", "--hard", "data@HEAD~1")
    shell("push")
    Shell(tmp_path)("clone", str(tmp_path / "remote/data@experiment"), "clone")
    assert (tmp_path / "clone/f").read_text() == "experiment"
