"""`aimdvc commit`."""

import sys

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.ops.commit import CommitOptions, Committed, commit
from aimdvc.ops.merging import is_merging

_TEMPLATE = (
    "\n# The message of the version. Lines that begin with '#' are left out; an empty message stops the commit.\n"
)


@command("commit")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_name)
@click.option("-m", "--message", "messages", multiple=True, help="The message; given again, another paragraph.")
@click.option("-a", "--all", "all_changes", is_flag=True, help="First stage what changed of tracked files.")
@click.option("--allow-empty", is_flag=True, help="Make a version even when nothing changed.")
def commit_command(
    cli: Cli, names: tuple[str, ...], messages: tuple[str, ...], all_changes: bool, allow_empty: bool
) -> None:
    """Make a version of what is staged

    Of the named artifacts, or of all. Finishes a merge in progress, whose message it has when none is given.

    \b
    Example:
      aimdvc commit -a -m "Add the images of March"
    """
    workspace = cli.workspace
    author = workspace.author()
    chosen = cli.names(names)
    message = None if not messages and is_merging(workspace, chosen) else _message(messages)
    options = CommitOptions(message, author, all_changes, allow_empty)
    made = commit(workspace, chosen, options, cli.progress)
    lines = [f"{done.artifact} {_named(done)}: {done.subject} ({plural(done.changes, 'change')})" for done in made]
    cli.out.result({"commits": made}, lines or ["Nothing to commit"])


def _named(done: Committed) -> str:
    short = done.commit[:12]
    return short if done.version == short else f"{done.version} {short}"


def _message(messages: tuple[str, ...]) -> str:
    text = "\n\n".join(message.strip() for message in messages)
    if not messages:
        if not sys.stdin.isatty():
            raise UsageError("no message was given", hint='run `aimdvc commit -m "MESSAGE"`')
        edited = click.edit(_TEMPLATE) or ""
        text = "\n".join(line for line in edited.splitlines() if not line.startswith("#")).strip()
    if not text.strip():
        raise UsageError("the message is empty", hint='run `aimdvc commit -m "MESSAGE"`')
    return text + "\n"
