"""`aimdvc server secret`."""

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import administered, database_option
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli


@command("server secret")
@click.argument("action", type=Action(["rotate"]))
@database_option
def server_secret_command(cli: Cli, action: str, database: str | None) -> None:
    """Make anew the secret that signs hrefs

    Of the server that is kept in the current directory, while it runs or not; all its processes take the new one. Hrefs
    are what clients get, and send, blobs by for five minutes without a key. When the command is done, those given
    before are refused, as after one was seen by others; clients ask for new ones. What is being sent goes on. Hrefs
    that lead straight into a bucket are signed by the bucket's own keys, and live out their minutes. Keys of users
    stay what they are. The audit log has it.

    \b
    Example:
      aimdvc server secret rotate -C /srv/aimd
    """
    with administered(cli, database) as server:
        server.rotate_secret()
    cli.out.result({"action": action}, ["The secret is new: hrefs that were given before are refused."])
