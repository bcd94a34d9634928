"""`aimdvc server backup` and `restore`: copies of a whole server. A backup is a server's directory: it can be served.

First the rows as they stand at one moment, into a new database beside the last; then the git packs and blobs that these
name; then the new database takes its name. Blobs come before the refs that lead to them, so what was pushed meanwhile
harms nothing. A backup that was cut leaves the last as it was, and is finished by running it again.
"""

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from aimdvc.errors import UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import temporary_name
from aimdvc.fs.locks import exclusive
from aimdvc.fs.sqlite import fold_log
from aimdvc.model.progress import Progress
from aimdvc.server.bytecopy import Copied, copy_bytes
from aimdvc.server.database import Database, now_s
from aimdvc.server.rowcopy import copy_rows, read_mark, set_mark
from aimdvc.server.schema import audit, nodes, ref_history, users
from aimdvc.server.storage import LocalStorage, Storage

_LOCK = "backup.lock"
_SNAPSHOT = "snapshot"
_RESTORING = "restoring"
_TEMPORARY = "backup-"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a server keeps, open: its database and its storage."""

    database: Database
    storage: Storage


def backup(source: Kept, directory: Path, disk: Disk, progress: Progress) -> Copied:
    """Brings the backup in a directory to what the server has now; what it has already is not copied again.

    Safe while the server runs and to repeat. Blobs and packs that are damaged are told in the result, and lacking in
    the backup. Raises UsageError where something else is kept there, Busy where another backup runs.
    """
    _prepare(directory, disk)
    with exclusive(directory / _LOCK, f"the backup in '{directory}'", 0):
        # Nobody else writes one while the lock is held.
        for left in directory.glob(f"{_TEMPORARY}*"):
            left.unlink()
        final = directory / "server.db"
        if final.exists():
            _check_same(source.database, final)
        path = directory / temporary_name(_TEMPORARY)
        try:
            # gc and backups wait for each other: what the rows name has to stay until it is copied.
            with source.database.using_packs("gc") as still_held:
                done = _filled(source, path, disk, progress)
                still_held()
            if final.exists():
                # A log that a reader left beside the last database would be taken for the new one's.
                fold_log(final)
            disk.rename(path, final)
            disk.sync_directory(directory)
        finally:
            for beside in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                beside.unlink(missing_ok=True)
        _drop_stale(directory, done, disk)
    return done


def restore(source: Kept, target: Kept, progress: Progress) -> Copied:
    """Makes a new server what a backup holds. Cut, it is finished by running it again; it can't be served before.

    Raises UsageError for a server that has artifacts, or users beside its first administrator.
    """
    with source.database.read() as connection:
        found = read_mark(connection, _SNAPSHOT)
    # What no backup made may change while it is read, so what was begun of it is never gone on with.
    wanted = found if found is not None else uuid.uuid4().bytes
    with target.database.read() as connection:
        begun = read_mark(connection, _RESTORING)
        if begun is None:
            _refuse_used(connection, target.database.name)
    if begun != wanted:
        copy_rows(source.database, target.database, {_RESTORING: wanted})
    done = copy_bytes(target.database, source.storage, target.storage, progress)
    with target.database.write("schema") as connection:
        set_mark(connection, _RESTORING, None)
    return done


def restore_lost(source: Kept, target: Kept, progress: Progress) -> Copied:
    """Brings a server in use the blobs that it has lost and a backup has. What both lack is told in the result."""
    return copy_bytes(target.database, source.storage, target.storage, progress, with_packs=False)


def check_restored(database: Database) -> None:
    """Raises UsageError for what a restore that was cut left: it names what is not there yet."""
    with database.read() as connection:
        if read_mark(connection, _RESTORING) is not None:
            raise UsageError(
                f"'{database.name}' is restored in part", hint="run the `aimdvc server restore` that was cut again"
            )


def _prepare(directory: Path, disk: Disk) -> None:
    with mapped(directory):
        names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    if names - {"lost+found"} and _LOCK not in names:
        raise UsageError(
            f"'{directory}' is no backup, and not empty", hint="give a directory of its own, or one that isn't there"
        )
    disk.make_directory(directory)
    with mapped(directory):
        directory.chmod(0o700)


def _filled(source: Kept, path: Path, disk: Disk, progress: Progress) -> Copied:
    """Makes the new database, whole and in one file, and brings here what it names."""
    database = Database(path)
    try:
        storage = LocalStorage(path.parent, disk)
        try:
            copy_rows(source.database, database, {})
            with database.write("schema") as connection:
                set_mark(connection, _SNAPSHOT, _snapshot(connection))
            done = copy_bytes(database, source.storage, storage, progress)
        finally:
            storage.close()
    finally:
        database.close()
    fold_log(path)
    return done


def _check_same(source: Database, final: Path) -> None:
    """Raises UsageError where a directory holds something else than an earlier backup of this server."""
    with suppress(OSError):
        if Path(source.name).samefile(final):
            raise UsageError(f"'{final.parent}' is the server itself", hint="give another directory")
    last = Database(final)
    try:
        with last.read() as connection:
            found = read_mark(connection, _SNAPSHOT)
            numbers = _last_numbers(connection)
            identity = last.identity(connection)
        with source.read() as connection:
            is_same = source.identity(connection) == identity
        if not is_same:
            raise UsageError(f"'{final.parent}' is the backup of another server", hint="give another directory")
        if found is None or json.loads(found)["last"] != numbers:
            raise UsageError(
                f"'{final.parent}' was changed since it was backed up into, as by serving it",
                hint="give another directory, or delete this one if nobody needs what was pushed there",
            )
    finally:
        last.close()


def _snapshot(connection: Connection) -> bytes:
    """Returns what tells one backup from every other, and whether anything happened to it since."""
    value = {"id": uuid.uuid4().hex, "taken_s": now_s(), "last": _last_numbers(connection)}
    return json.dumps(value).encode()


def _last_numbers(connection: Connection) -> list[int]:
    return [int(connection.scalar(select(func.max(of))) or 0) for of in (ref_history.c.id, audit.c.number)]


def _drop_stale(directory: Path, done: Copied, disk: Disk) -> None:
    """Deletes the packs that the server has joined into others since the last backup."""
    if not done.stale:
        return
    storage = LocalStorage(directory, disk)
    try:
        for artifact, name in done.stale:
            with storage.repository(artifact) as repository:
                repository.drop(name)
    finally:
        storage.close()


def _refuse_used(connection: Connection, name: str) -> None:
    artifacts = connection.scalar(select(func.count()).where(nodes.c.kind == "artifact")) or 0
    known = connection.scalar(select(func.count()).select_from(users)) or 0
    if artifacts or known > 1:
        raise UsageError(
            f"the server in '{name}' is not empty: artifacts {artifacts}, users {known}",
            hint="restore into an empty directory, or an empty database",
        )
