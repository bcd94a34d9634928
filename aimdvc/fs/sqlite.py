"""SQLite as the project uses it: write-ahead log, synchronous=FULL, one immediate transaction a verb."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from aimdvc.errors import Busy, CorruptRepository, DiskFull, ReadOnlyStorage, StorageError, UnsupportedFormat
from aimdvc.fs.faults import has_no_inodes, is_full
from aimdvc.fs.probe import is_network_filesystem

BUSY_TIMEOUT_S = 60

# Primary result codes (sqlite.org/rescode.html); the module names them only from Python 3.11 on.
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 26
_CORRUPT_PHRASES = ("not a database", "malformed", "Could not decode", "no such")


def connect(path: Path) -> sqlite3.Connection:
    """Opens or makes a database; the connection may be used from one thread at a time.

    In a directory that can't be written it can be read. Raises CorruptRepository for a file that is no database,
    StorageError.
    """
    if path.exists() and not os.access(path.parent, os.W_OK):
        return _connect_to_read(path)
    with mapped_sqlite(path):
        try:
            return _opened(path, "NORMAL")
        except sqlite3.OperationalError:
            if not is_full(path):
                raise
            # A write-ahead log shares 32 KiB of memory through a file, for which there is no room. Alone it needs none,
            # so what is there can be read, and room be made.
            return _opened(path, "EXCLUSIVE")


def _opened(path: Path, locking: str) -> sqlite3.Connection:
    database = _connected(_uri(path))
    try:
        database.execute(f"PRAGMA locking_mode = {locking}")
        database.execute("PRAGMA user_version").fetchone()  # The first look meets what keeps it from being read.
        database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _connect_to_read(path: Path) -> sqlite3.Connection:
    with mapped_sqlite(path):
        return _connected(_uri_to_read(path))


def _connected(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _uri(path: Path) -> str:
    return f"file:{quote(os.fsencode(path))}"


def _uri_to_read(path: Path) -> str:
    """Names a database beside which no log can be made; a log that a crash left there is read, too."""
    log = path.with_name(f"{path.name}-wal")
    # Nobody writes where nobody can: without a log the file alone is all of it (sqlite.org/wal.html, read-only).
    mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    return f"{_uri(path)}?{mode}"


@contextmanager
def beside(path: Path, other: Path, name: str) -> Iterator[sqlite3.Connection]:
    """Opens a database with another one beside it as `name`, so that one statement reads both. Maps SQLite's errors."""
    with closing(connect(path)) as database, mapped_sqlite(other):
        uri = _uri(other) if os.access(other.parent, os.W_OK) else _uri_to_read(other)
        database.execute("ATTACH ? AS " + name, (uri,))  # The name is ours, a word.
        yield database


def is_alone(database: sqlite3.Connection) -> bool:
    """Returns whether the connection keeps the database to itself, as on a disk without a free byte."""
    return str(database.execute("PRAGMA locking_mode").fetchone()[0]) == "exclusive"


def open_database(path: Path, schema: str, version: int) -> sqlite3.Connection:
    """Opens or makes a database of our own, at the version that this aimdvc knows; a damaged one is set aside first.

    What is set aside is named `….damaged`. Raises UnsupportedFormat when a later aimdvc wrote it, StorageError.
    """
    try:
        return _prepared(path, schema, version)
    except CorruptRepository:
        set_database_aside(path)
        return _prepared(path, schema, version)


def set_database_aside(path: Path) -> None:
    """Renames a damaged database, which nobody has open any more, to `….damaged`."""
    path.replace(path.with_suffix(".damaged"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _prepared(path: Path, schema: str, version: int) -> sqlite3.Connection:
    database = connect(path)
    try:
        with mapped_sqlite(path):
            found = database.execute("PRAGMA user_version").fetchone()[0]
            if found > version:
                raise UnsupportedFormat(str(path), found, version)
            _choose_journal(database, path)
            if found < version:
                with locked(database):
                    for statement in schema.split(";"):
                        database.execute(statement)
                    database.execute(f"PRAGMA user_version = {version}")
    except BaseException:  # Whatever ends the opening, an interrupt too, leaves no open database behind.
        database.close()
        raise
    return database


def _choose_journal(database: sqlite3.Connection, path: Path) -> None:
    # WAL needs shared memory, which a network file system doesn't give (sqlite.org/wal.html).
    journal = "DELETE" if is_network_filesystem(path.parent) else "WAL"
    can_write = os.access(path.parent, os.W_OK)
    if can_write and database.execute("PRAGMA journal_mode").fetchone()[0].upper() != journal:
        database.execute(f"PRAGMA journal_mode = {journal}")


def faults_of(database: sqlite3.Connection) -> list[str]:
    """Returns what SQLite finds wrong with a database, in its own words; reads all of it."""
    try:
        rows = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)")]
    except sqlite3.DatabaseError as error:
        rows = [str(error)]
    return [" ".join(text.split()) for text in rows if text != "ok"]


def fold_log(path: Path) -> None:
    """Writes a database's log into the database itself and removes it, so that the one file is all of it."""
    database = connect(path)
    try:
        with mapped_sqlite(path):
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            database.execute("PRAGMA journal_mode = DELETE").fetchone()
    finally:
        database.close()


@contextmanager
def locked(database: sqlite3.Connection) -> Iterator[None]:
    """Holds the database for writing; commits durably at the end, rolls back on any exception. Maps SQLite's errors."""
    with mapped_sqlite(_name(database)):
        try:
            database.execute("BEGIN IMMEDIATE")
            yield
            # With a rollback journal a reader can keep it from committing: then the transaction is still open.
            database.execute("COMMIT")
        except BaseException:  # An interrupt, too, must not leave the database locked, nor half a change in it.
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


@contextmanager
def mapped_sqlite(path: Path) -> Iterator[None]:
    """Raises our errors for SQLite's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        text = str(error)
        if code in (_BUSY, _LOCKED) or "locked" in text:
            raise Busy(f"'{path}'") from error
        if code == _FULL or "disk is full" in text:
            raise DiskFull(str(path), "no space left") from error
        if code in (_READONLY, _CANTOPEN) or "readonly" in text:
            if has_no_inodes(path):
                raise DiskFull(str(path), "no inodes left") from error
            raise ReadOnlyStorage(str(path), text, hint="make it writable, then run it again") from error
        if code in (_CORRUPT, _NOTADB) or any(phrase in text for phrase in _CORRUPT_PHRASES):
            raise CorruptRepository(str(path), text) from error
        if code == _IOERR or "disk I/O" in text:
            if is_full(path):
                raise DiskFull(str(path), "no space left") from error
            raise StorageError(str(path), text) from error
        raise


def _name(database: sqlite3.Connection) -> Path:
    return Path(database.execute("PRAGMA database_list").fetchone()[2])
