"""`aimdvc config`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.ops.config import read_config, set_config, set_user_config
from aimdvc.remote.urls import shown


@command("config")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Remove KEY.")
@click.option("--user", "is_user", is_flag=True, help="Change it for all workspaces that don't say otherwise.")
def config_command(cli: Cli, key: str | None, value: str | None, unset: bool, is_user: bool) -> None:
    """Read and set the workspace's settings

    remote.NAME.url is in `.aimdvc/config`, which Git commits. The others are this machine's, and never committed.
    core.link (reflink, hardlink or copy) says how large blobs get into the workspace; it counts from the next file that
    is written, and `aimdvc checkout --relink` applies it to those that are here. cache.limit (such as 50G): beyond it,
    push and pull delete blobs that a remote has and that no workspace needs.

    \b
    Example:
      aimdvc config
      aimdvc config core.link hardlink
    """
    if unset and (key is None or value is not None):
        raise click.UsageError("--unset takes KEY alone")
    if is_user and (key is None or (value is None and not unset)):
        raise click.UsageError("--user takes KEY and VALUE, or --unset KEY")
    if key is not None and (unset or value is not None):
        if is_user:
            set_user_config(cli.user_config, cli.disk, key, None if unset else value)
            return
        set_config(cli.workspace, cli.here, key, None if unset else value)
    found = read_config(cli.workspace, key if value is None and not unset else None)
    found = {name: shown(text) if name.startswith("remote.") else text for name, text in found.items()}
    lines = list(found.values()) if key is not None else [f"{name}={text}" for name, text in found.items()]
    cli.out.result({"settings": found}, [] if value is not None or unset else lines)
