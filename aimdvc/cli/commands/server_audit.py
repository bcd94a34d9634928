"""`aimdvc server audit`."""

import json
from collections.abc import Iterator

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import Administered, administered, database_option, day
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli


@command("server audit")
@click.argument("action", type=Action(["list", "verify"]), default="list")
@database_option
def server_audit_command(cli: Cli, action: str, database: str | None) -> None:
    """List, or verify, who changed what on a server

    Of the server that is kept in the current directory: users, groups, keys, folders, shares, locks that were forced.
    Each entry is hashed with the one before it; `verify` exits with 3 where one is not what was written, and prints the
    hash of the last. Who may write the database could write it all anew: keep that hash elsewhere, and compare.

    \b
    Example:
      aimdvc server audit list -C /srv/aimd
      aimdvc server audit verify -C /srv/aimd
    """
    with administered(cli, database) as server:
        if action == "verify":
            done = server.verify_audit()
            cli.out.result({"entries": done.entries, "head": done.head}, [f"{done.entries:,} entries, to {done.head}"])
            return
        entries = list(server.audit())
        cli.out.result({"entries": entries}, _lines(server))


def _lines(server: Administered) -> Iterator[str]:
    for entry in server.audit():
        detail = "".join(f" {name}={json.dumps(value)}" for name, value in entry.detail.items())
        who = entry.user or "(on the machine)"
        yield f"{entry.number}  {day(entry.time_ms / 1000)}  {who}  {entry.action}  {entry.target}{detail}"
