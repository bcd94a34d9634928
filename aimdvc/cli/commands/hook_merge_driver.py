"""`aimdvc hook merge-driver`: Git calls it to merge aimdvc.lock (gitattributes(5), "merge.*.driver")."""

from pathlib import Path

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.errors import AimdvcError, MergeConflict, UsageError
from aimdvc.ops.lockmerge import MergedLock, merge_locks
from aimdvc.ops.workspace import Workspace


@command("merge-driver")
@click.argument("base", metavar="BASE", type=click.Path())
@click.argument("ours", metavar="OURS", type=click.Path())
@click.argument("theirs", metavar="THEIRS", type=click.Path())
@click.argument("path", metavar="PATH", required=False, default="aimdvc.lock")
def hook_merge_driver_command(cli: Cli, base: str, ours: str, theirs: str, path: str) -> int:
    """Merge aimdvc.lock by artifact, for Git

    `aimdvc hooks install` has Git call it, with files of the three sides; the result replaces OURS. What one side
    moved, added or removed is taken. An artifact that both moved differently stays between marks: then it exits with
    1, so that Git reports a conflict, and says which versions there are and the commands that settle it.

    \b
    Example:
      aimdvc hook merge-driver base.lock ours.lock theirs.lock aimdvc.lock
    """
    sides = [_read(cli.here / side) for side in (base, ours, theirs)]
    try:
        with Workspace.open((cli.here / path).parent, cli.disk, cli.author, cli.user_config) as workspace:
            merged = merge_locks(workspace, *sides)
    except AimdvcError:
        merged = merge_locks(None, *sides)  # What versions are called is only told, and not worth a failed merge.
    (cli.here / ours).write_bytes(merged.content)
    cli.out.result({"is_clean": merged.is_clean, "choices": merged.choices}, _lines(merged, path))
    return 0 if merged.is_clean else MergeConflict.exit_code


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"'{path}' is not there", hint="Git calls this with the three sides of a merge") from error


def _lines(merged: MergedLock, path: str) -> list[str]:
    if merged.fault:
        return [f"{path}: {merged.fault}: neither side was dropped, settle it by hand, then `git add {path}`"]
    lines = [f"{path}: {one.line}" for one in merged.choices]
    return lines and [*lines, f"{path}: when all are settled: `git add {path}`"]
