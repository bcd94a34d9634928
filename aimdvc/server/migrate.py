"""The tables' versions: a new database gets today's tables, an older one is brought to them by Alembic's migrations.

All in one transaction: a migration that was cut has not happened. A database of a later server is refused.
"""

import secrets
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, inspect, select

from aimdvc.errors import UnsupportedFormat
from aimdvc.server.schema import metadata, settings

HEAD = "0015"
"""The revision of the tables in server/schema.py."""

_FIRST = "0001"

_revisions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table, https://alembic.sqlalchemy.org/en/latest/tutorial.html."""


def ensure_schema(connection: Connection, name: str) -> None:
    """Makes the tables what this server needs; called with no other such transaction beside it.

    Raises UnsupportedFormat when a later server wrote the database called `name`.
    """
    found = _revision(connection)
    if found == HEAD:
        return
    if found is None:
        metadata.create_all(connection)
        connection.execute(insert(settings), {"name": "secret", "value": secrets.token_bytes(32)})
        _note(connection)
        return
    config = configuration()
    config.attributes["connection"] = connection
    try:
        ScriptDirectory.from_config(config).get_revision(found)
    except CommandError as error:
        raise UnsupportedFormat(name, found, HEAD) from error
    if not inspect(connection).has_table(_revisions.name):
        command.stamp(config, found)
    command.upgrade(config, HEAD)
    _note(connection)


def configuration() -> Config:
    """Returns where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    """Returns the revision of what is there; None when nothing is."""
    there = inspect(connection)
    if there.has_table(_revisions.name):
        found = connection.scalar(select(_revisions.c.version_num))
        if found is not None:
            return str(found)
    if not there.has_table(settings.name):
        return None
    # Before there were migrations, a number stood in the settings.
    number = connection.scalar(select(settings.c.value).where(settings.c.name == "schema"))
    return _FIRST if number is None or number == b"1" else number.decode("ascii", "replace")


def _note(connection: Connection) -> None:
    """Notes the revision, also where servers look that know of no migrations: they refuse a number they don't know."""
    _revisions.create(connection, checkfirst=True)
    connection.execute(delete(_revisions))
    connection.execute(insert(_revisions), {"version_num": HEAD})
    connection.execute(delete(settings).where(settings.c.name == "schema"))
    connection.execute(insert(settings), {"name": "schema", "value": b"%d" % int(HEAD)})
