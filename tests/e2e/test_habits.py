"""What people type who come from Git, Git LFS, DVC or W&B: it works, or one line says how it is spelled here."""

from pathlib import Path

import pytest

from aimdvc.cli.elsewhere import COMMANDS, OPTIONS
from aimdvc.cli.table import COMMANDS as OURS
from tests.shell import Shell


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
