"""`aimdvc help`: the concepts, in texts of their own, and the help of commands."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.table import COMMANDS
from aimdvc.errors import UsageError
from aimdvc.model.nearest import did_you_mean

_TOPICS = Path(__file__).parents[1] / "topics"


@command("help")
@click.argument("words", nargs=-1, metavar="[TOPIC|COMMAND]")
def help_command(cli: Cli, words: tuple[str, ...]) -> None:
    """Explain a concept or a command

    Without a TOPIC, list what there is. On a terminal in a pager.

    \b
    Example:
      aimdvc help selectors
      aimdvc help commit
    """
    topic = " ".join(words) or None
    text = "\n".join(_overview()) if topic is None else _text(topic)
    value = {"topic": topic, "topics": topics(), "text": text}
    if not cli.as_json and sys.stdout.isatty():
        click.echo_via_pager(text + "\n")
        return
    cli.out.result(value, text.split("\n"))


def topics() -> list[str]:
    """Returns the names of the texts."""
    return sorted(path.stem for path in _TOPICS.glob("*.txt"))


def topic_text(name: str) -> str:
    """Returns the text of a topic that there is; its first line is its title."""
    return (_TOPICS / f"{name}.txt").read_text("utf-8").rstrip("\n")


def _text(topic: str) -> str:
    if topic in topics():
        return topic_text(topic)
    if topic not in COMMANDS:
        hint = did_you_mean(topic, [*topics(), *COMMANDS])
        raise UsageError(f"no help on '{topic}'", hint=hint or "`aimdvc help` lists the topics and commands")
    row = COMMANDS[topic]
    found = getattr(importlib.import_module(row.module), row.attribute)
    root = click.get_current_context().find_root()
    text: str = found.get_help(click.Context(found, info_name=topic, parent=root))
    return text


def _overview() -> Iterator[str]:
    yield "Topics: `aimdvc help TOPIC`"
    for name in topics():
        yield f"  {name:<24} {topic_text(name).partition(chr(10))[0]}"
    yield ""
    yield "Commands: `aimdvc --help` lists them; `aimdvc help COMMAND` explains one"
