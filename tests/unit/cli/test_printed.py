"""What is printed, for people and for programs."""

import inspect
from pathlib import Path

import click
import pytest

from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS
from tests.reference import members
from tests.shell import Shell

EVIL = "\x1b[31mred\x9b0m\r\u202eback"


SHOWN = "\\x1b[31mred\\x9b0m\\r\\u202eback"


def test_nothing_that_is_printed_steers_the_terminal(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", EVIL.replace("\r", ""))
    shell.write(f"{EVIL}/a", "1\n")
    shell.write(f"{EVIL}/t", f"{EVIL}\r\n")
    shell("add", EVIL, "-n", "scenes")
    shell("commit", "-m", f"{EVIL} subject\n\nBody\tof {EVIL}\nlast")
    shell.write(f"{EVIL}/a", "2\n")
    shell("meta", "set", "scenes", "description", EVIL)
    outputs = [
        shell(*arguments).out
        for arguments in (
            ("log",),
            ("log", "--oneline"),
            ("show",),
            ("status",),
            ("status", "-s"),
            ("ls",),
            ("diff",),
            ("meta", "get", "scenes", "description"),
            ("commit", "-am", EVIL),
            ("diff", "scenes@HEAD~1", "scenes"),
        )
    ]
    for out in outputs:
        assert not set(out) & set("\x1b\x9b\u202e\x07")
        assert "\r" not in out.replace("\r\n", "")
    assert f"    {SHOWN} subject\n    \n    Body\tof {SHOWN}\n    last\n" in outputs[0]
    assert f"{SHOWN}\n" in outputs[7]


def test_a_password_in_a_hand_written_url_is_not_shown(shell: Shell) -> None:
    config = shell.here / ".aimdvc" / "config"
    config.write_text('[remote "origin"]\n\turl = https://me:secret@example.org/team\n')
    for arguments in (("remote",), ("config",), ("config", "remote.origin.url")):
        for extra in ((), ("--json",)):
            out = shell(*arguments, *extra).out
            assert "secret" not in out
            assert "https://example.org/team" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_one_short_imperative_line(name: str) -> None:
    command = aimdvc.get_command(click.Context(aimdvc), name)
    assert command is not None
    first, *rest = inspect.cleandoc(command.help or "").splitlines()
    assert first == COMMANDS[name].help
    assert rest[0] == ""
    assert len(COMMANDS[name].help) <= 60
    assert COMMANDS[name].help[0].isupper() and not COMMANDS[name].help.endswith(".")


def test_json_objects_have_the_members_of_the_reference(versions: Shell, tmp_path: Path) -> None:
    versions("remote", "add", "origin", str(tmp_path / "folder"))
    versions("push")
    lines = ["init", "status", "log", "show", "show scenes@v1", "ls", "ls scenes", "cat scenes:a", "checkout"]
    lines += ["checkout scenes@v1", "checkout scenes@main", "alias set scenes@v1 best", "alias", "track", "track *.x"]
    lines += ["untrack *.x", "meta get", "meta set scenes type x", "commit -m m", "remote", "fetch", "push", "pull"]
    lines += ["diff", "add data", "restore data", "reset", "fsck", "du", "config", "version", "completion bash"]
    lines += ["logout https://example.org", f"clone {tmp_path}/folder/scenes other", f"get {tmp_path}/folder/scenes"]
    lines += ["branch topic scenes@v1", "branch", "switch scenes@topic", "switch scenes@main", "merge scenes@topic"]
    lines += ["reflog scenes", "tag scenes", "revert scenes@v2"]
    for line in lines:
        at = tmp_path if line.startswith(("clone", "get")) else None
        name, *arguments = line.split()
        found = versions(name, "--json", *arguments, at=at).json
        assert " ".join(found) in members(name), line


def test_metadata_with_half_a_character_can_be_read(versions: Shell) -> None:
    versions("meta", "set", "scenes", "description", "half \ud800")
    versions("commit", "-m", "m")
    assert versions("meta", "get", "scenes@HEAD", "description").out == "half \\ud800\n"
    assert versions("meta", "get", "scenes", "--json").json["metadata"]["description"] == "half \ud800"


def test_cat_gives_small_contents_as_json(versions: Shell) -> None:
    wanted = {"path": "a", "size": 2, "content_base64": "Mgo="}
    assert versions("cat", "scenes:a", "--json").json == wanted
    versions.write("data/images/large", b"x" * ((1 << 20) + 1))
    versions.commit("data/images")
    assert "larger than 1.0 MiB" in versions("cat", "scenes:large", "--json", code=2).json["message"]
    versions.write("model.bin", b"1")
    versions.commit("model.bin")
    assert versions("cat", "model.bin", "--json").json == {"path": "model.bin", "size": 1, "content_base64": "MQ=="}


def test_status_of_a_path_shows_what_lies_there(versions: Shell) -> None:
    versions.write("data/images/a", "3\n")
    versions.write("data/images/train/b", "3\n")
    versions.write("data/images/train/new", "3\n")
    (versions.here / "models").mkdir(exist_ok=True)
    assert versions("status", "-s", "data/images/a").out == " M data/images/a\n"
    below = versions("status", "-s", "train", at=versions.here / "data/images").out
    assert below == " M train/b\n?? train/new\n"
    asked = versions("status", "train", at=versions.here / "data/images").out
    assert "modified: train/b\n" in asked
    assert (
        versions("status", "-z", "train", at=versions.here / "data/images").out.split("\0")[0]
        == " M data/images/train/b"
    )
    assert "modified: ../data/images/train/b\n" in versions("status", at=versions.here / "models").out
    found = versions("status", "data/images/train/new", "--json").json["artifacts"][0]
    assert (found["unstaged"], found["untracked"]) == ([], ["train/new"])
    assert versions("status", "-s", "data").out.count("\n") == 3


def test_how_the_remote_stands_is_said_in_words(versions: Shell, tmp_path: Path) -> None:
    versions("remote", "add", "origin", str(tmp_path / "folder"))
    versions("push")
    versions("reset", "scenes@v1")
    assert "  1 behind the remote: `aimdvc pull`\n" in versions("status").out
    versions("commit", "-am", "Another")
    assert "  1 ahead of and 1 behind the remote: `aimdvc pull`\n" in versions("status").out
    versions("reset", "--hard", "scenes@v2")
    versions("commit", "--allow-empty", "-m", "Third")
    assert "  1 ahead of the remote: `aimdvc push`\n" in versions("status").out


def test_a_push_says_which_aliases_it_deletes(versions: Shell, tmp_path: Path) -> None:
    versions("remote", "add", "origin", str(tmp_path / "folder"))
    versions("alias", "set", "scenes@HEAD", "best")
    versions("push")
    versions("alias", "delete", "scenes", "best")
    versions("alias", "set", "scenes@HEAD", "good")
    assert "pushed alias good, the deletion of alias best to" in versions("push").out


def test_a_commit_without_a_number_is_named_once_in_a_line(versions: Shell) -> None:
    tip = versions("log", "--json").json["versions"][0]["commit"]["id"]
    versions("reset", "scenes@HEAD~1")
    assert versions("log", "--oneline", "-n", "1", f"scenes@{tip}").out == f"-     {tip[:12]} Second\n"
