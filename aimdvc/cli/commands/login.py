"""`aimdvc login` and `aimdvc logout`."""

import sys

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.network import key_file, open_session
from aimdvc.errors import RemoteUnreachable, UnsafeUrl
from aimdvc.ops.login import try_key
from aimdvc.remote.credentials import check_key
from aimdvc.remote.urls import check_url, is_private, origin_of


@command("login")
@click.argument("url")
@click.option("--no-check", is_flag=True, help="Store it without asking the server, which may not be reached now.")
def login_command(cli: Cli, url: str, no_check: bool) -> None:
    """Store the key for a server

    For you alone, once the server has taken it. It is read from the terminal, or from stdin. It goes to this server
    only (scheme, host and port), never to another, whatever a repository's settings say.

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
    key = check_key(typed)
    user = None if no_check else _tried(cli, origin, key)
    key_file(cli).set(origin, key)
    whose = f" of {user}" if user is not None else "" if no_check else ", untried: it doesn't say whose it is"
    cli.out.result({"origin": origin, "user": user}, [f"Stored the key{whose} for {origin}"])


def _tried(cli: Cli, origin: str, key: str) -> str | None:
    session = open_session(cli, {origin: key})
    try:
        return try_key(session, origin)
    except RemoteUnreachable as error:
        error.hint = "nothing was stored; `--no-check` stores the key untried"
        raise
    finally:
        session.close()


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
