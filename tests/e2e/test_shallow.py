"""Histories that end early: `--depth`, `--unshallow`, and `get`, which brings one version; over a server and a folder.

Stock Git is the judge of what lies in the store.
"""

from pathlib import Path

import pytest

from tests.e2e.branching import clone, in_git
from tests.shell import Shell, files_of, git

COUNT = 12


@pytest.fixture
def made(shell: Shell, remote: str) -> Shell:
    """A workspace with twelve versions, pushed: an alias at v3 and a branch at v5."""
    for number in range(1, COUNT + 1):
        shell.write("data/n", f"{number}\n")
        shell.write(f"data/part{number % 3}/same", f"{number % 3}\n")
        shell.commit("data", f"number {number}")
        if number == 3:
            shell("alias", "set", "data", "production")
        if number == 5:
            shell("branch", "topic")
    shell("remote", "add", "origin", remote)
    shell("push")
    shell("switch", "topic")
    shell.write("data/t", "t\n")
    shell.commit("data", "on topic")
    shell("push")
    shell("switch", "main")
    return shell


def shallow(tmp_path: Path, remote: str, *options: str, at: str = "") -> Shell:
    Shell(tmp_path)("clone", f"{remote}/data{at}", "clone", *options)
    return Shell(tmp_path / "clone")


def versions(shell: Shell, *arguments: str) -> list[str]:
    return [one["version"] for one in shell("log", "--json", *arguments).json["versions"]]


def is_sound(shell: Shell) -> bool:
    in_git(shell, "fsck", "--strict")
    return shell("fsck", code=-1).code == 0


def test_a_shallow_clone_has_the_newest_versions_and_stock_git_agrees(made: Shell, remote: str, tmp_path: Path) -> None:
    one = shallow(tmp_path, remote, "--depth", "3")
    assert files_of(one.here) == files_of(made.here / "data")
    found = one("log", "--oneline")
    assert len(found.out.splitlines()) == 3
    assert "fetch --unshallow data" in found.err
    assert versions(one) == ["v12", "v11", "v10"]
    assert in_git(one, "rev-list", "--count", "main") == "3"
    assert in_git(one, "rev-parse", "--is-shallow-repository") == "true"
    assert [tag["tag"] for tag in one("tag", "--json").json["tags"]] == ["v12", "v11", "v10"]
    assert is_sound(one)


def test_what_lies_before_the_end_is_named_with_the_way_there(made: Shell, remote: str, tmp_path: Path) -> None:
    one = shallow(tmp_path, remote, "--depth", "2")
    for revision in ("v3", "v11~1", "production"):
        assert "fetch --unshallow data" in one("show", f"data@{revision}", code=2).err
    assert "shallow" in one("revert", "data@v11", code=1).err
    assert one("revert", "data@v12").code == 0
    assert (one.here / "n").read_text() == "11\n"
    found = {line.split("\t")[5]: line.split("\t")[0] for line in one("blame", "data@v12").out.splitlines()}
    assert found == {"n": "v12", "part0/same": "^v11", "part1/same": "^v11", "part2/same": "^v11"}


def test_commits_pushes_and_pulls_work_as_ever(made: Shell, remote: str, tmp_path: Path) -> None:
    one = shallow(tmp_path, remote, "--depth", "1")
    one.write("mine", "mine\n")
    one.commit(".", "mine")
    assert "v13" in one("push").out
    made("pull")
    assert (made.here / "data/mine").read_text() == "mine\n"
    for number in range(3):
        made.write("data/n", f"more {number}\n")
        made.commit("data", "more")
    made("push")
    one.write("meanwhile", "m\n")
    one.commit(".", "meanwhile")
    assert "merge to" in one("pull").out
    assert "v17" in one("push").out
    assert {"v12", "v16", "v17"} <= set(versions(one))
    assert "v11" not in versions(one)
    made("pull")
    assert files_of(made.here / "data") == files_of(one.here)
    assert is_sound(one)
    assert is_sound(made)


def test_the_history_gets_deeper_never_shorter_and_then_whole(made: Shell, remote: str, tmp_path: Path) -> None:
    one = shallow(tmp_path, remote, "--depth", "1")
    one("fetch", "--depth", "4")
    assert versions(one) == ["v12", "v11", "v10", "v9"]
    one("fetch", "--depth", "2")
    assert versions(one) == ["v12", "v11", "v10", "v9"]
    assert in_git(one, "rev-list", "--count", "main") == "4"
    made.write("data/n", "13\n")
    made.commit("data", "thirteen")
    made("push")
    one("fetch", "--depth", "1")
    one("pull")
    assert versions(one) == ["v13", "v12", "v11", "v10", "v9"]
    assert is_sound(one)
    one("fetch", "--unshallow")
    assert versions(one) == versions(made)
    assert in_git(one, "rev-parse", "--is-shallow-repository") == "false"
    assert one("show", "data@production", "--json").json["version"]["version"] == "v3"
    assert one("show", "data@origin/topic").code == 0
    assert is_sound(one)
    whole = clone(tmp_path, f"{remote}/data", "whole")
    assert sorted(in_git(one, "rev-list", "--all").split()) == sorted(in_git(whole, "rev-list", "--all").split())
    whole("fetch", "--depth", "1")
    assert versions(whole) == versions(made)


