"""`aimdvc mv`."""

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.ops.mv import mv


@command("mv")
@click.argument("paths", nargs=-1, metavar="SOURCE… TARGET", type=click.Path())
@click.option("-f", "--force", is_flag=True, help="Replace the file at TARGET.")
@zero_option
def mv_command(cli: Cli, paths: tuple[str, ...], force: bool, is_zero: bool) -> None:
    """Move or rename files, or an artifact

    Files and directories within their artifact: on disk and in the index, for the next commit. The path of a whole
    artifact moves it elsewhere in the workspace, with its pin in aimdvc.lock and its line in .gitignore. What was moved
    on disk already is only noted. Nothing is read again.

    \b
    Example:
      aimdvc mv data/images/labels.csv data/images/train
      aimdvc mv data/images pictures
    """
    if len(paths) < 2:
        raise UsageError("mv takes one source or more, and a target", hint="run `aimdvc mv SOURCE… TARGET`")
    moved = mv(cli.workspace, cli.here, paths[:-1], paths[-1], force)
    lines = [
        f"{one.artifact}: {shown_path(one.source)} → {shown_path(one.target)}"
        + ("" if one.is_artifact else f", {plural(one.entries, 'file')}")
        for one in moved
    ]
    fields = [path for one in moved for path in (one.source, one.target)] if is_zero else None
    cli.out.result({"artifacts": moved}, lines or ["Everything is there already"], fields)
