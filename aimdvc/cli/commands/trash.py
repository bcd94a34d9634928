"""`aimdvc trash`."""

from datetime import datetime

import click

from aimdvc.cli.action import Action
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.trash import empty_trash, list_trash, restore_trash
from aimdvc.store.trash import Batch

_WHY = {"prune": "nothing needed it", "remote": "a remote has it"}


@command("trash")
@click.argument("action", type=Action(["list", "restore", "empty"]), default="list")
@click.argument("name", required=False)
@click.option("--older-than", "days", metavar="DAYS", type=click.FloatRange(0), help="Of `empty`: only what is as old.")
def trash_command(cli: Cli, action: str, name: str | None, days: float | None) -> None:
    """List, put back and delete what prune took away

    `restore` puts back one batch, named as `list` shows it, or all. `empty` deletes for good; it first puts back
    what something needs again.

    \b
    Example:
      aimdvc trash list
      aimdvc trash restore
      aimdvc trash empty --older-than 30
    """
    if name is not None and action != "restore":
        raise UsageError(f"`trash {action}` takes no name", hint="`aimdvc trash restore NAME` puts one batch back")
    if days is not None and action != "empty":
        raise UsageError("--older-than is for `aimdvc trash empty`")
    if action == "empty":
        done = empty_trash(cli.workspace, days or 0.0, cli.progress)
        lines = [f"Deleted {plural(len(done.batches), 'batch').replace('batchs', 'batches')} ({size_text(done.size)})"]
        if done.put_back:
            lines.append(f"Put back {plural(done.put_back, 'blob')} that something needs again")
        lines += [f"Kept {one}: a blob in it is needed, and can't be put back: run `aimdvc fsck`" for one in done.kept]
        value = {"batches": done.batches, "size": done.size, "put_back": done.put_back, "kept": done.kept}
        cli.out.result(value, lines)
        return
    batches = restore_trash(cli.workspace, name) if action == "restore" else list_trash(cli.workspace)
    prefix = "put back " if action == "restore" else ""
    lines = [prefix + _line(batch) for batch in batches]
    cli.out.result({"batches": batches}, lines or ["The trash is empty"])


def _line(batch: Batch) -> str:
    moment = datetime.fromtimestamp(batch.time_s).strftime("%Y-%m-%d %H:%M")
    held = [plural(count, word) for count, word in ((batch.files, "file"), (batch.packs, "blob pack")) if count]
    why = _WHY.get(batch.why, batch.why)
    return f"{batch.name}  {moment}  {why}  {', '.join(held) or 'nothing'}, {size_text(batch.size)}"
