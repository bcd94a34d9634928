"""`aimdvc config`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.ops.config import read_config, set_config
from aimdvc.remote.urls import shown


@command("config")
@click.argument("key", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Remove KEY.")
def config_command(cli: Cli, key: str | None, value: str | None, unset: bool) -> None:
    """Read and set the workspace's settings

    `.aimdvc/config` keeps them, and Git commits it. Keys are core.link (reflink, hardlink or copy) and remote.NAME.url.
    cache.limit (such as 50G) is this machine's, and kept in the store: beyond it, push and pull delete blobs that a
    remote has and that no workspace needs.

    \b
    Example:
      aimdvc config
      aimdvc config core.link hardlink
    """
    if unset and (key is None or value is not None):
        raise click.UsageError("--unset takes KEY alone")
    if key is not None and (unset or value is not None):
        set_config(cli.workspace, cli.here, key, None if unset else value)
    found = read_config(cli.workspace, key if value is None and not unset else None)
    found = {name: shown(text) if name.startswith("remote.") else text for name, text in found.items()}
    lines = list(found.values()) if key is not None else [f"{name}={text}" for name, text in found.items()]
    cli.out.result({"settings": found}, [] if value is not None or unset else lines)
