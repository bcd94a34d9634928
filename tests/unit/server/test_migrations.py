"""The database's tables: made anew, brought up to date, refused; on SQLite and on PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select

from aimdvc.errors import UnsupportedFormat
from aimdvc.server import migrate
from aimdvc.server.accounts import Accounts
from aimdvc.server.database import Database
from aimdvc.server.engines import WRITES, open_backend
from aimdvc.server.migrate import HEAD, configuration
from aimdvc.server.schema import metadata, nodes


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where an empty database is."""
    if request.param == "sqlite":
        return tmp_path / "server.db"
    url: str = request.getfixturevalue("postgres").database()
    return url


def within(place: Path | str, act: Callable[[Connection], None]) -> None:
    """Does something in one transaction."""
    backend = open_backend(place)
    with backend.engine.connect() as connection:
        writing = connection.execution_options(**{WRITES: True})
        with writing.begin():
            act(writing)
    backend.engine.dispose()


def upgrade(connection: Connection, revision: str) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def hexed(connection: Connection, raw: bytes) -> str:
    """Returns bytes as they are written in SQL."""
    return f"x'{raw.hex()}'" if connection.dialect.name == "sqlite" else f"'\\x{raw.hex()}'"


def make_old(place: Path | str, with_number: bool) -> None:
    """Makes the database of a server that knew no migrations, with a reader's and an administrator's key."""

    def act(connection: Connection) -> None:
        upgrade(connection, "0001")
        connection.exec_driver_sql("DROP TABLE alembic_version")
        if with_number:
            connection.exec_driver_sql(f"INSERT INTO settings VALUES ('schema', {hexed(connection, b'1')})")
        connection.exec_driver_sql(f"INSERT INTO settings VALUES ('secret', {hexed(connection, b'old secret')})")
        for user, is_admin in (("1", "true"), ("2", "false")):
            name = f"user{user}"
            connection.exec_driver_sql(f"INSERT INTO users VALUES ('{user}', '{name}', '{name}', {is_admin}, 1.5)")
            for key, may_write in (("a", "true"), ("b", "false")):
                key_hash = hexed(connection, (key * 31 + user).encode())
                values = f"{key_hash}, '{user}', {may_write}, {user}.5, NULL, NULL"
                connection.exec_driver_sql(f"INSERT INTO keys VALUES ({values})")

    within(place, act)


def test_migrations_and_the_tables_of_today_are_the_same(place: Path | str) -> None:
    within(place, lambda connection: upgrade(connection, "head"))

    def compare(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []

    within(place, compare)
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_the_tables_of_a_new_database_are_of_today(place: Path | str) -> None:
    database = Database(place)
    database.close()
    with_migrations: list[str] = []

    def look(connection: Connection) -> None:
        with_migrations.extend(inspect(connection).get_table_names())
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD

    within(place, look)
    assert set(with_migrations) == {*metadata.tables, "alembic_version"}


@pytest.mark.parametrize("with_number", [True, False])
def test_an_old_database_keeps_all_that_it_has(place: Path | str, with_number: bool) -> None:
    make_old(place, with_number)
    for _ in range(2):
        database = Database(place)
        assert database.secret() == b"old secret"
        accounts = Accounts(database)
        assert [(user.name, user.is_admin, user.is_disabled) for user in accounts.list_users()] == [
            ("user1", True, False),
            ("user2", False, False),
        ]
        assert {(key.user, key.scope) for key in accounts.list_keys()} == {
            ("1", "admin"),
            ("1", "read"),
            ("2", "write"),
            ("2", "read"),
        }
        assert len({key.id for key in accounts.list_keys()}) == 4
        database.close()


def test_what_was_owned_before_there_were_quotas_is_counted(place: Path | str) -> None:
    def act(connection: Connection) -> None:
        upgrade(connection, "0006")
        for node in "ab":
            values = f"'{node}', '', 'artifact', '{node}', '{node}', '', 1.5"
            connection.exec_driver_sql(f"INSERT INTO nodes VALUES ({values})")
        for oid in (b"1", b"2"):
            connection.exec_driver_sql(
                f"INSERT INTO owned_blobs VALUES ('a', {hexed(connection, oid * 32)}, 4000000000)"
            )

    within(place, act)
    database = Database(place)
    with database.read() as connection:
        found = {row.id: row.size for row in connection.execute(select(nodes.c.id, nodes.c.size))}
    assert found == {"a": 8_000_000_000, "b": 0}
    database.close()


def test_a_migration_that_was_cut_has_not_happened(place: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old(place, True)

    def fail(connection: Connection) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_note", fail)
        with pytest.raises(KeyboardInterrupt):
            Database(place)

    def look(connection: Connection) -> None:
        assert {column["name"] for column in inspect(connection).get_columns("keys")} >= {"may_write"}
        assert not inspect(connection).has_table("shares")
        assert not inspect(connection).has_table("alembic_version")

    within(place, look)
    database = Database(place)
    assert len(Accounts(database).list_keys()) == 4
    database.close()


@pytest.mark.parametrize("where", ["settings", "alembic_version"])
def test_the_database_of_a_later_server_is_refused(place: Path | str, where: str) -> None:
    Database(place).close()

    def age(connection: Connection) -> None:
        if where == "settings":
            connection.exec_driver_sql("DROP TABLE alembic_version")
            connection.exec_driver_sql(
                f"UPDATE settings SET value = {hexed(connection, b'9999')} WHERE name = 'schema'"
            )
        else:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    within(place, age)
    with pytest.raises(UnsupportedFormat, match="9999") as refused:
        Database(place)
    assert "password" not in refused.value.message
