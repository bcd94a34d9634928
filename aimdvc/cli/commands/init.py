"""`aimdvc init`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.ops.init import init


@command("init")
@click.option("--remote", metavar="URL", help="The remote `origin`: a server's URL, a file URL, or a path.")
def init_command(cli: Cli, remote: str | None) -> None:
    """Make the current directory a workspace

    Nothing that is there is overwritten; running it again is safe. In a Git repository the store is kept in the Git
    directory, where `git clean` doesn't reach it.

    \b
    Example:
      aimdvc init --remote https://aimd.example.org/team
    """
    made = init(cli.here, remote, cli.disk)
    text = "Initialised" if made.is_new else "Found"
    lines = [f"{text} the workspace '{made.root}'"]
    if made.moved_store:
        lines.append(f"Moved the store to '{made.store}'")
    cli.out.result({"workspace": made.root, "store": made.store, "is_new": made.is_new}, lines)
    if made.is_new and made.is_in_git:
        cli.out.note("`aimdvc hooks install` has Git's hooks keep code and artifacts in step")
