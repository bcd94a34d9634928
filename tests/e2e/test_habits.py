"""What people type who come from Git, Git LFS, DVC or W&B: it works, or one line says how it is spelled here."""

from pathlib import Path

import pytest

from aimdvc.cli.elsewhere import COMMANDS, OPTIONS
from aimdvc.cli.table import COMMANDS as OURS
from tests.shell import Shell, git


@pytest.fixture
def made(shell: Shell) -> Shell:
    """Two artifacts; of the first two versions, one of them named, and a remote that has it."""
    for number in range(2):
        shell.write("data/labels.csv", f"{number}\n")
        shell.commit("data", f"number {number}")
    shell.write("models/net.bin", b"net")
    shell.commit("models", "net")
    shell("remote", "add", "origin", str(shell.here.parent / "remote"))
    shell("alias", "set", "data@v1?", "best")
    shell("push")
    return shell


@pytest.mark.parametrize("word", COMMANDS)
def test_a_command_of_elsewhere_names_ours(shell: Shell, word: str) -> None:
    assert word not in OURS
    assert shell(word, code=2).err.strip().endswith(COMMANDS[word])


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_option_of_elsewhere_names_ours(shell: Shell, command: str, option: str) -> None:
    found = shell(command, option, code=2).err
    assert found == f"aimdvc: no such option '{option}'; {OPTIONS[command, option]}\n"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["diff", "data/labels.csv"], "paths come after `--`"),
        (["push", "origin", "main"], "'origin' is a remote"),
        (["diff", "data@v1..v2"], "`aimdvc diff data@v1 data@v2`"),
        (["ls", "data:v1"], "for a version write 'data@v1'"),
        (["cat", "data:best"], "for a version write 'data@best'"),
        (["rm", "data@v1"], "a version is never removed"),
        (["alias", "data"], "`aimdvc alias list data`"),
        (["meta", "data"], "`aimdvc meta get data`"),
        (["config", "user.name"], "`git config --global user.name …`"),
        (["get", "/srv/data:v1"], "for a version write /srv/data@v1"),
        (["add"], "`aimdvc add -A` for all artifacts"),
        (["add", "-A", "data"], "stages deletions, too"),
        (["log", "-p", "--json", "data"], "`aimdvc diff --json`"),
        (["clone", "/srv/data", "../elsewhere"], "run it where that path lies"),
    ],
)
def test_what_was_nearly_right_is_told_in_full(made: Shell, typed: list[str], told: str) -> None:
    done = made(*typed, code=-1)
    assert done.code in (2, 4)
    assert told in done.err


def test_all_that_changed_is_staged_without_naming_it(made: Shell) -> None:
    made.write("data/labels.csv", "more\n")
    made.write("data/new", "new\n")
    (made.here / "models/net.bin").unlink()
    made("add", "-u")
    assert made("status", "-s").out.splitlines() == ["M  data/labels.csv", "?? data/new", "D  models/net.bin"]
    made("add", "--all", at=made.here / "data")
    assert made("status", "-s").out.splitlines() == ["M  data/labels.csv", "A  data/new", "D  models/net.bin"]


def test_only_what_is_tracked_makes_no_new_artifact(made: Shell) -> None:
    made.write("other/file", "x")
    assert made("add", "-u", "other", code=2)
    assert "other" not in made("ls").out


def test_the_log_shows_what_changed_line_by_line(made: Shell) -> None:
    lines = made("log", "-p", "data").out.splitlines()
    assert "+1" in lines and "-0" in lines
    assert lines.index("    number 1") < lines.index("+1") < lines.index("    number 0")
    one = made("log", "-p", "--oneline", "data", "--", "data/labels.csv").out.splitlines()
    assert "diff data a/labels.csv b/labels.csv" in one


def test_remotes_are_listed_with_their_urls_as_git_does(made: Shell) -> None:
    assert made("remote", "-v").out == made("remote").out == f"origin\t{made.here.parent / 'remote'}\n"


def test_a_clone_of_a_branch_is_on_it(made: Shell, tmp_path: Path) -> None:
    made("switch", "-c", "data@topic")
    made.write("data/t", "t\n")
    made.commit("data", "on topic")
    made("push", "data")
    Shell(tmp_path)("clone", f"{tmp_path / 'remote'}/data@topic", "clone")
    there = Shell(tmp_path / "clone")
    assert (there.here / "t").read_text() == "t\n"
    assert there("status", "--json").json["artifacts"][0]["branch"] == "refs/heads/topic"


def test_what_is_staged_is_shown(made: Shell) -> None:
    made.write("data/labels.csv", "staged\n")
    made.write("data/new", "new\n")
    made("add", "data")
    made.write("data/labels.csv", "not staged\n")
    assert "+staged" in made("diff", "--cached").out.splitlines()
    assert made("diff", "--staged", "--name-status", "data").out.splitlines() == ["M\tdata/labels.csv", "A\tdata/new"]
    assert "-staged" in made("diff").out.splitlines()
    assert "compares the index with HEAD" in made("diff", "--staged", "data@v1", code=2).err


def test_paths_of_a_diff_are_those_that_other_commands_take(made: Shell) -> None:
    made.write("data/labels.csv", "more\n")
    made.write("models/net.bin", b"more")
    paths = made("diff", "--name-only", "-z").out.split("\0")
    assert paths == ["data/labels.csv", "models/net.bin", ""]
    made("add", *paths[:-1])
    assert made("diff", "--name-only", "data@v1", "data@v2").out == "data/labels.csv\n"


def test_a_pull_of_the_code_and_then_of_the_data_stays_on_the_branch(tmp_path: Path) -> None:
    code = tmp_path / "code.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(code))
    one, two = Shell(tmp_path / "one"), Shell(tmp_path / "two")
    git(tmp_path, "clone", "-q", str(code), "one")
    one("init")
    one("remote", "add", "origin", str(tmp_path / "remote"))

    def publish(text: str) -> None:
        one.write("data/a", text)
        one.commit("data", text.strip())
        one("push")
        git(one.here, "add", "-A")
        git(one.here, "commit", "-qm", text.strip())
        git(one.here, "push", "-q", "origin", "HEAD:main")

    publish("first\n")
    git(tmp_path, "clone", "-q", str(code), "two")
    two("pull")
    for text in ("second\n", "third\n"):
        publish(text)
        git(two.here, "pull", "-q")
        two("pull")
        assert (two.here / "data/a").read_text() == text
        state = two("status", "--json").json["artifacts"][0]
        assert (state["branch"], state["behind"], state["lock"]) == ("refs/heads/main", 0, "same")
        assert git(two.here, "status", "--porcelain") == ""
    publish("fourth\n")
    one.write("data/a", "fifth\n")
    one.commit("data", "fifth")
    one("push")
    git(two.here, "pull", "-q")
    assert "the remote is 1 commit further, which another pull brings" in two("pull").out
    assert (two.here / "data/a").read_text() == "fourth\n"
    assert "fast-forward to v5" in two("pull").out
    git(two.here, "commit", "-qam", "fifth")
    git(two.here, "checkout", "-q", "HEAD~1")
    assert "detached" in two("checkout").out
    git(two.here, "checkout", "-q", "main")
    assert "detached" not in two("checkout").out
    two.write("data/a", "sixth\n")
    two.commit("data", "sixth")
    assert "pushed v6" in two("push").out
