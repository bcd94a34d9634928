"""`aimdvc server user`, `aimdvc server group` and `aimdvc server key`."""

import time
from dataclasses import asdict

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import SYSTEM, Administered, administered, database_option, day
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError

_DAY_S = 86400
_MOST_DAYS = 36_500


@command("server user")
@click.argument("action", type=Action(["list", "add", "disable", "enable", "promote", "demote"]), default="list")
@click.argument("name", required=False)
@click.option("--admin", "is_admin", is_flag=True, help="With add: an administrator.")
@database_option
def server_user_command(cli: Cli, action: str, name: str | None, is_admin: bool, database: str | None) -> None:
    """List, add, disable and promote the users of a server

    Of the server that is kept in the current directory. Each user has a root of their name, for all that they push. A
    disabled one keeps what is theirs, and none of their keys is taken. An administrator may everything everywhere.

    \b
    Example:
      aimdvc server user add ada -C /srv/aimd
      aimdvc server user list -C /srv/aimd
    """
    with administered(cli, database) as server:
        if action == "list":
            users = server.accounts.list_users()
            marks = [f"{' admin' if one.is_admin else ''}{' disabled' if one.is_disabled else ''}" for one in users]
            cli.out.result({"users": users}, [f"{one.name}{mark}" for one, mark in zip(users, marks, strict=True)])
            return
        name = _given(name, "user", action)
        if action == "add":
            server.accounts.add_user(name, is_admin)
        else:
            server.accounts.change_user(
                name,
                is_admin={"promote": True, "demote": False}.get(action),
                is_disabled={"disable": True, "enable": False}.get(action),
            )
        user = server.accounts.user(name)
    lines = [f"Added {user.name}: `aimdvc server key add {user.name}` makes a key"] if action == "add" else []
    cli.out.result({"users": [user]}, lines)


@command("server group")
@click.argument("action", type=Action(["list", "add", "join", "leave", "remove"]), default="list")
@click.argument("group", required=False)
@click.argument("user", required=False)
@database_option
def server_group_command(cli: Cli, action: str, group: str | None, user: str | None, database: str | None) -> None:
    """List and make groups of users, and who is in them

    Of the server that is kept in the current directory. What is shared with a group is shared with all who are in it.
    `remove GROUP` ends that for good; it is refused while a protected ref names the group.

    \b
    Example:
      aimdvc server group add vision -C /srv/aimd
      aimdvc server group join vision ada -C /srv/aimd
    """
    with administered(cli, database) as server:
        if action != "list":
            group = _given(group, "group", action)
        if action == "add":
            server.accounts.add_group(str(group))
        elif action == "remove":
            server.removals.remove_group(str(group), SYSTEM)
        elif action in ("join", "leave"):
            act = server.accounts.join if action == "join" else server.accounts.leave
            act(str(group), _given(user, "user", f"{action} {group}"))
        groups = server.accounts.list_groups()
        if group is not None and action != "remove":
            groups = [server.accounts.group(group)]
    lines = [f"{one.name}: {', '.join(one.members) or 'nobody'}" for one in groups]
    cli.out.result({"groups": groups}, lines if action == "list" else [])


@command("server key")
@click.argument("action", type=Action(["list", "add", "revoke"]), default="list")
@click.argument("subject", required=False, metavar="[USER|ID]")
@click.option("--scope", type=click.Choice(["read", "write", "admin"]), default="write", show_default=True)
@click.option("--name", default="", help="What the key is called in lists; else as its scope.")
@click.option("--folder", metavar="PATH", help="A folder or artifact outside of which the key sees nothing.")
@click.option(
    "--days", type=click.IntRange(1, _MOST_DAYS), metavar="N", help="How long it lives; else until it is revoked."
)
@database_option
def server_key_command(
    cli: Cli,
    action: str,
    subject: str | None,
    scope: str,
    name: str,
    folder: str | None,
    days: int | None,
    database: str | None,
) -> None:
    """List, make and revoke API keys

    Of the server that is kept in the current directory. `add USER` prints the new key, once: only its SHA-256 is kept.
    `list` shows of all keys, or a user's, what is known. `revoke ID` ends one at once; hrefs that it was given already
    live out their five minutes. A key passes on its user's rights as far as its scope goes: read, write, or admin,
    which also shares and administers.

    \b
    Example:
      aimdvc server key add ada --scope read --folder ada/scans --days 30 -C /srv/aimd
      aimdvc server key list ada -C /srv/aimd
    """
    with administered(cli, database) as server:
        if action == "list":
            _list_keys(cli, server, subject)
        elif action == "revoke":
            server.accounts.revoke_key(_given(subject, "id", action))
            cli.out.result({"keys": []}, [])
        else:
            user = server.accounts.user(_given(subject, "user", action))
            node = server.folders.id_of(SYSTEM, folder) if folder is not None else None
            expires_s = time.time() + days * _DAY_S if days is not None else None
            key = server.accounts.add_key(user.id, scope, name, node, expires_s)
            lines = [f"The key of {user.name}, shown this once: {key}"]
            cli.out.result({"key": key, "user": user.name, "scope": scope}, lines)


def _list_keys(cli: Cli, server: Administered, user: str | None) -> None:
    names = {one.id: one.name for one in server.accounts.list_users()}
    keys = server.accounts.list_keys(server.accounts.user(user).id if user is not None else None)
    told, lines = [], []
    now = time.time()
    for key in keys:
        folder = server.folders.path_of(SYSTEM, key.folder) if key.folder is not None else None
        told.append({**asdict(key), "user": names[key.user], "folder": folder})
        parts = [key.id, names[key.user], key.scope, key.name]
        parts.append(f"used {day(key.used_s)}" if key.used_s else "never used")
        if key.folder is not None:
            parts.append(f"in {folder}" if folder is not None else "in a folder that is gone")
        if key.revoked_s is not None:
            parts.append("revoked")
        elif key.expires_s is not None:
            parts.append("expired" if key.expires_s < now else f"until {day(key.expires_s)}")
        lines.append("  ".join(parts))
    cli.out.result({"keys": told}, lines)


def _given(value: str | None, what: str, action: str) -> str:
    if value is None:
        raise UsageError(f"no {what} was given", hint=f"say which after `{action}`")
    return value
