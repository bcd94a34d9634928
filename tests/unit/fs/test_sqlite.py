"""A transaction that can't be committed leaves the database as it was, and open to the next."""

import sqlite3
from pathlib import Path

import pytest

from aimdvc.errors import Busy
from aimdvc.fs.sqlite import connect, locked


def test_a_commit_that_a_reader_prevents_is_rolled_back(tmp_path: Path) -> None:
    """On network file systems there is a rollback journal, and whoever reads keeps writers from committing."""
    database = connect(tmp_path / "a.db")
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA busy_timeout = 10")
    database.execute("CREATE TABLE one (number INTEGER)")
    reader = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM one").fetchall()
    with pytest.raises(Busy), locked(database):
        database.execute("INSERT INTO one VALUES (1)")
    assert not database.in_transaction
    reader.close()
    with locked(database):
        database.execute("INSERT INTO one VALUES (2)")
    assert database.execute("SELECT number FROM one").fetchall() == [(2,)]
    database.close()
