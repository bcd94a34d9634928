"""`aimdvc login` and `aimdvc logout`."""

import sys

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.network import key_file
from aimdvc.errors import UnsafeUrl
from aimdvc.remote.credentials import check_key
from aimdvc.remote.urls import check_url, is_private, origin_of


@command("login")
@click.argument("url")
def login_command(cli: Cli, url: str) -> None:
    """Store the key for a server

    For you alone. It is read from the terminal, or from stdin. It goes to this server only (scheme, host and port),
    never to another, whatever a repository's settings say.

    \b
    Example:
      aimdvc login https://aimd.example.org
      aimdvc login https://aimd.example.org < key.txt
    """
    check_url(url)
    origin = origin_of(url)
    if not is_private(origin):
        raise UnsafeUrl(origin, "a key is sent over https only", hint="use the server's https URL")
    if sys.stdin.isatty():
        typed = click.prompt(f"Key for {origin}", hide_input=True, err=True)
    else:
        typed = sys.stdin.readline(8192)
    key_file(cli).set(origin, check_key(typed))
    cli.out.result({"origin": origin}, [f"Stored the key for {origin}"])


@command("logout")
@click.argument("url")
def logout_command(cli: Cli, url: str) -> None:
    """Forget the key for a server

    \b
    Example:
      aimdvc logout https://aimd.example.org
    """
    check_url(url)
    origin = origin_of(url)
    was_there = key_file(cli).remove(origin)
    text = f"Forgot the key for {origin}" if was_there else f"There was no key for {origin}"
    cli.out.result({"origin": origin, "removed": was_there}, [text])
