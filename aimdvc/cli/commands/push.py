"""`aimdvc push`."""

from functools import partial

import click

from aimdvc.cli.bulk import finish
from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.network import connector
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.alias import list_aliases
from aimdvc.ops.push import Pushed, PushOptions, push
from aimdvc.ops.unpublish import unpublish


@command("push")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_name)
@click.option("--all", "is_all", is_flag=True, help="All artifacts, as without a NAME.")
@click.option("--dry-run", is_flag=True, help="Say what would be pushed, and send nothing.")
@click.option("-d", "--delete", "branch", metavar="[NAME@]BRANCH", help="Delete a branch on the remote.")
@click.option("--restore", is_flag=True, help="Push again what a remote has lost: versions, blobs.")
def push_command(
    cli: Cli, names: tuple[str, ...], is_all: bool, dry_run: bool, branch: str | None, restore: bool
) -> int:
    """Send versions and aliases to the remote

    The current branch of each artifact goes to its own remote; main is numbered there. First the blobs that it lacks,
    then all refs in one step. One that lost a race says so, exits with 5, and has changed nothing. With nothing to push
    it costs one small round trip an artifact.

    A remote that lost versions which it had, as after a restore from an older backup, gets nothing by itself: that
    exits with 5, too. `--restore` pushes them again under their numbers, as a plain fast-forward: what others pushed
    to it since stops it. It also asks the remote for every blob of its versions, and sends what it has lost.

    `--delete` deletes one branch on the remote, when it is where it was last fetched; that of this name here stays, and
    main and versions are never deleted.

    \b
    Example:
      aimdvc push images
      aimdvc push --delete images@old-labels
    """
    if branch is not None:
        if names or is_all or dry_run or restore:
            raise UsageError("--delete takes one branch, and goes with nothing else")
        _delete(cli, branch)
        return 0
    if is_all and names:
        raise UsageError("--all and names exclude each other")
    with connector(cli) as connections:
        bulk = push(cli.workspace, connections, cli.names(names), cli.progress, PushOptions(dry_run, restore))
    for one in bulk.done:
        for note in one.notes:
            cli.out.note(f"{one.artifact}: {note}")
    return finish(cli, bulk, partial(_line, cli), "No artifacts to push")


def _delete(cli: Cli, selector: str) -> None:
    name, branch = cli.branch(selector)
    if branch is None:
        raise UsageError("no branch was given", hint=f"run `aimdvc push --delete {name}@BRANCH`")
    with connector(cli) as connections:
        done = unpublish(cli.workspace, connections, name, branch, cli.progress)
    line = f"{name}: deleted {done.branch}, which was at {done.version}, on {done.url}"
    cli.out.result({"artifact": name, "deleted": done}, [line])


def _line(cli: Cli, one: Pushed) -> str:
    if one.is_up_to_date:
        return f"{one.artifact}: nothing to push"
    parts = []
    if one.healed:
        parts.append(f"{plural(one.healed, 'blob')} again that was lost ({size_text(one.healed_size)})")
    if one.new != one.old:
        what = ", ".join(one.versions[-5:]) or f"{one.branch} {(one.new or '')[:12]}"
        parts.append(f"{what} ({plural(one.blobs, 'blob')}, {size_text(one.size)})" if not one.is_dry_run else what)
    here = {known.alias for known in list_aliases(cli.workspace, one.artifact)} if one.aliases else set()
    moved = [alias for alias in one.aliases if alias in here]
    deleted = [alias for alias in one.aliases if alias not in here]
    for verb, aliases in (("", moved), ("the deletion of ", deleted)):
        if aliases:
            parts.append(f"{verb}{'aliases' if len(aliases) > 1 else 'alias'} {', '.join(aliases)}")
    return f"{one.artifact}: {'would push' if one.is_dry_run else 'pushed'} {', '.join(parts)} to {one.url}"
