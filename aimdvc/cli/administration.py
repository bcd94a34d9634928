"""What the commands of `aimdvc server` work with: a server's database, on the machine itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import click

from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError

try:
    from aimdvc.server.accounts import Accounts
    from aimdvc.server.audit import Entry, Verified, read_audit, verify_audit
    from aimdvc.server.database import Database
    from aimdvc.server.guard import HttpError
    from aimdvc.server.protection import Protections
    from aimdvc.server.rights import SYSTEM
    from aimdvc.server.sharing import Folders
    from aimdvc.server.site import Location, Site, open_site
except ModuleNotFoundError as error:  # the extra `aimdvc[server]` is not installed
    missing: str | None = error.name
else:
    missing = None

__all__ = ["SYSTEM", "Administered", "administered", "database_option", "day"]

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
        self._database = database

    def audit(self) -> "Iterator[Entry]":
        """Yields the entries of the audit log."""
        after = 0
        while page := read_audit(self._database, after):
            yield from page
            after = page[-1].number

    def verify_audit(self) -> "Verified":
        """Reads the whole audit log. Raises CorruptRepository."""
        return verify_audit(self._database)


@contextmanager
def opened_site(cli: Cli, database: str | None) -> "Iterator[Site]":
    """Opens all that the server of the current directory keeps, its storage, too. Raises as `administered`."""
    location = _location(cli, database)
    site = open_site(location)
    try:
        yield site
    except HttpError as error:
        raise UsageError(error.message, hint=error.hint) from error
    finally:
        site.close()


@contextmanager
def administered(cli: Cli, database: str | None) -> Iterator[Administered]:
    """Opens the server of the current directory, or of a database. Raises UsageError where there is none."""
    location = _location(cli, database)
    opened = Database(location.database or location.directory / "server.db")
    try:
        yield Administered(opened)
    except HttpError as error:
        raise UsageError(error.message, hint=error.hint) from error
    finally:
        opened.close()


def _location(cli: Cli, database: str | None) -> "Location":
    if missing is not None:
        raise UsageError(f"the server needs '{missing}', not installed", hint="run `pip install 'aimdvc[server]'`")
    if database is None and not (cli.here / "server.db").exists():
        raise UsageError(
            f"no server is kept in '{cli.here}'", hint="say where with -C DIR, the directory that `aimdvc serve` serves"
        )
    return Location(cli.here, database)


def day(time_s: float | None) -> str:
    """Returns a time as a date in UTC, "" for none."""
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d %H:%M") if time_s is not None else ""
