"""`aimdvc ls` and `aimdvc cat`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path, size_text
from aimdvc.errors import UsageError
from aimdvc.ops.log import cat, list_artifacts, ls


@command("ls")
@click.argument("selector", required=False, metavar="[NAME[@REV][:PATH]]", shell_complete=complete_selector)
@click.option("-l", "--long", "is_long", is_flag=True, help="With mode, size and oid.")
def ls_command(cli: Cli, selector: str | None, is_long: bool) -> None:
    """List the artifacts, or the files of a version

    \b
    Example:
      aimdvc ls images@v3:train -l
    """
    if selector is None:
        artifacts = list_artifacts(cli.workspace)
        lines = [
            f"{one.artifact}  {one.version or '-'}  '{one.path}'  {plural(one.entries, 'file')}" for one in artifacts
        ]
        cli.out.result({"artifacts": artifacts}, lines)
        return
    name, parsed = cli.selector(selector, None)
    entries = ls(cli.workspace, parsed, name)
    if cli.as_json:
        cli.out.result({"artifact": name, "entries": list(entries)}, [])
        return
    for entry in entries:
        path = shown_path(entry.path)
        cli.out.line(f"{entry.mode} {size_text(entry.size):>10} {entry.id[:12]} {path}" if is_long else path)


@command("cat")
@click.argument("selector", metavar="NAME[@REV]:PATH", shell_complete=complete_selector)
def cat_command(cli: Cli, selector: str) -> None:
    """Print a file of a version

    Byte for byte; a blob that isn't here is fetched.

    \b
    Example:
      aimdvc cat images@production:labels.csv
    """
    if cli.as_json:
        raise UsageError("cat prints bytes, not JSON", hint="run it without --json")
    name, parsed = cli.selector(selector, None)
    for chunk in cat(cli.workspace, parsed, name, cli.means):
        cli.out.raw(chunk)
