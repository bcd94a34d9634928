"""What the commands of `aimdvc server` work with: a server's database, on the machine itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.fs.system import user_id
from aimdvc.model.sizes import size_text

try:
    from aimdvc.server.accounts import Accounts
    from aimdvc.server.audit import Entry, Verified, read_audit, verify_audit
    from aimdvc.server.database import Database
    from aimdvc.server.guard import HttpError
    from aimdvc.server.protection import Protections
    from aimdvc.server.purging import purge_now
    from aimdvc.server.quotas import Quotas
    from aimdvc.server.reindexing import reindex, reindex_versions
    from aimdvc.server.removal import Removals, Removed
    from aimdvc.server.rights import SYSTEM
    from aimdvc.server.secret import rotate_secret
    from aimdvc.server.sharing import Folders
    from aimdvc.server.site import Location, Site, open_site
except ModuleNotFoundError as error:  # the extra `aimdvc[server]` is not installed
    missing: str | None = error.name
else:
    missing = None

__all__ = [
    "SYSTEM",
    "Administered",
    "Removed",
    "administered",
    "database_option",
    "day",
    "purge_now",
    "reindex",
    "reindex_versions",
    "removed_line",
]

Function = Callable[..., Any]


def database_option(function: Function) -> Function:
    """Adds `--database`, as `serve` has it; it comes as `database`."""
    made: Function = click.option(
        "--database", metavar="URL", envvar="AIMDVC_DATABASE", help="The server's PostgreSQL; else SQLite in DIR."
    )(function)
    return made


class Administered:
    """A server's users and folders, to somebody who may read its database and so may everything."""

    def __init__(self, database: "Database") -> None:
        self.accounts = Accounts(database)
        self.folders = Folders(database)
        self.protections = Protections(database)
        self.quotas = Quotas(database)
        self.removals = Removals(database)
        self._database = database

    def audit(self) -> "Iterator[Entry]":
        """Yields the entries of the audit log."""
        after = 0
        while page := read_audit(self._database, after):
            yield from page
            after = page[-1].number

    def rotate_secret(self) -> None:
        """Makes anew the secret that signs hrefs."""
        rotate_secret(self._database, SYSTEM)

    def verify_audit(self) -> "Verified":
        """Reads the whole audit log. Raises CorruptRepository."""
        return verify_audit(self._database)


@contextmanager
def opened_site(cli: Cli, database: str | None) -> "Iterator[Site]":
    """Opens all that the server of the current directory keeps, its storage, too. Raises as `administered`."""
    with _opened(_location(cli.here, database)) as site:
        yield site


@contextmanager
def source_site(cli: Cli, directory: str) -> "Iterator[Site]":
    """Opens a backup, or any server that keeps all in one directory. Raises as `administered`."""
    with _opened(_location(cli.here / directory, None)) as site:
        yield site


@contextmanager
def new_site(cli: Cli, database: str | None, storage: str | None) -> "Iterator[Site]":
    """Opens the server of the current directory, made where there is none. Raises UsageError."""
    _check_installed()
    with _opened(Location(cli.here, database, storage)) as site:
        yield site


@contextmanager
def _opened(location: "Location") -> "Iterator[Site]":
    site = open_site(location)
    try:
        with _refusals():
            yield site
    finally:
        site.close()


@contextmanager
def _refusals() -> Iterator[None]:
    """Says what a server declines as the command line does."""
    try:
        yield
    except HttpError as error:
        raise UsageError(error.message, hint=error.hint) from error
    except UnicodeEncodeError as error:  # bytes of the command line that are no text: no database could hold them
        raise UsageError(f"'{error.object[:100]}' is not UTF-8, as names on a server are") from error


@contextmanager
def administered(cli: Cli, database: str | None) -> Iterator[Administered]:
    """Opens the server of the current directory, or of a database. Raises UsageError where there is none."""
    location = _location(cli.here, database)
    opened = Database(location.database or location.directory / "server.db")
    try:
        with _refusals():
            yield Administered(opened)
    finally:
        opened.close()


def _location(directory: Path, database: str | None) -> "Location":
    _check_installed()
    if database is None and not (directory / "server.db").exists():
        raise UsageError(
            f"no server is kept in '{directory}'",
            hint="say where with -C DIR, the directory that `aimdvc serve` serves",
        )
    _check_user(directory)
    return Location(directory, database)


def _check_user(directory: Path) -> None:
    """Raises UsageError for root where the server runs as somebody else, who could not write what root makes."""
    for name in ("server.db", "store.db", "copies"):
        path = directory / name
        if user_id() == 0 and path.exists() and (owner := path.stat().st_uid) != 0:
            raise UsageError(
                f"the server in '{directory}' runs as user {owner}, who could not write what root makes there",
                hint=f"run it as that user: `sudo -u '#{owner}' aimdvc server …`",
            )


def _check_installed() -> None:
    if missing is not None:
        raise UsageError(f"the server needs '{missing}', not installed", hint="run `pip install 'aimdvc[server]'`")


def day(time_s: float | None) -> str:
    """Returns a time as a date in UTC, "" for none."""
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d %H:%M") if time_s is not None else ""


def removed_line(one: "Removed") -> str:
    """Returns what people are told of something that was removed, without the end of the line."""
    who = f"  by {one.user}" if one.user else ""
    what = f"{plural(one.artifacts, 'artifact')}  {size_text(one.size)}"
    return f"{day(one.removed_s)}  {shown_path(one.path)}  {what}{who}  {one.id}"
