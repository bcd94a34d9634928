"""Copies all rows of one server's database into another's, SQLite or PostgreSQL, as one state and in one transaction.

What says where bytes lie belongs to a storage, and what is a server's own stays: none of that is copied.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from aimdvc.server.database import Database
from aimdvc.server.schema import metadata, settings

_OF_THE_STORAGE = frozenset({"stored_blobs", "trashed_blobs", "released_blobs", "git_packs"})
"""Where bytes lie, and what lies in the trash, which is not copied."""
_KEPT = ("secret", "identity", "gc_run")
"""The settings that go along: by the secret, hrefs that were given stay good; the runs of gc go on behind its marks."""
_PAGE = 1000


def copied_tables() -> list[Table]:
    """Returns the tables whose rows are copied, each after those that it refers to; not the settings."""
    return [table for table in metadata.sorted_tables if table.name not in _OF_THE_STORAGE and table is not settings]


def copy_rows(source: Database, target: Database, marks: Mapping[str, bytes]) -> None:
    """Makes the rows of `target` those of `source`, with some settings more. All of it, or nothing when it is cut."""
    with source.read() as reading, target.write("schema") as writing:
        storage = [table for table in metadata.sorted_tables if table.name in _OF_THE_STORAGE]
        for table in reversed(copied_tables()):
            for of_storage in storage:
                if table.name in {key.column.table.name for key in of_storage.foreign_keys}:
                    writing.execute(delete(of_storage))
            writing.execute(delete(table))
        for table in copied_tables():
            _copy_table(reading, writing, table)
            _number_on(writing, table)
        for name in _KEPT:
            value = reading.scalar(select(settings.c.value).where(settings.c.name == name))
            set_mark(writing, name, bytes(value) if value is not None else None)
        for name, value in marks.items():
            set_mark(writing, name, value)


def read_mark(connection: Connection, name: str) -> bytes | None:
    """Returns a setting of a server's own."""
    value = connection.scalar(select(settings.c.value).where(settings.c.name == name))
    return bytes(value) if value is not None else None


def set_mark(connection: Connection, name: str, value: bytes | None) -> None:
    """Sets a setting of a server's own; None removes it."""
    connection.execute(delete(settings).where(settings.c.name == name))
    if value is not None:
        connection.execute(insert(settings), {"name": name, "value": value})


def _copy_table(reading: Connection, writing: Connection, table: Table) -> None:
    # Streamed, a page at a time: a server owns millions of blobs.
    found = reading.execute(select(table).execution_options(yield_per=_PAGE))
    for page in found.mappings().partitions():
        writing.execute(insert(table), [dict(row) for row in page])


def _number_on(writing: Connection, table: Table) -> None:
    """PostgreSQL numbers rows by a counter that knows nothing of rows which came with their numbers."""
    column = table.autoincrement_column
    if writing.dialect.name != "postgresql" or column is None or column.autoincrement is not True:
        return
    last = writing.scalar(select(func.max(column)))
    if last is not None:
        writing.execute(
            text("SELECT setval(pg_get_serial_sequence(:name, :column), :last)"),
            {"name": table.name, "column": column.name, "last": last},
        )
