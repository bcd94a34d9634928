"""Branches: as a Git user expects them here, with stock Git beside."""

import itertools
from pathlib import Path

import pytest

from tests.e2e.branching import current, in_git, names, with_topic
from tests.shell import Shell, files_of, git


@pytest.fixture
def made(shell: Shell) -> Shell:
    """A workspace with two versions and a branch `topic` at the first."""
    return with_topic(shell)


def test_branches_are_listed_made_renamed_and_deleted_as_in_git(made: Shell) -> None:
    assert made("branch").out == "* main\n  topic\n"
    assert made("branch", "data").out == "* main\n  topic\n"
    made("branch", "data@old", "HEAD~1")
    made("branch", "older", "data@v1?")
    assert in_git(made, "branch", "--format=%(refname:short)").split() == ["main", "old", "older", "topic"]
    assert in_git(made, "rev-parse", "old", "older").split() == [in_git(made, "rev-parse", "main~1")] * 2
    assert made("branch", "-v").out.splitlines()[0].split()[3:] == ["v2?", "two"]
    assert "renamed from old" in made("branch", "-m", "old", "new").out
    made("branch", "-d", "data@older")
    assert names(made) == ["main", "new", "topic"]
    made("switch", "new")
    made("branch", "-m", "newest")
    assert current(made) == "newest"
    made("commit", "--allow-empty", "-m", "goes there")
    assert in_git(made, "log", "-1", "--format=%s", "newest") == "goes there"


def test_a_branch_is_made_twice_only_at_one_commit(made: Shell) -> None:
    made("branch", "topic", "v1?")
    made("switch", "-c", "topic", "v1?")
    made("switch", "main")
    assert "has a branch 'topic' already" in made("branch", "topic", code=2).err
    assert "has a branch 'topic' already" in made("switch", "-c", "topic", code=2).err
    assert "has a branch 'main' already" in made("branch", "-m", "topic", "main", code=2).err


@pytest.mark.parametrize(
    "name",
    [
        "v3",
        "V12",
        "deadbeef",
        "HEAD",
        "latest",
        "-x",
        "a..b",
        "a//b",
        "/a",
        "a/",
        "x.lock",
        "x/y.lock/z",
        ".hidden",
        "a/.b",
        "aliases/x",
        "tags/v9",
        "con",
        "a/NUL.txt",
        "topic/below",
        "Topic",
        "production",
        "PRODUCTION",
        "a b",
        "a~1",
        "a:b",
        "a\\b",
        "a*",
        "a\x1b[31m",
        "x" * 201,
        "main@{1}",
    ],
)
def test_a_hostile_or_misleading_name_is_refused(name: str, made: Shell) -> None:
    made("alias", "set", "@HEAD", "production")
    made("branch", "spare")
    before = in_git(made, "for-each-ref")
    for arguments in (["branch", f"@{name}"], ["switch", "-c", f"@{name}"], ["branch", "-m", "spare", name]):
        assert made(*arguments, code=-1).code == 2, arguments
    assert in_git(made, "for-each-ref") == before


def test_an_alias_is_no_branch_s_name(made: Shell) -> None:
    assert made("alias", "set", "@HEAD", "topic", "--json", code=2).json["error"] == "invalid-name"
    assert made("alias", "set", "@HEAD", "Topic", "--json", code=2).json["error"] == "invalid-name"


def test_what_is_not_merged_is_deleted_only_by_force(made: Shell) -> None:
    made("switch", "topic")
    made("commit", "--allow-empty", "-m", "alone")
    tip = in_git(made, "rev-parse", "topic")
    assert "current one" in made("branch", "-D", "topic", code=1).err
    assert "main of 'data' stays" in made("branch", "-D", "main", code=1).err
    assert "main of 'data' stays" in made("branch", "-m", "main", "trunk", code=1).err
    made("switch", "main")
    assert "not merged" in made("branch", "-d", "topic", code=1).err
    assert in_git(made, "rev-parse", "topic") == tip
    made("branch", "-D", "topic")
    assert names(made) == ["main"]
    made("branch", "back", "topic@{1}")
    assert in_git(made, "rev-parse", "back") == tip
    made("merge", "back")
    made("branch", "-d", "back")


