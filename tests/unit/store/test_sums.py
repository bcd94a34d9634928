"""What is remembered of blobs is a help, and never in the way."""

import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from aimdvc.model.oid import Oid
from aimdvc.store.sums import Sums

OID = Oid(sha256(b"a blob").hexdigest())


def test_what_was_noted_is_known_to_all_processes_and_later(tmp_path: Path) -> None:
    one, other = Sums(tmp_path), Sums(tmp_path)
    assert one.find(OID) is None
    one.note(OID, b"first")
    one.note(OID, b"second")
    assert other.find(OID) == b"second"
    other.forget(OID)
    assert one.find(OID) is None
    one.note(OID, b"third")
    one.close()
    other.close()
    later = Sums(tmp_path)
    assert later.find(OID) == b"third"
    later.close()
    assert later.find(OID) is None


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sums.db").write_bytes(content)
    sums = Sums(tmp_path)
    sums.note(OID, b"sum")
    assert sums.find(OID) == b"sum"
    sums.close()


def test_it_goes_without_one_that_can_not_be_opened(tmp_path: Path) -> None:
    (tmp_path / "sums.db").mkdir()
    sums = Sums(tmp_path)
    sums.note(OID, b"sum")
    sums.forget(OID)
    assert sums.find(OID) is None
    sums.close()


def test_it_goes_without_one_of_a_later_format_and_leaves_it(tmp_path: Path) -> None:
    Sums(tmp_path).close()
    with sqlite3.connect(tmp_path / "sums.db") as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    sums = Sums(tmp_path)
    sums.note(OID, b"sum")
    assert sums.find(OID) is None
    sums.close()
    with sqlite3.connect(tmp_path / "sums.db") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (9,)
    database.close()


def test_one_that_is_damaged_or_locked_meanwhile_stops_nothing(tmp_path: Path) -> None:
    sums = Sums(tmp_path)
    sums.note(OID, b"sum")
    holder = sqlite3.connect(tmp_path / "sums.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    sums.note(OID, b"other")
    assert sums.find(OID) == b"sum"
    holder.execute("DROP TABLE sum")
    holder.execute("COMMIT")
    holder.close()
    assert sums.find(OID) is None
    sums.note(OID, b"sum")
    sums.close()
