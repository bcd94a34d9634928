"""`aimdvc help`: what it lists, and that its examples name commands and options that there are."""

import re
import shlex

import click
import pytest

from aimdvc.cli.commands.help import topic_text, topics
from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS
from tests.shell import Shell

WANTED = [
    *("artifacts", "workspace", "versions", "aliases", "selectors", "lock", "remotes", "pointers-and-attributes"),
    *("ignoring", "references", "store", "safety", "exit-codes", "from-git-lfs", "from-dvc", "from-wandb"),
]


def test_each_topic_and_command_is_listed_and_shown(shell: Shell) -> None:
    assert set(WANTED) <= set(topics())
    listed = shell("help").out
    for names, text in ((topics(), listed), (COMMANDS, shell("--help").out)):
        for name in names:
            assert re.search(rf"^  {re.escape(name)} ", text, re.MULTILINE), name
    assert "`aimdvc --help` lists them" in listed
    assert shell("help", "lock").out == topic_text("lock") + "\n"
    assert shell("help", "lock", "--json").json["text"] == topic_text("lock")
    assert "lists the topics" in shell("help", "xyzzy", code=2).err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_is_its_own(shell: Shell, name: str) -> None:
    assert shell("help", name).out == shell(name, "--help").out


def test_no_workspace_is_needed(shell: Shell) -> None:
    assert shell("help", "lock", at=shell.here.parent).out


@pytest.mark.parametrize("name", topics())
def test_the_examples_of_a_topic_can_be_typed(name: str) -> None:
    text = topic_text(name)
    assert all(len(line) <= 100 and line.isprintable() for line in text.split("\n"))
    first, blank = text.split("\n")[:2]
    assert len(first) <= 60 and not first.endswith(".") and not blank
    # An example is the rest of a line; what begins a line of the text, or stands within one, is prose.
    examples = re.findall(r"(?:^ {4,}|^ {4}\S.* {2,})(aimdvc [^\n]*?)(?:, [a-z ]+)?;?$", text, re.MULTILINE)
    assert examples or "aimdvc " not in text
    for example in examples:
        _, command, *arguments = shlex.split(example)
        check(example, command, arguments)


def check(example: str, name: str, arguments: list[str]) -> None:
    command = aimdvc.get_command(click.Context(aimdvc), name)
    assert command is not None, example
    options = {flag for param in command.params for flag in param.opts if flag.startswith("-")}
    for argument in arguments[: arguments.index("--") if "--" in arguments else None]:
        if argument.startswith("--"):
            assert argument.partition("=")[0] in options, example
        elif argument.startswith("-"):
            assert {f"-{letter}" for letter in argument[1:]} <= options, example


def test_a_command_or_option_that_is_not_there_would_be_noticed() -> None:
    for wrong in (["frobnicate"], ["status", "--frobnicate"], ["rm", "-rx"]):
        with pytest.raises(AssertionError):
            check(" ".join(wrong), wrong[0], wrong[1:])