def test_switch_brings_files_index_head_and_lock(made: Shell) -> None:
    made("switch", "topic")
    assert files_of(made.here / "data") == {"a": b"one\n"}
    assert current(made) == "topic"
    assert in_git(made, "rev-parse", "topic") in (made.here / "aimdvc.lock").read_text()
    assert "on topic" in made("status").out
    made("switch", "main")
    assert files_of(made.here / "data") == {"a": b"two\n", "b": b"b\n"}
    assert made("status", "-s").out == ""


def test_local_changes_travel_where_branches_do_not_differ(made: Shell) -> None:
    made.write("data/c", "untracked\n")
    made.write("data/d", "staged\n")
    made("add", "data/d")
    made("switch", "topic")
    assert made("status", "-s").out == "A  data/d\n?? data/c\n"
    made.write("data/a", "edited\n")
    assert made("switch", "main", "--json", code=1).json["error"] == "local-change"
    assert (current(made), (made.here / "data/a").read_text()) == ("topic", "edited\n")
    made("switch", "-f", "main")
    assert (current(made), (made.here / "data/a").read_text()) == ("main", "two\n")
    made.write("data/a", "goes along\n")
    made("switch", "-c", "third")
    assert made("status", "-s").out.startswith(" M data/a\n")


def test_a_version_is_gone_to_by_detach_alone(made: Shell) -> None:
    assert "switch --detach" in made("switch", "v1?", code=2).err
    assert made("switch", "nowhere", "--json", code=2).json["error"] == "unknown-revision"
    made("switch", "--detach", "v1?")
    assert made("branch").out == "* (HEAD detached at v1?)\n  main\n  topic\n"
    assert "detached" in made("merge", "main", code=1).err
    made("switch", "-c", "from-there")
    made.write("data/a", "three\n")
    made.commit("data", "three")
    assert in_git(made, "rev-parse", "from-there~1") == in_git(made, "rev-parse", "main~1")


def test_a_word_that_is_an_artifact_is_that_artifact(made: Shell) -> None:
    made.write("model/m", "m\n")
    made.commit("model", "model")
    assert made("branch").out == "data:\n  * main\n    topic\nmodel:\n  * main\n"
    assert "name one of: data, model" in made("switch", "topic", code=2).err
    made("switch", "topic", at=made.here / "data")
    assert made("branch", at=made.here / "model").out == "* main\n"
    made("branch", "data", at=made.here / "model")
    made("branch", "@data", at=made.here / "model")
    assert made("branch", "model").out == "  data\n* main\n"
    assert "no branch of 'data' was given" in made("switch", "data", code=2).err


def test_reflog_lists_the_moves_and_names_the_places(made: Shell) -> None:
    made("reset", "--hard", "@topic")
    moves = made("reflog", "data@main", "--json").json["moves"]
    assert [move["name"] for move in moves] == ["main@{0}", "main@{1}", "main@{2}"]
    assert [move["why"].partition(":")[0] for move in moves] == ["reset", "commit", "commit (initial)"]
    assert moves[0]["new"] == moves[1]["old"] == in_git(made, "rev-parse", "topic")
    for count in range(3):
        assert made("show", f"@main@{{{count}}}", "--json", code=-1).json["version"]["commit"]["id"] == in_git(
            made, "rev-parse", f"main@{{{count}}}"
        )
    assert "has no revision 'main@{9}'" in made("show", "@main@{9}", code=2).err
    made("reset", "--hard", "@main@{1}")
    assert (made.here / "data/a").read_text() == "two\n"
    assert len(made("reflog", "@main", "-n", "1").out.splitlines()) == 1
    made("alias", "set", "@HEAD", "production")
    made("alias", "set", "@topic", "production")
    assert len(made("reflog", "data@production").out.splitlines()) == 2
    assert made("reflog", "data@nothing", code=2)


