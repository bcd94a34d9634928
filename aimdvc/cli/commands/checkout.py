"""`aimdvc checkout`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.ops.checkout import CheckedOut, checkout, checkout_lock
from aimdvc.ops.restore import restore_from


@command("checkout", takes_paths=True)
@click.argument("selector", required=False, metavar="[NAME@REV]", shell_complete=complete_selector)
@click.option("-f", "--force", is_flag=True, help="Lose local changes.")
def checkout_command(cli: Cli, selector: str | None, force: bool) -> None:
    """Make the files those of a version, or of aimdvc.lock

    With NAME@REV that artifact's; without, those of all artifacts as aimdvc.lock pins them. A local change that would
    be lost stops it before anything is touched. After `--`, only those PATHs are brought, and HEAD stays. Blobs that
    aren't here are fetched.

    \b
    Example:
      aimdvc checkout images@v3
      aimdvc checkout images@v2 -- data/images/labels.csv
    """
    workspace = cli.workspace
    if cli.paths:
        name, parsed = cli.selector(selector)
        targets = [target for target in cli.targets(cli.paths) if target.head.name == name]
        if not targets or len(targets) < len(cli.paths):
            raise UsageError(f"not all of the paths belong to '{name}'")
        restored = restore_from(workspace, name, parsed.revision or "HEAD", targets, force, cli.means)
        lines = [f"{one.artifact}: {plural(one.written, 'file')} written, {one.deleted:,} deleted" for one in restored]
        cli.out.result({"artifacts": restored}, lines)
        return
    if selector is None:
        followed = checkout_lock(workspace, force, cli.means)
        lines = [_line(one) for one in followed.moved]
        lines += [f"{name}: pinned in aimdvc.lock, not here: `aimdvc pull` brings it" for name in followed.missing]
        value = {"artifacts": followed.moved, "missing": followed.missing}
        cli.out.result(value, lines or ["Everything is as aimdvc.lock says"])
        return
    name, parsed = cli.selector(selector)
    done = checkout(workspace, name, parsed.revision, force, cli.means)
    cli.out.result({"artifacts": [done]}, [_line(done)])


def _line(done: CheckedOut) -> str:
    detached = "" if done.branch else ", detached"
    return (
        f"{done.artifact} at {done.version}{detached}: {plural(done.written, 'file')} written, {done.deleted:,} deleted"
    )
