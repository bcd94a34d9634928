"""`aimdvc server ref`."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import SYSTEM, database_option, day, opened_site
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import shown_path, shown_text
from aimdvc.errors import UsageError

with suppress(ModuleNotFoundError):  # Without the extra `aimdvc[server]` opening a site says so.
    from aimdvc.server.moves import Wish, find_ref, iter_moves, put_back

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aimdvc.server.moves import PastMove


@command("server ref")
@click.argument("action", type=Action(["list", "restore"]), default="list")
@click.argument("path", required=False)
@click.argument("ref", required=False)
@click.argument("commit", required=False)
@click.option("--lease", metavar="COMMIT", help="Of `restore`: only if the ref stands there now.")
@click.option("-m", "reason", metavar="WHY", default="", help="Of `restore`: why, for the history.")
@click.option("-n", "limit", type=click.IntRange(min=0), metavar="N", help="Of `list`: at most N moves.")
@database_option
def server_ref_command(
    cli: Cli,
    action: str,
    path: str | None,
    ref: str | None,
    commit: str | None,
    lease: str | None,
    reason: str,
    limit: int | None,
    database: str | None,
) -> None:
    """List where the refs of an artifact stood, and put one back

    Of the server that is kept in the current directory. `list` shows each move of a ref, or of all, the newest first:
    when, by whom, from where, to where, why; `gone` stands where what it left is not kept any more. `restore` puts a
    branch, an alias or a tag, also one that was deleted, back to a commit that it had, or to the version `vN` that it
    was: `main`, too, which goes back in no other way, and whatever protects it. Versions keep their numbers, and never
    move. All blobs of the commit have to be here. What the ref leaves can be put back the same way.

    \b
    Example:
      aimdvc server ref list team/images -C /srv/aimd
      aimdvc server ref restore team/images production v3 -C /srv/aimd
    """
    if path is None or (action == "restore" and (ref is None or commit is None)):
        raise UsageError("no path, ref or commit was given", hint=f"run `aimdvc server ref {_USAGE[action]}`")
    if action == "list" and (commit is not None or lease is not None):
        raise UsageError("a commit is for `restore` alone", hint=f"run `aimdvc server ref {_USAGE['restore']}`")
    with opened_site(cli, database) as site:
        if action == "restore":
            done = put_back(site, SYSTEM, path, Wish(str(ref), str(commit), lease, reason))
            line = f"{done.ref}: {_short(done.old)} -> {_short(done.new)}"
            cli.out.result({"ref": done.ref, "old": done.old, "new": done.new}, [line])
            return
        artifact = site.artifact(SYSTEM, path)
        named = find_ref(site.database, artifact.id, ref) if ref is not None else None
        moves = islice(iter_moves(site, artifact.id, named), limit if limit is None else min(limit, sys.maxsize))
        if cli.out.as_json:
            cli.out.result({"path": artifact.path, "moves": list(moves)}, [])
            return
        cli.out.result({}, _lines(moves))


_USAGE = {"list": "list PATH", "restore": "restore PATH REF COMMIT"}


def _lines(moves: "Iterable[PastMove]") -> Iterator[str]:
    for one in moves:
        who = one.user or "(on the machine)"
        gone = "  gone" if one.old is not None and not one.is_kept else ""
        said = f": {shown_text(one.reason)}" if one.reason else ""
        where = f"{_short(one.old)} -> {_short(one.new)}"
        yield f"{day(one.time_s)}  {who}  {shown_path(one.ref)}  {where}  {one.why}{said}{gone}"


def _short(commit: str | None) -> str:
    return commit[:10] if commit is not None else "nothing"