@pytest.mark.parametrize("revision", ["v3", "production", "v12~4", "origin"])
def test_a_shallow_clone_of_an_older_version_has_that_and_the_newest(
    made: Shell, remote: str, tmp_path: Path, revision: str
) -> None:
    if revision == "origin":
        assert (
            "there are v1 to v12, and the aliases production"
            in Shell(tmp_path)("clone", f"{remote}/data@{revision}", "clone", "--depth", "1", code=2).err
        )
        return
    one = shallow(tmp_path, remote, "--depth", "1", at=f"@{revision}")
    number = {"v3": 3, "production": 3, "v12~4": 8}[revision]
    assert (one.here / "n").read_text() == f"{number}\n"
    one("checkout", "data@main")
    assert (one.here / "n").read_text() == "12\n"
    assert len(in_git(one, "rev-list", "--all").split()) < COUNT
    assert is_sound(one)


def test_a_commit_by_its_digits_is_found_also_where_it_has_no_name(made: Shell, remote: str, tmp_path: Path) -> None:
    commit = made("show", "data@v7", "--json").json["version"]["commit"]["id"]
    one = shallow(tmp_path, remote, "--depth", "1", at=f"@{commit}")
    assert (one.here / "n").read_text() == "7\n"
    assert in_git(one, "rev-list", "--count", "--all") == "2"


@pytest.mark.parametrize(
    ("revision", "text"), [("", "12\n"), ("@v2", "2\n"), ("@production", "3\n"), ("@topic", "5\n")]
)
def test_get_brings_one_version_only(
    made: Shell, remote: str, tmp_path: Path, revision: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[int] = []
    monkeypatch.setattr("aimdvc.ops.clone.shutil.rmtree", lambda own: brought.append(_commits(own)))
    Shell(tmp_path)("get", f"{remote}/data{revision}", "--out", "got")
    assert (tmp_path / "got/n").read_text() == text
    assert brought == [1]


def _commits(own: Path) -> int:
    return len(git(own, "--git-dir", str(own / "repos/data.git"), "rev-list", "--all").split())


def test_a_pin_is_brought_by_itself(made: Shell, remote: str, tmp_path: Path) -> None:
    old = made("show", "data@v4", "--json").json["version"]["commit"]["id"]
    code = tmp_path / "code"
    code.mkdir()
    other = Shell(code)
    other("init")
    other("remote", "add", "origin", remote)
    other.write("aimdvc.lock", f'[artifact "data"]\n\tcommit = {old}\n\tpath = data\n')
    other("pull", "--depth", "1")
    assert (code / "data/n").read_text() == "4\n"
    assert in_git(other, "rev-list", "--count", "--all") == "2"
    older = made("show", "data@v2", "--json").json["version"]["commit"]["id"]
    other.write("aimdvc.lock", f'[artifact "data"]\n\tcommit = {older}\n\tpath = data\n')
    other("pull")
    assert (code / "data/n").read_text() == "2\n"
    assert in_git(other, "rev-list", "--count", "--all") == "3"
    assert is_sound(other)
    assert other("prune", "--dry-run").code == 0


def test_a_shallow_history_is_not_pushed_where_the_rest_is_missing(made: Shell, remote: str, tmp_path: Path) -> None:
    one = shallow(tmp_path, remote, "--depth", "2")
    (tmp_path / "empty").mkdir()
    one("remote", "set-url", "origin", str(tmp_path / "empty"))
    found = one("push", "--restore", "--json", code=1).json
    assert found["error"] == "shallow-history"
    assert "--unshallow" in found["hint"]
    assert not (tmp_path / "empty/data.git/refs/heads/main").exists()


def test_merging_what_has_no_common_version_here_is_refused(made: Shell, remote: str, tmp_path: Path) -> None:
    one = shallow(tmp_path, remote, "--depth", "1", at="@v3")
    one("checkout", "data@main")
    assert "fetch --unshallow data" in one("merge", "data@v3", code=1).err
    one("fetch", "--unshallow")
    assert "up to date" in one("merge", "data@v3").out
