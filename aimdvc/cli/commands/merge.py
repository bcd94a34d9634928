"""`aimdvc merge` and `aimdvc revert`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_branch
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.ops.join import Favor
from aimdvc.ops.merge import FastForward, Merged, MergeOptions, merge
from aimdvc.ops.resolve import Aborted, Settled, abort, settle_conflicts
from aimdvc.ops.revert import revert


@command("merge", takes_paths=True)
@click.argument("selector", required=False, metavar="[[NAME@]REV]", shell_complete=complete_branch)
@click.option("--ours", "favor", flag_value="ours", help="Settle conflicts with what HEAD has.")
@click.option("--theirs", "favor", flag_value="theirs", help="Settle conflicts with what is merged.")
@click.option("--abort", "is_abort", is_flag=True, help="Undo the merge in progress: all is as before it.")
@click.option("--no-ff", "fast_forward", flag_value="never", help="Make a merge where a fast-forward would do.")
@click.option("--ff-only", "fast_forward", flag_value="only", help="Fast-forward, or do nothing.")
@click.option(
    "--allow-unrelated-histories", "is_unrelated_fine", is_flag=True, help="Merge what has nothing in common."
)
@click.option("-m", "--message", help="The message of the merge.")
def merge_command(
    cli: Cli,
    selector: str | None,
    favor: Favor | None,
    is_abort: bool,
    fast_forward: FastForward | None,
    is_unrelated_fine: bool,
    message: str | None,
) -> None:
    """Bring another line of versions into the branch

    Fast-forwards, else merges by path; without REV, the remote's same branch as last fetched. Where both sides changed
    one path it stops: the rest is staged, these paths keep ours, and `status` names them. Then --ours or --theirs
    settle them (after `--`, only those PATHs), `add PATH` and `rm PATH` settle one by your own bytes, `commit` finishes
    the merge, and --abort undoes it. With REV, --ours and --theirs settle all conflicts at once.

    \b
    Example:
      aimdvc merge images@production
      aimdvc merge --ff-only images
    """
    name, revision = cli.branch(selector)
    if is_abort:
        _abort(cli, name, "merge", any((favor, fast_forward, is_unrelated_fine, message, revision, cli.paths)))
        return
    if favor is not None and revision is None:
        if fast_forward or message:
            raise UsageError("--ours and --theirs alone settle conflicts: they take paths only")
        settled = settle_conflicts(cli.workspace, name, favor, cli.inner_paths(name), cli.means)
        cli.out.result({"artifacts": [settled]}, [_settled_line(settled)])
        return
    if cli.paths:
        raise UsageError("paths are settled by --ours or --theirs, without a revision")
    options = MergeOptions(favor, fast_forward or "auto", message + "\n" if message else None, is_unrelated_fine)
    done = merge(cli.workspace, name, revision, options, cli.means)
    cli.out.result({"artifacts": [done]}, [merged_line(done)])


@command("revert")
@click.argument("selector", required=False, metavar="[NAME@]REV", shell_complete=complete_branch)
@click.option("-m", "--mainline", type=click.IntRange(min=1), metavar="N", help="Of a merge: the parent to go back to.")
@click.option("--abort", "is_abort", is_flag=True, help="Undo the merge or revert in progress.")
def revert_command(cli: Cli, selector: str | None, mainline: int | None, is_abort: bool) -> None:
    """Undo an earlier version by a new one

    What REV changed is taken back, and all that came since stays. Where something since changed the same path it stops
    as `merge` does, and is settled by the same commands; theirs is what was before REV.

    \b
    Example:
      aimdvc revert images@HEAD
    """
    name, revision = cli.branch(selector)
    if is_abort:
        _abort(cli, name, "revert", any((revision, mainline)))
        return
    if revision is None:
        raise UsageError("no version was given to revert", hint=f"run `aimdvc revert {name}@REV`")
    done = revert(cli.workspace, name, revision, mainline, cli.means)
    line = merged_line(done) if done.how == "revert" else f"{name}: nothing to revert, what it changed is not here"
    cli.out.result({"artifacts": [done]}, [line])


def _abort(cli: Cli, name: str, verb: str, has_more: bool) -> None:
    if has_more:
        raise UsageError("--abort takes nothing but the artifact's name", hint=f"run `aimdvc {verb} --abort [NAME]`")
    undone = abort(cli.workspace, name, cli.means)
    cli.out.result({"artifacts": [undone]}, [aborted_line(undone)])


def merged_line(done: Merged) -> str:
    """Returns what a merge did, as a line."""
    if done.how == "up-to-date":
        return f"{done.artifact}: up to date at {done.version}"
    files = f"{plural(done.written, 'file')} written, {done.deleted:,} deleted"
    return f"{done.artifact}: {done.how} to {done.version}: {files}"


def aborted_line(undone: Aborted) -> str:
    """Returns what an abort did, as a line."""
    files = f"{plural(undone.written, 'file')} written, {undone.deleted:,} deleted"
    return f"{undone.artifact}: as before the merge: {files}"


def _settled_line(settled: Settled) -> str:
    left = ", ".join(shown_path(path) for path in settled.left[:5]) + (", …" if len(settled.left) > 5 else "")
    then = f"{plural(len(settled.left), 'conflict')} left: {left}" if settled.left else "`aimdvc commit` finishes it"
    return f"{settled.artifact}: {plural(len(settled.settled), 'conflict')} settled; {then}"
