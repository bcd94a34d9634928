"""Compares an artifact's files with its index, by stat first and by content where the stat can't tell."""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aimdvc.fs.faults import mapped
from aimdvc.fs.system import open_any
from aimdvc.model.entries import Mode, path_bytes, path_text
from aimdvc.ops.workspace import Workspace
from aimdvc.store.ignore import Ignore
from aimdvc.store.state import Head, Row, Stat
from aimdvc.store.walk import DiskStat, Walked, walk

CHUNK = 1 << 20


class Scan(NamedTuple):
    """What the walk found against the stat cache: `suspects` are tracked and may have changed."""

    suspects: dict[bytes, DiskStat]
    untracked: dict[bytes, DiskStat]
    deleted: list[bytes]
    walked: Walked


def scan(workspace: Workspace, head: Head, under: str = "", use_ignore: bool = True) -> Scan:
    """Returns how the files at or below `under` differ from the index by stat. Opens no file."""
    root = os.fsencode(workspace.artifact_root(head))
    raw_under = path_bytes(under or workspace.only_entry(head))
    keep = _Untracked(workspace, head, under) if use_ignore and not head.is_file else None
    walked = Walked()
    suspects: dict[bytes, DiskStat] = {}
    untracked: dict[bytes, DiskStat] = {}
    deleted: list[bytes] = []
    # Both come in the order of their paths, so neither is held: a million files are 100 MiB and 1 s less.
    rows = workspace.state.iter_stats(head, under)
    row = next(rows, None)
    with mapped(os.fsdecode(root)):
        for file in walk(root, raw_under, keep, walked, is_workspace=head.path == "."):
            if file == row:
                row = next(rows, None)
                continue
            while row is not None and row[0] < file[0]:
                deleted.append(row[0])
                row = next(rows, None)
            if row is None or row[0] != file[0]:
                untracked[file[0]] = file[1:]
            else:
                if row != file:
                    suspects[file[0]] = file[1:]
                row = next(rows, None)
    if row is not None:
        deleted.append(row[0])
        deleted += (row[0] for row in rows)
    # What lies where the index has an entry that is not checked out is that entry, changed or not.
    for path in list(workspace.state.parts.iter_absent(head.id, untracked)):
        suspects[path] = untracked.pop(path)
    return Scan(suspects, untracked, deleted, walked)


class _Untracked:
    """Applies the ignore rules to what is not in the index: what is tracked stays so, as in Git."""

    def __init__(self, workspace: Workspace, head: Head, under: str) -> None:
        self._ignore = Ignore(Path(workspace.artifact_root(head)))
        self._rows = partial(workspace.state.iter_stats, head, under)
        self._known: set[bytes] | None = None
        self._parents: set[bytes] = set()

    @property
    def has_rules(self) -> bool:
        return not self._ignore.is_empty

    def enter(self, directory: bytes) -> None:
        self._ignore.enter(path_text(directory))

    def drops(self, path: bytes, is_directory: bool) -> bool:
        if not self._ignore.matches(path_text(path), is_directory):
            return False
        tracked = self._tracked()
        return path not in (self._parents if is_directory else tracked)

    def _tracked(self) -> set[bytes]:
        """Returns what is tracked, read when a rule first matches something; with its directories aside."""
        if self._known is None:
            self._known = {row[0] for row in self._rows()}
            self._parents = {b""}
            for path in self._known:
                parent = path.rpartition(b"/")[0]
                while parent not in self._parents:
                    self._parents.add(parent)
                    parent = parent.rpartition(b"/")[0]
        return self._known


def changed_suspects(workspace: Workspace, head: Head, found: Scan) -> dict[bytes, DiskStat]:
    """Returns the suspects whose content or mode really differs, and refreshes the stat cache for the others.

    Reads every suspect whose size is the index's. A store that can't be written leaves the cache as it is.
    """
    if not found.suspects:
        return {}
    root = os.fsencode(workspace.artifact_root(head))
    changed: dict[bytes, DiskStat] = {}
    same: list[tuple[str, Stat]] = []
    for path, status in found.suspects.items():
        row = workspace.state.row(head, path_text(path))
        if row is not None and row.mode == status[0] and is_same_content(os.path.join(root, path), status, row):
            same.append((path_text(path), Stat(*status[1:])))
        else:
            changed[path] = status
    if same and os.access(workspace.state.path, os.W_OK):
        with workspace.state.transaction():
            workspace.state.refresh_stats(head, same, _now_ns(workspace))
    return changed


def _now_ns(workspace: Workspace) -> int:
    # The file system's clock, not ours: they differ by a tick, and on network file systems by seconds.
    return clock_ns(workspace.places.state)


def clock_ns(directory: Path) -> int:
    """Returns the time as the file system of a directory stamps it, in nanoseconds."""
    probe = directory / ".clock"
    with mapped(probe):
        probe.touch()
        return probe.stat().st_mtime_ns


def is_same_content(path: bytes, status: DiskStat, row: Row) -> bool:
    """Returns whether the file holds the bytes that the row stands for. Streams."""
    if row.mode == Mode.SYMLINK:
        return status[0] == Mode.SYMLINK and git_blob_id(os.readlink(path)) == row.git_id
    if status[0] == Mode.SYMLINK or (row.size != status[1] and (row.is_pointer or row.oid is not None)):
        return False
    with mapped(os.fsdecode(path)):
        try:
            descriptor = open_any(path)
        except FileNotFoundError:
            return False  # It went since it was seen.
        try:
            if row.is_pointer:
                return _digest(descriptor, hashlib.sha256()) == row.oid
            return _digest(descriptor, hashlib.sha1(b"blob %d\0" % status[1])) == row.git_id  # noqa: S324
        finally:
            os.close(descriptor)


def _digest(descriptor: int, digest: "hashlib._Hash") -> str:
    while chunk := os.read(descriptor, CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def git_blob_id(content: bytes) -> str:
    """Returns the name that Git gives a blob of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
