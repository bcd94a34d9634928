"""The server's SQL: tables, schema version, connections. SQLite here; nothing in it is SQLite's alone but `_configure`.

Writing transactions begin with BEGIN IMMEDIATE, so a read inside one is never stale. A connection belongs to the
process that opened it: open a Database after forking, never before.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from aimdvc.errors import Busy, CorruptRepository, DiskFull, UnsupportedFormat
from aimdvc.fs.faults import mapped

SCHEMA_VERSION = 1

metadata = MetaData()

settings = Table("settings", metadata, Column("name", String(64), primary_key=True), Column("value", LargeBinary))

users = Table(
    "users",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("name_key", String(100), nullable=False, unique=True),
    Column("is_admin", Boolean, nullable=False),
    Column("created_s", Float, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("user", String(32), ForeignKey("users.id"), nullable=False),
    Column("may_write", Boolean, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("expires_s", Float),
    Column("revoked_s", Float),
)

# Roots, folders and artifacts in one table, so that one constraint keeps names unique among all of them.
nodes = Table(
    "nodes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("parent", String(32), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", String(400), nullable=False),
    Column("name_key", String(400), nullable=False),
    Column("owner", String(32), nullable=False),
    Column("created_s", Float, nullable=False),
    UniqueConstraint("parent", "name_key"),
)

refs = Table(
    "refs",
    metadata,
    Column("artifact", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("name", LargeBinary(1000), primary_key=True),
    Column("target", String(40), nullable=False),
    Column("peeled", String(40)),
    sqlite_with_rowid=False,
)

ref_history = Table(
    "ref_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("artifact", String(32), ForeignKey("nodes.id"), nullable=False, index=True),
    Column("name", LargeBinary(1000), nullable=False),
    Column("old", String(40)),
    Column("new", String(40)),
    Column("user", String(32), nullable=False),
    Column("time_s", Float, nullable=False),
    Column("reason", Text, nullable=False),
)

owned_blobs = Table(
    "owned_blobs",
    metadata,
    Column("artifact", String(32), ForeignKey("nodes.id"), primary_key=True),
    Column("oid", LargeBinary(32), primary_key=True),
    Column("size", Integer, nullable=False),
    sqlite_with_rowid=False,
)


class Database:
    """The open database of one process; its methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the database. Raises UnsupportedFormat when a later server wrote it."""
        self._path = path
        _keep_private(path)
        self._engine = create_engine(
            f"sqlite:///{path}", poolclass=QueuePool, pool_size=8, max_overflow=120, pool_timeout=60
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        with self.write() as connection:
            self._ensure_schema(connection)

    def _ensure_schema(self, connection: Connection) -> None:
        metadata.create_all(connection)
        found = connection.scalar(select(settings.c.value).where(settings.c.name == "schema"))
        if found is None:
            rows = [
                {"name": "schema", "value": b"%d" % SCHEMA_VERSION},
                {"name": "secret", "value": secrets.token_bytes(32)},
            ]
            connection.execute(insert(settings), rows)
        elif int(found) != SCHEMA_VERSION:
            raise UnsupportedFormat(str(self._path), found.decode("ascii", "replace"), SCHEMA_VERSION)

    def secret(self) -> bytes:
        """Returns the secret that signs hrefs, the same for all processes of this server."""
        with self.read() as connection:
            value = connection.scalar(select(settings.c.value).where(settings.c.name == "secret"))
        if value is None:
            raise CorruptRepository(str(self._path), "the signing secret is gone")
        return bytes(value)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing."""
        with self._mapped(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start; durable when the `with` ends, or nothing of it."""
        with self._mapped(), self._engine.connect() as connection:
            writing = connection.execution_options(aimdvc_write=True)
            with writing.begin():
                yield writing

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            reason = str(error.orig)
            if "locked" in reason or "busy" in reason:
                raise Busy("the server's database") from error
            if "full" in reason:
                raise DiskFull(self._path.name, "no space left") from error
            raise

    def close(self) -> None:
        """Closes all connections that no one uses."""
        self._engine.dispose()


def _keep_private(path: Path) -> None:
    """The signing secret is in the database: whoever reads it may read and write every blob."""
    with mapped(path):
        path.touch(mode=0o600)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            # SQLite gives them the database's mode, and removes them when the last process closes it.
            with suppress(FileNotFoundError):
                beside.chmod(0o600)


def _configure(connection: "object", record: ConnectionPoolEntry) -> None:
    # isolation_level None: SQLAlchemy's begin event says BEGIN, not the driver's guess about the first statement.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("aimdvc_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def now_s() -> float:
    """Returns the time as rows keep it, in seconds since the epoch."""
    return time.time()
