"""`aimdvc server quota`."""

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import administered, database_option
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import shown_path
from aimdvc.errors import UsageError
from aimdvc.model.sizes import parse_size, size_text


@command("server quota")
@click.argument("action", type=Action(["list", "set", "remove"]), default="list")
@click.argument("subject", required=False, metavar="[PATH|user:NAME]")
@click.argument("size", required=False)
@database_option
def server_quota_command(cli: Cli, action: str, subject: str | None, size: str | None, database: str | None) -> None:
    """Say how much folders and users of a server may use

    Of the server that is kept in the current directory. A quota of a PATH counts the blobs of all artifacts at or below
    it, each once an artifact; one of a user those below the user's root, and of the artifacts that they made in shared
    roots. What goes over is refused; what is there already stays. SIZE is in bytes, or as 50G, 1.5TiB.

    \b
    Example:
      aimdvc server quota set team 500G -C /srv/aimd
      aimdvc server quota set user:ada 50G -C /srv/aimd
      aimdvc server quota list -C /srv/aimd
    """
    if action != "list" and subject is None:
        raise UsageError("no path or user was given", hint=f"run `aimdvc server quota {action} PATH`, or user:NAME")
    if action == "set" and size is None:
        raise UsageError("no size was given", hint=f"run `aimdvc server quota set {subject} 50G`")
    wanted = parse_size(size) if action == "set" and size is not None else 0
    with administered(cli, database) as server:
        if action == "set":
            server.quotas.set(str(subject), wanted)
        elif action == "remove":
            server.quotas.remove(str(subject))
        found = [quota for quota in server.quotas.read() if action != "list" or subject in (None, quota.subject)]
    lines = [f"{shown_path(quota.subject)}  {size_text(quota.used)} of {size_text(quota.size)}" for quota in found]
    cli.out.result({"quotas": found}, lines if action == "list" else [])
