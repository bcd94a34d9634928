"""The server's SQL: connections, transactions, schema version. SQLite in a file, or PostgreSQL.

A writing transaction waits, at its start, for those that write the same, so a read inside one is never stale. A
connection belongs to the process that opened it: open a Database after forking, never before.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from aimdvc.errors import Busy, CorruptRepository, UsageError
from aimdvc.server.engines import WRITES, StillHeld, open_backend
from aimdvc.server.migrate import ensure_schema
from aimdvc.server.schema import nodes, settings


class Database:
    """The open database of one process; its methods may be called from any thread."""

    def __init__(self, place: Path | str) -> None:
        """Opens or makes the database in a file, or at a `postgresql://…` URL, and brings its tables up to date.

        Raises UnsupportedFormat when a later server wrote it, UsageError for what is no database's URL.
        """
        self._backend = open_backend(place)
        try:
            with self.write("schema") as connection:
                ensure_schema(connection, self._backend.name)
        except BaseException:  # Whatever stopped it, an interrupt too, leaves no connection open.
            self.close()
            raise

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        return self._backend.name

    def secret(self) -> bytes:
        """Returns the secret that signs hrefs, the same for all processes of this server."""
        with self.read() as connection:
            value = connection.scalar(select(settings.c.value).where(settings.c.name == "secret"))
        if value is None:
            raise CorruptRepository(self.name, "the signing secret is gone")
        return bytes(value)

    def identity(self, connection: Connection) -> bytes:
        """Returns what tells this server, and its backups, from another; it stays when the secret is made anew."""
        value = connection.scalar(select(settings.c.value).where(settings.c.name == "identity"))
        if value is None:
            secret = connection.scalar(select(settings.c.value).where(settings.c.name == "secret"))
            return hashlib.sha256(b"identity\0" + bytes(secret or b"")).digest()
        return bytes(value)

    def storage_url(self, given: str | None) -> str | None:
        """Returns the URL of the storage that goes with this database: the one given, else that of the last start.

        Raises UsageError where artifacts are kept already, and elsewhere.
        """
        with self.write("settings") as connection:
            value = connection.scalar(select(settings.c.value).where(settings.c.name == "storage"))
            kept = bytes(value).decode() if value is not None else None
            if given is None or given == kept:
                return kept
            is_begun = connection.scalar(select(nodes.c.id).where(nodes.c.kind == "artifact").limit(1)) is not None
            if is_begun and (kept is None or given.partition("?")[0] != kept.partition("?")[0]):
                raise UsageError(
                    f"this server's blobs are kept in {f'{kept!r}' if kept else 'its directory'}",
                    hint="leave out --storage; to move them, run `aimdvc server backup`, then `restore`",
                )
            connection.execute(delete(settings).where(settings.c.name == "storage"))
            connection.execute(insert(settings), {"name": "storage", "value": given.encode()})
        return given

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing."""
        with self._mapped(), self._backend.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, what: str = "server") -> Iterator[Connection]:
        """A transaction that no other of the same `what` runs beside; durable when the `with` ends, or nothing of it.

        With SQLite none runs beside it at all.
        """
        with self._mapped(), self._backend.engine.connect() as connection:
            writing = connection.execution_options(**{WRITES: True})
            with writing.begin():
                self._backend.hold(writing, what)
                yield writing

    def hold(self, connection: Connection, what: str) -> None:
        """Makes a writing transaction wait for those that write `what`, too; in one order everywhere."""
        self._backend.hold(connection, what)

    @contextmanager
    def using_packs(self, artifact: str) -> Iterator[StillHeld]:
        """Keeps an artifact's git objects from being dropped while a push counts on them.

        To call what it gives right before something is changed: it raises StorageError where that no longer holds.
        """
        with self._mapped(), self._backend.lock(f"packs-{artifact}", True) as still_held:
            yield still_held

    @contextmanager
    def dropping_packs(self, artifact: str) -> Iterator[StillHeld]:
        """Keeps pushes to an artifact away; they wait. Raises Busy at once where one is running. See using_packs."""
        with self._mapped(), self._backend.lock(f"packs-{artifact}", False) as still_held:
            yield still_held

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            failure = self._backend.failure(error)
            if failure is None:
                raise
            raise failure from error
        except PoolTimeout as error:
            raise Busy("the server's database") from error

    def close(self) -> None:
        """Closes all connections that no one uses."""
        self._backend.engine.dispose()


def now_s() -> float:
    """Returns the time as rows keep it, in seconds since the epoch."""
    return time.time()
