"""What the workspaces of a store need: read from every state.db that shares it, for maintenance.

Reads, and changes nothing: a state.db that can't be read is an error here, never a reason to begin an empty one. Any
value in any table that has the form of a name keeps what it names: oids as 32 bytes or 64 hex digits, git ids as 20
bytes or 40 hex digits. So a table that a later verb adds needs nothing here.
"""

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aimdvc.errors import StorageError, UnsupportedFormat
from aimdvc.fs.sqlite import connect, mapped_sqlite
from aimdvc.model.commits import REFLOG_S
from aimdvc.model.oid import GitId
from aimdvc.store.locate import Places
from aimdvc.store.state import FORMAT, origin_of_source

PATH_FILE = "path"
"""In a state directory: where its workspace lies, relative to the work tree."""

_GIT_ID = re.compile(r"[0-9a-f]{40}")
_OID = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class StateRoots:
    """What one workspace needs. `heads` have to be there; `git_ids` count where they are.

    `origins` are (artifact, remote, path below the remote's URL).
    """

    heads: set[tuple[str, GitId]] = field(default_factory=set)
    oids: set[bytes] = field(default_factory=set)
    git_ids: set[GitId] = field(default_factory=set)
    origins: set[tuple[str, str, str]] = field(default_factory=set)


def state_directories(places: Places) -> list[Path]:
    """Returns the state directories of every workspace that shares the store. Raises StorageError."""
    if places.git_common_dir is None:
        return [places.state]
    found = _subdirectories(places.git_common_dir / "aimdvc" / "workspaces")
    for worktree in _subdirectories(places.git_common_dir / "worktrees"):
        found += _subdirectories(worktree / "aimdvc" / "workspaces")
    return sorted(found)


def _subdirectories(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(str(directory), (error.strerror or str(error)).lower()) from error


def workspace_path(directory: Path) -> str | None:
    """Returns where a state's workspace lies, relative to the work tree, or None when that was not noted."""
    try:
        return (directory / PATH_FILE).read_text("utf-8", "surrogateescape").removesuffix("\n")
    except FileNotFoundError:
        return "." if directory.name == "root" else None


def branches_elsewhere(places: Places, name: str) -> dict[str, str]:
    """Returns the branches of an artifact that HEADs of other workspaces of the store are on, and where these lie.

    A directory is named by its work tree's `.git` and the path below. Raises as `read_roots`.
    """
    found = {}
    for directory in state_directories(places):
        path = directory / "state.db"
        if directory == places.state or not path.exists():
            continue
        database = connect(path)
        try:
            with mapped_sqlite(path):
                row = database.execute("SELECT branch FROM artifact WHERE name = ?", (name,)).fetchone()
        finally:
            database.close()
        if row is not None and row[0] is not None:
            found[row[0]] = str(_root_of(directory))
    return found


def _root_of(directory: Path) -> Path:
    """Returns where a state's workspace lies, as far as Git's own files tell."""
    git_dir = directory.parents[2]
    link = git_dir / "gitdir"
    # Git writes it relative to the directory it lies in, with `worktree.useRelativePaths`.
    dot_git = git_dir / link.read_text("utf-8", "surrogateescape").strip() if link.exists() else git_dir
    return Path(os.path.normpath(dot_git.parent / (workspace_path(directory) or ".")))


def read_roots(directory: Path, into: StateRoots) -> None:
    """Adds what a state.db names. Raises CorruptRepository, UnsupportedFormat, StorageError, Busy."""
    path = directory / "state.db"
    if not path.exists():
        return
    database = connect(path)
    try:
        with mapped_sqlite(path):
            found = database.execute("PRAGMA user_version").fetchone()[0]
            if found > FORMAT:
                raise UnsupportedFormat(str(path), found, FORMAT)
            # One view of all tables, whatever verbs do meanwhile.
            database.execute("BEGIN")
            for name, head, source in database.execute("SELECT name, head, source FROM artifact"):
                into.origins.add((name, *origin_of_source(name, source)))
                if head is not None:
                    into.heads.add((name, GitId(head)))
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                _read_table(database, table, into)
    finally:
        database.close()


def _read_table(database: sqlite3.Connection, table: str, into: StateRoots) -> None:
    quoted = table.replace('"', '""')
    # The index's git ids are those of entries: what HEAD has is walked, what is staged lies in the blob store.
    columns = "oid" if table == "entry" else "*"
    # What HEAD left long ago is no root any more, as in a branch's reflog.
    recent = f" WHERE time_s >= {int(time.time()) - REFLOG_S}" if table == "head_move" else ""
    for value in _values(database.execute(f'SELECT {columns} FROM "{quoted}"{recent}')):  # noqa: S608
        if isinstance(value, bytes):
            if len(value) == 32:
                into.oids.add(value)
            elif len(value) == 20:
                into.git_ids.add(GitId(value.hex()))
        elif isinstance(value, str):
            into.oids.update(bytes.fromhex(oid) for oid in _OID.findall(value))
            into.git_ids.update(GitId(git_id) for git_id in _GIT_ID.findall(value))


def _values(cursor: sqlite3.Cursor) -> Iterator[object]:
    for row in cursor:
        yield from row
