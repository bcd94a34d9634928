"""`aimdvc server folder`, `aimdvc server share` and `aimdvc server protect`."""

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import (
    SYSTEM,
    Removed,
    administered,
    database_option,
    opened_site,
    purge_now,
    removed_line,
)
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError


@command("server folder")
@click.argument(
    "action", type=Action(["list", "make", "move", "remove", "removed", "restore", "purge"]), default="list"
)
@click.argument("path", required=False)
@click.argument("to", required=False)
@click.option("--recursive", is_flag=True, help="Of `remove`: with all that lies below it.")
@click.option("--apply", "is_applied", is_flag=True, help="Of `purge`: do it; else only tell what would be done.")
@database_option
def server_folder_command(
    cli: Cli, action: str, path: str | None, to: str | None, database: str | None, **flags: bool
) -> None:
    """List, make, move and remove the folders of a server

    Of the server that is kept in the current directory. A PATH begins with a user's name, or with that of a shared
    root; `make NAME` makes such a root. `move PATH TO` gives a folder, or an artifact, the new path TO. There it has
    the rights of where it lies now: what it was shared with before has ended.

    `remove PATH` takes a folder, or an artifact, away; nothing of it is deleted. `removed` lists what was, and `restore
    PATH` puts it back, with all its rights, or `restore PATH TO` to another path. `aimdvc server gc` deletes it
    for good 30 days later, `purge PATH --apply` at once. Where several were removed from one path, an id stands for it.

    \b
    Example:
      aimdvc server folder make team -C /srv/aimd
      aimdvc server folder move ada/scans team/scans -C /srv/aimd
      aimdvc server folder remove team/scans -C /srv/aimd
      aimdvc server folder restore team/scans -C /srv/aimd
      aimdvc server folder remove team/scans -C /srv/aimd
      aimdvc server folder purge team/scans --apply -C /srv/aimd
    """
    if flags["is_applied"] and action != "purge":
        raise UsageError("--apply is for `aimdvc server folder purge`")
    if action == "purge" and path is not None:
        _purge(cli, path, flags["is_applied"], database)
        return
    with administered(cli, database) as server:
        folders = server.folders
        if action == "list":
            found = folders.children(SYSTEM, path or "")
            lines = [shown_path(one.path) + ("" if one.kind == "artifact" else "/") for one in found]
            cli.out.result({"nodes": [{"path": one.path, "kind": one.kind} for one in found]}, lines)
            return
        if action == "removed":
            _say_removed(cli, server.removals.read())
            return
        if path is None or (action == "move" and to is None):
            raise UsageError("no path was given", hint=f"run `aimdvc server folder {action} PATH`")
        if action == "move":
            made = folders.move(SYSTEM, path, str(to))
        elif action == "restore":
            made = server.removals.restore(SYSTEM, path, to)
        elif action == "remove":
            gone = server.removals.remove(SYSTEM, path, flags["recursive"])
            made = gone.path
            cli.out.note(
                f"Removed with {plural(gone.artifacts, 'artifact')}; until `aimdvc server gc` deletes it for good,"
                f" `aimdvc server folder restore {shown_path(made)}` puts it back."
            )
        elif "/" in path.strip("/"):
            made = folders.make(SYSTEM, path)
        else:
            made = path.strip("/")
            folders.make_root(made)
    cli.out.result({"path": made}, [shown_path(made)])


def _say_removed(cli: Cli, found: "list[Removed]") -> None:
    lines = [removed_line(one) + ("  is being deleted for good" if one.is_ending else "") for one in found]
    cli.out.result({"removed": found}, lines)


def _purge(cli: Cli, wanted: str, is_applied: bool, database: str | None) -> None:
    with opened_site(cli, database) as site:
        found = site.removals.find(wanted)
        if is_applied:
            purge_now(site.database, site.storage, found.id)
    lines = [f"{removed_line(found)}: {'' if is_applied else 'would be '}deleted for good"]
    lines += [] if is_applied else ["Nothing was changed: run it with --apply"]
    cli.out.result({"purged": found, "is_applied": is_applied}, lines)
    if is_applied:
        cli.out.note("Blobs that nothing else owns go with the next runs of `aimdvc server gc --apply`.")


@command("server share")
@click.argument("action", type=Action(["list", "add", "remove"]), default="list")
@click.argument("path", required=False)
@click.argument("subject", required=False, metavar="[user:NAME|group:NAME|everyone]")
@click.option("--edit", "may_edit", is_flag=True, help="To edit; else to view.")
@database_option
def server_share_command(
    cli: Cli, action: str, path: str | None, subject: str | None, may_edit: bool, database: str | None
) -> None:
    """Say with whom a folder or an artifact is shared

    Of the server that is kept in the current directory. What is shared is so with all that lies below. With everyone
    includes those without a key, who may view at most.

    \b
    Example:
      aimdvc server share add team/scans group:vision --edit -C /srv/aimd
      aimdvc server share list team/scans -C /srv/aimd
    """
    if path is None:
        raise UsageError("no path was given", hint=f"run `aimdvc server share {action} PATH`")
    with administered(cli, database) as server:
        if action != "list":
            kind, _, name = (subject or "").partition(":")
            if kind not in ("user", "group", "everyone") or bool(name) == (kind == "everyone"):
                raise UsageError(
                    f"'{subject or ''}' is nobody", hint="write user:NAME, group:NAME or everyone after the path"
                )
            may = ("edit" if may_edit else "view") if action == "add" else ""
            server.folders.share(SYSTEM, path, kind, name, may)
        found = server.folders.shares(SYSTEM, path)
    lines = [f"{one.kind}{':' + one.subject if one.subject else ''}  {one.may}" for one in found]
    cli.out.result({"path": path, "shares": found}, lines if action == "list" else [])


@command("server protect")
@click.argument("action", type=Action(["list", "add", "remove"]), default="list")
@click.argument("path", required=False)
@click.argument("pattern", required=False)
@click.argument("subject", required=False, metavar="[user:NAME|group:NAME|nobody|forward]")
@database_option
def server_protect_command(
    cli: Cli, action: str, path: str | None, pattern: str | None, subject: str | None, database: str | None
) -> None:
    """Say who alone may move which branches and aliases

    Of an artifact, or of all below a folder, of the server that is kept in the current directory. PATTERN is a ref, as
    `aliases/production` or `heads/main`; `*` stands for anything. Those that it matches are moved, made and deleted by
    whoever is named alone, be they owner or not; `nobody` closes them. With `forward` branches go forward only, and are
    not deleted.

    \b
    Example:
      aimdvc server protect add team/scans aliases/production user:ada -C /srv/aimd
      aimdvc server protect add team 'heads/*' forward -C /srv/aimd
    """
    if path is None or (action != "list" and pattern is None):
        raise UsageError(
            "no path or no pattern was given", hint=f"run `aimdvc server protect {action} PATH PATTERN WHO`"
        )
    with administered(cli, database) as server:
        if action != "list":
            kind, _, name = (subject or "").partition(":")
            if bool(name) != (kind in ("user", "group")):
                raise UsageError(f"'{subject or ''}' is nobody", hint="write user:NAME, group:NAME, nobody or forward")
            server.protections.protect(SYSTEM, path, str(pattern), kind, name, is_on=action == "add")
        rules = server.protections.rules(SYSTEM, path)
    told = [{"pattern": one.pattern, "kind": one.kind, "subject": one.subject} for one in rules]
    lines = [f"{one.pattern}  {one.kind}{':' + one.subject if one.subject else ''}" for one in rules]
    cli.out.result({"path": path, "protections": told}, lines if action == "list" else [])
