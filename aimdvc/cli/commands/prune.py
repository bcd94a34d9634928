"""`aimdvc prune`."""

import sys
from collections.abc import Iterator

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.network import connector
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.model.sizes import parse_size, size_text
from aimdvc.ops.evict import Evicted, evict
from aimdvc.ops.prune import EXPIRE_DAYS, Pruned, PruneOptions, prune


@command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would be taken, and take nothing.")
@click.option("--remote", metavar="NAME", help="Take, too, what is not checked out and that this remote has.")
@click.option("--expire", "days", metavar="DAYS", type=click.FloatRange(0), default=EXPIRE_DAYS, show_default=True)
@click.option("-z", "is_nul", is_flag=True, help="Print the oids, each followed by a NUL byte, and nothing else.")
@click.option("--limit", metavar="SIZE", help="Delete what remotes have, the longest unwanted first, down to SIZE.")
@click.option("--trust-clock", is_flag=True, help="Go on though the store has times of the future.")
def prune_command(
    cli: Cli, dry_run: bool, remote: str | None, days: float, is_nul: bool, limit: str | None, trust_clock: bool
) -> None:
    """Move blobs that nothing needs into the trash

    What no branch, alias, version, reflog of 90 days, index, or aimdvc.lock of any commit of the code needs, and nobody
    wanted for DAYS. With --remote also what is in history only, when that remote is asked now and has it. A root
    that can't be read stops it. It frees room only when `aimdvc trash empty` follows. Downloads that were begun, and
    that nobody went on with for DAYS, are deleted.

    --limit does something else: it deletes at once, of what no workspace needs, what a remote is asked now and has.

    \b
    Example:
      aimdvc prune --dry-run
      aimdvc prune --remote origin
    """
    if limit is not None:
        if dry_run or remote is not None or is_nul:
            raise UsageError("--limit stands alone", hint="`aimdvc prune --dry-run --remote NAME` shows what could go")
        with connector(cli) as connections:
            evicted = evict(cli.workspace, connections, parse_size(limit), cli.progress)
        cli.out.result({"evicted": evicted}, _evicted(evicted))
        return
    options = PruneOptions(remote, days, dry_run, trust_clock)
    with connector(cli) as connections:
        done = prune(cli.workspace, connections, options, cli.progress)
    if is_nul:
        for oid in done.oids:
            cli.out.raw(oid.encode() + b"\0")
        sys.stdout.flush()
        return
    cli.out.result({"pruned": done}, _lines(done))


def _evicted(done: Evicted) -> Iterator[str]:
    yield f"Deleted {plural(done.blobs, 'blob')} ({size_text(done.size)}) that a remote has"
    if done.on_disk > done.limit:
        yield f"The store still has {size_text(done.on_disk)}: in use, or within the hour, or on no remote"


def _lines(done: Pruned) -> Iterator[str]:
    verb = "Would move" if done.is_dry_run else "Moved"
    yield f"{verb} {plural(done.unreachable + done.on_remote, 'blob')} ({size_text(done.size)}) into the trash" + (
        f": {plural(done.unreachable, 'blob')} that nothing needs, {done.on_remote:,} that the remote has"
        if done.on_remote
        else ""
    )
    if done.begun:
        what = "Would delete" if done.is_dry_run else "Deleted"
        yield f"{what} {plural(done.begun, 'begun download')} ({size_text(done.begun_size)}) that nobody went on with"
    if done.young:
        yield f"{plural(done.young, 'blob')} that nothing needs stay: they were wanted of late (--expire)"
    if done.unproven:
        yield f"{plural(done.unproven, 'blob')} stay: the remote was not proven to have them"
    if not done.is_dry_run and done.unreachable + done.on_remote:
        yield "`aimdvc trash empty` frees the room, `aimdvc trash restore` undoes this"