def test_the_reflog_of_head_tells_of_every_move_and_the_way_back(made: Shell) -> None:
    assert "was on no other branch" in made("switch", "-", code=2).err
    made("switch", "topic")
    made("switch", "--detach", "v2?")
    made("switch", "-")
    assert current(made) == "topic"
    made("switch", "@-")
    assert current(made) == "main"
    made("switch", "-")
    made("commit", "--allow-empty", "-m", "three")
    made("reset", "@HEAD~1")
    moves = made("reflog", "--json").json["moves"]
    assert [move["why"].partition(":")[0] for move in moves] == [
        "reset",
        "commit",
        "switch",
        "switch",
        "switch",
        "switch",
        "switch",
        "commit",
        "commit (initial)",
    ]
    assert [move["name"] for move in moves[:2]] == ["HEAD@{0}", "HEAD@{1}"]
    assert all(new["old"] == old["new"] for new, old in itertools.pairwise(moves))
    assert len(made("reflog", "-n", "2").out.splitlines()) == 2
    assert made("reflog").out.splitlines()[0].split()[:2] == [in_git(made, "rev-parse", "topic")[:12], "HEAD@{0}"]
    for count, move in enumerate(moves):
        shown = made("show", f"@HEAD@{{{count}}}", "--json").json["version"]["commit"]["id"]
        assert shown == move["new"]
    assert made("show", "@HEAD@{1}~1", "--json").json["version"]["commit"]["id"] == moves[1]["old"]
    assert f"has no revision 'HEAD@{{{len(moves)}}}'" in made("show", f"@HEAD@{{{len(moves)}}}", code=2).err
    made("reset", "--hard", "@HEAD@{1}")
    assert in_git(made, "rev-parse", "topic") == moves[1]["new"]
    made("switch", "--detach", "HEAD@{3}")
    assert made("reflog", "-n", "1", "--json").json["moves"][0]["new"] == moves[2]["new"]


def test_a_lock_that_git_brings_back_leads_to_its_branch(tmp_path: Path) -> None:
    code = Shell(tmp_path / "code")
    code.here.mkdir()
    git(code.here, "init", "-q", "-b", "main")
    code("init")
    code.write("data/a", "one\n")
    code.commit("data", "one")
    git(code.here, "add", "-A")
    git(code.here, "commit", "-qm", "main's")
    git(code.here, "switch", "-qc", "feature")
    code("switch", "-c", "topic")
    code.write("data/a", "two\n")
    code.commit("data", "two")
    git(code.here, "commit", "-qam", "the feature's")
    git(code.here, "switch", "-q", "main")
    code("checkout")
    assert (current(code), (code.here / "data/a").read_text()) == ("main", "one\n")
    git(code.here, "switch", "-q", "feature")
    code("checkout")
    assert (current(code), (code.here / "data/a").read_text()) == ("topic", "two\n")
    code.write("data/a", "three\n")
    code.commit("data", "three")
    assert current(code) == "topic"


def test_tags_are_listed_newest_version_first(made: Shell, tmp_path: Path) -> None:
    assert made("tag").out == ""
    (tmp_path / "r").mkdir()
    made("remote", "add", "origin", str(tmp_path / "r"))
    for number in range(3, 12):
        made("commit", "--allow-empty", "-m", f"number {number}")
    made("push")
    in_git(made, "tag", "a-release", "main~1")
    tags = made("tag", "data", "--json").json["tags"]
    assert [tag["tag"] for tag in tags] == [*(f"v{number}" for number in range(11, 0, -1)), "a-release"]
    assert [tags[0]["subject"], tags[-1]["subject"]] == ["number 11", "number 10"]
    assert len(made("tag", "-n", "2").out.splitlines()) == 2


def test_switch_back_passes_over_branches_that_are_no_more(made: Shell) -> None:
    made("switch", "-c", "x")
    made("branch", "-m", "z")
    made("switch", "-")
    assert current(made) == "main"


def test_a_branch_is_not_renamed_onto_another_at_the_same_commit(made: Shell) -> None:
    made("branch", "p")
    made("branch", "r")
    assert "r" in made("branch", "-m", "data@p", "r", code=2).err
    assert {"p", "r"} <= set(names(made))


def test_the_reflog_of_what_is_a_directory_of_branches_is_no_trouble(made: Shell) -> None:
    made("branch", "feature/a")
    for name in ("feature", "main/x"):
        assert made("reflog", f"data@{name}", "--json", code=2).json["error"] == "unknown-revision"
    made("branch", "g")
    made("branch", "-d", "g")
    made("branch", "g/h")
    assert "deleted g" in made("reflog", "data@g").out
