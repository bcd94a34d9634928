"""`aimdvc ls-remote`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.network import connector
from aimdvc.cli.output import shown_path
from aimdvc.errors import UsageError
from aimdvc.ops.clone import parse_origin
from aimdvc.ops.connect import Connection, Connector, connect_artifact
from aimdvc.ops.ls_remote import list_remote_refs
from aimdvc.remote.urls import shown


@command("ls-remote")
@click.argument("address", required=False, metavar="[NAME|URL/NAME]", shell_complete=complete_name)
def ls_remote_command(cli: Cli, address: str | None) -> None:
    """List the refs that a remote has of an artifact

    Of the remote of an artifact here, or at any URL; that takes no workspace. Versions are `refs/tags/vN`, aliases
    `refs/aliases/…`, branches `refs/heads/…`. Each line is a commit, a tab and a ref, as `git ls-remote` has it.

    \b
    Example:
      aimdvc ls-remote images
      aimdvc ls-remote https://aimd.example.org/team/images
    """
    with connector(cli) as connections:
        connection = _connection(cli, connections, address)
        refs = list_remote_refs(connection)
    lines = (f"{one.git_id}\t{shown_path(one.ref)}" for one in refs)
    cli.out.result({"url": shown(connection.url), "refs": refs}, lines)


def _connection(cli: Cli, connections: Connector, address: str | None) -> Connection:
    # No artifact's name has a slash, and every address of one has.
    if address is None or "/" not in address:
        name, _ = cli.selector(address)
        return connect_artifact(cli.workspace, connections, cli.workspace.head(name))
    origin = parse_origin(address, cli.here)
    if origin.revision is not None:
        raise UsageError(f"'{address}': expected no revision", hint="all refs are listed: leave it out")
    cli.typed_url = origin.url
    return connections.connect(cli.disk, "", origin.url, origin.name)
