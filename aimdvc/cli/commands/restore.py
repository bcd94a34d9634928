"""`aimdvc restore` and `aimdvc reset`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.ops.checkout import CheckedOut
from aimdvc.ops.restore import reset, restore, unstage


@command("restore")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path())
@click.option("--source", metavar="REV", help="Take them from this version, and stage them.")
@click.option("--staged", is_flag=True, help="Unstage: make the index what HEAD has; files stay as they are.")
def restore_command(cli: Cli, paths: tuple[str, ...], source: str | None, staged: bool) -> None:
    """Put files back as staged, or as in a version

    Their local changes are lost.

    \b
    Example:
      aimdvc restore data/images/labels.csv
      aimdvc restore --source v2 data/images/labels.csv
    """
    if staged and source is not None:
        raise click.UsageError("--staged and --source exclude each other")
    targets = cli.targets(paths)
    done = unstage(cli.workspace, targets) if staged else restore(cli.workspace, targets, source, cli.means)
    lines = [
        f"{one.artifact}: {plural(one.unstaged, 'path')} unstaged"
        if staged
        else f"{one.artifact}: {plural(one.written, 'file')} written, {one.deleted:,} deleted"
        for one in done
    ]
    cli.out.result({"artifacts": done}, lines)


@command("reset")
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
@click.option("--hard", is_flag=True, help="Make the files those of the version, too: local changes are lost.")
def reset_command(cli: Cli, selector: str | None, hard: bool) -> None:
    """Unstage everything, or move the branch to a version

    Makes the index the content of REV and moves the branch there; without REV, only unstages. Files are touched only
    with --hard. Where the branch was stays in its reflog.

    \b
    Example:
      aimdvc reset --hard images@v3
    """
    name, parsed = cli.selector(selector, "run `aimdvc restore --source REV PATH`")
    done = reset(cli.workspace, name, parsed.revision, hard, cli.means)
    cli.out.result({"artifacts": [done]}, [_reset_line(done)])


def _reset_line(done: CheckedOut) -> str:
    if done.commit is None:
        return f"{done.artifact}: no artifact any more; its files stay"
    return f"{done.artifact} at {done.version}"
