"""`aimdvc track` and `aimdvc untrack`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.ops.track import track, tracked_patterns

_NAME = click.option(
    "-n",
    "--name",
    metavar="NAME",
    shell_complete=complete_name,
    help="The artifact; else that of the current directory, or the only one.",
)


@command("track")
@click.argument("pattern", required=False)
@_NAME
def track_command(cli: Cli, pattern: str | None, name: str | None) -> None:
    """Store paths that match a pattern as blobs

    Blobs are Git LFS pointers in the history. Without PATTERN, print the rules. The rule goes into the artifact's
    .gitattributes; entries that it touches change with it.

    \b
    Example:
      aimdvc track "*.csv"
    """
    artifact, _ = cli.selector(name, "give the artifact's name alone")
    if pattern is None:
        rules = tracked_patterns(cli.workspace, artifact)
        cli.out.result({"artifact": artifact, "rules": rules.splitlines()}, rules.splitlines())
        return
    _set(cli, artifact, pattern, True)


@command("untrack")
@click.argument("pattern")
@_NAME
def untrack_command(cli: Cli, pattern: str, name: str | None) -> None:
    """Keep paths that match a pattern in Git itself

    Where small text belongs.

    \b
    Example:
      aimdvc untrack "*.md"
    """
    _set(cli, cli.selector(name, "give the artifact's name alone")[0], pattern, False)


def _set(cli: Cli, artifact: str, pattern: str, is_pointer: bool) -> None:
    done = track(cli.workspace, artifact, pattern, is_pointer)
    kind = "blobs" if is_pointer else "Git's own"
    cli.out.result(
        {"artifacts": [done]}, [f"{artifact}: '{pattern}' are {kind} now; {plural(done.entries, 'path')} changed"]
    )
