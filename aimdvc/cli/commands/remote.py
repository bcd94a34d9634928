"""`aimdvc remote`."""

import click

from aimdvc.cli.action import Action
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError
from aimdvc.ops.remotes import add_remote, list_remotes, remove_remote, set_remote_url
from aimdvc.remote.urls import shown


@command("remote")
@click.argument("action", type=Action(["list", "add", "set-url", "remove"]), default="list")
@click.argument("name", required=False)
@click.argument("url", required=False)
@click.option("-v", "--verbose", is_flag=True, expose_value=False, help="As without: URLs are always shown.")
def remote_command(cli: Cli, action: str, name: str | None, url: str | None) -> None:
    """List and change the remotes

    `.aimdvc/config` keeps them, and Git commits it. A remote is the URL of a server (below which the artifacts lie), a
    file URL, or a path. Keys never go in here: see `aimdvc login`.

    \b
    Example:
      aimdvc remote add origin https://aimd.example.org/team
      aimdvc remote list
    """
    workspace = cli.workspace
    if action != "list" and name is None:
        raise UsageError("no remote was named", hint=f"run `aimdvc remote {action} NAME`")
    if action in ("add", "set-url") and url is None:
        raise UsageError("no URL was given", hint=f"run `aimdvc remote {action} {name} URL`")
    if action == "add":
        add_remote(workspace, cli.here, name or "", url or "")
    elif action == "set-url":
        set_remote_url(workspace, cli.here, name or "", url or "")
    elif action == "remove":
        remove_remote(workspace, name or "")
    remotes = {known: shown(place) for known, place in list_remotes(workspace).items()}
    lines = [f"{known}\t{place}" for known, place in remotes.items()] if action == "list" else []
    cli.out.result({"remotes": remotes}, lines)
