"""The databases under server/database.py: how each is opened, how its writers wait for each other, how it fails.

SQLite has one writer at a time, by BEGIN IMMEDIATE. PostgreSQL has many; those that would decide on the same rows name
what they write, and an advisory lock of that name, held until the transaction ends, makes them wait.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from aimdvc.errors import AimdvcError, Busy, CorruptRepository, DiskFull, StorageError, UsageError
from aimdvc.fs.faults import is_full, mapped
from aimdvc.fs.locks import exclusive

WRITES = "aimdvc_write"
"""The execution option of a connection that writes."""

_POOL = 8
_OVERFLOW = 120
_WAIT_S = 60
_PATIENCE_MS = 30_000
_SESSION = {
    "application_name": "aimdvc",
    "lock_timeout": str(_PATIENCE_MS),
    "idle_in_transaction_session_timeout": "120000",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
_UNUSABLE = ("disk I/O error", "unable to open database file", "readonly database", "out of memory")
"""What SQLite says of a disk, or a machine, that fails it: https://www.sqlite.org/rescode.html."""

_POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+psycopg"})


StillHeld = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of database, open: `hold` makes writers of the same name wait, `failure` says what an error means.

    `lock(name, is_shared)` is a lock between all processes of the server, for longer than a transaction; whoever wants
    it alone does not wait for those that share it. It gives what raises StorageError once the lock is lost.

    `name` may be shown: it has no password. `failure` is None for what is a fault of ours.
    """

    name: str
    engine: Engine
    hold: Callable[[Connection, str], None]
    lock: Callable[[str, bool], AbstractContextManager[StillHeld]]
    failure: Callable[[DBAPIError], AimdvcError | None]


def open_backend(place: Path | str) -> Backend:
    """Returns the database in a file, or at a `postgresql://…` URL. Connects to nothing yet. Raises UsageError."""
    return _sqlite(place) if isinstance(place, Path) else _postgresql(place)


def _sqlite(path: Path) -> Backend:
    _keep_private(path)
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=_POOL,
        max_overflow=_OVERFLOW,
        pool_timeout=_WAIT_S,
        # An error that is logged tells the statement, and nothing that was to be kept.
        hide_parameters=True,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)

    def failure(error: DBAPIError) -> AimdvcError | None:
        reason = str(error.orig)
        if "locked" in reason or "busy" in reason:
            return Busy("the server's database")
        if "full" in reason:
            return DiskFull(path.name, "no space left")
        if "not a database" in reason or "malformed" in reason:
            return CorruptRepository(str(path), "is no database, or is damaged")
        if any(word in reason for word in _UNUSABLE):
            # Of a full disk it says no more than that, at times.
            return DiskFull(path.name, "no space left") if is_full(path) else StorageError(path.name, reason)
        return None

    # BEGIN IMMEDIATE is the lock.
    return Backend(str(path), engine, lambda connection, what: None, lambda *which: _file_lock(path, *which), failure)


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
    for pragma in (f"busy_timeout={_PATIENCE_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(text_url: str) -> Backend:
    url = _checked(text_url)
    try:
        engine = create_engine(
            url,
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=_WAIT_S,
            # A connection that a restart of the database ended is replaced before it is used.
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "connect_timeout": 10,
                "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
            },
        )
    except ModuleNotFoundError as error:
        raise UsageError(
            f"PostgreSQL needs '{error.name}', not installed", hint="run `pip install 'aimdvc[postgresql]'`"
        ) from error
    event.listen(engine, "begin", _isolate)
    name = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    return Backend(
        name,
        engine,
        _hold,
        lambda *which: _advisory_lock(engine, *which),
        lambda error: _postgresql_failure(name, error),
    )


def _checked(text_url: str) -> URL:
    try:
        url = make_url(text_url)
    except ArgumentError as error:
        # The text may hold a password: it is not repeated.
        raise UsageError("the database is no URL", hint="write postgresql://USER:PASSWORD@HOST/NAME") from error
    if url.drivername not in _POSTGRESQL:
        raise UsageError(
            f"a database of the kind '{url.drivername}' is not known", hint="write postgresql://USER:PASSWORD@HOST/NAME"
        )
    return url.set(drivername="postgresql+psycopg")


def _isolate(connection: Connection) -> None:
    # A reader sees one state. A writer sees what those had written that it waited for, so each statement looks anew.
    if not connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _hold(connection: Connection, what: str) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))"), {"what": what})


@contextmanager
def _file_lock(path: Path, what: str, is_shared: bool) -> Iterator[StillHeld]:
    directory = path.parent / "locks"
    with mapped(directory):
        directory.mkdir(mode=0o700, exist_ok=True)
    with exclusive(directory / f"{what}.lock", "the server's maintenance", _WAIT_S if is_shared else 0, is_shared):
        yield lambda: None


_SESSION_ID = text("SELECT pg_backend_pid()")


@contextmanager
def _advisory_lock(engine: Engine, what: str, is_shared: bool) -> Iterator[StillHeld]:
    """Holds a lock of a session. When that ends, however it does, so does the lock: ask before anything is changed."""
    key = f"hashtextextended('lock {what}', 0)"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", **{WRITES: True}) as session:
        if is_shared:
            session.execute(text(f"SELECT pg_advisory_lock_shared({key})"))
        elif not session.scalar(text(f"SELECT pg_try_advisory_lock({key})")):
            raise Busy("the server's maintenance")
        mine = session.scalar(_SESSION_ID)

        def check() -> None:
            if session.scalar(_SESSION_ID) != mine:
                raise StorageError("the server's maintenance", "its lock was lost")

        try:
            yield check
        finally:
            # Gone with its session where that broke.
            with suppress(SQLAlchemyError):
                session.execute(text(f"SELECT pg_advisory_unlock{'_shared' if is_shared else ''}({key})"))


_REFUSED = re.compile("FATAL: +([^\n]{1,200})")
"""What PostgreSQL itself says of a connection that it declines: no such database or user, a wrong password."""


def _postgresql_failure(name: str, error: DBAPIError) -> AimdvcError | None:
    state = str(getattr(error.orig, "sqlstate", None) or "")
    # https://www.postgresql.org/docs/15/errcodes-appendix.html
    if state == "53100":
        return DiskFull(name, "no space left")
    if state in ("40001", "40P01", "55P03", "53300", "57014"):
        return Busy("the server's database")
    is_cut = error.connection_invalidated or (isinstance(error, (InterfaceError, OperationalError)) and not state)
    if is_cut or state[:2] in ("08", "53", "57", "58"):
        refused = _REFUSED.search(str(error.orig))
        return StorageError(name, f"the database refuses: {refused[1]}" if refused else "the database does not answer")
    return None
