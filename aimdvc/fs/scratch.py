"""A table on disk for what would not fit into memory: it lives as long as its `with`, and nothing of it is durable."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aimdvc.fs.disk import Disk
from aimdvc.fs.sqlite import mapped_sqlite

_CACHE_KIB = 8192


class Scratch:
    """An open scratch database. What its cache can't hold is written out, and nothing is ever committed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def run(self, statement: str, values: Sequence[object] = ()) -> Iterator[Any]:
        """Runs a statement, and yields its rows, which are read as they are asked for."""
        return self._database.execute(statement, values)

    def run_many(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs a statement for each of the rows."""
        self._database.executemany(statement, rows)


@contextmanager
def scratch_database(disk: Disk, directory: Path) -> Iterator[Scratch]:
    """Opens an empty database in a directory, for one thread; a killed process leaves a temporary file of it.

    Raises DiskFull and StorageError, also from within the `with`.
    """
    with disk.create_temp(directory) as temp:
        temp.close()
        with mapped_sqlite(temp.path):
            database = sqlite3.connect(temp.path, isolation_level=None)
            try:
                for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                    database.execute(f"PRAGMA {pragma}")
                database.execute("BEGIN")
                yield Scratch(database)
            finally:
                database.close()
