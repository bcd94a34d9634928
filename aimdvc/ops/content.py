"""The bytes of an entry, wherever they are: the blob store, Git, or the workspace's file. Streams."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from aimdvc.fs.faults import mapped
from aimdvc.fs.system import open_any
from aimdvc.model.entries import Entry, Mode, path_bytes
from aimdvc.model.oid import EMPTY_BLOB
from aimdvc.ops.scan import CHUNK
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """A file of the workspace that stands against an entry of a tree."""

    path: str
    mode: int
    size: int


Side = Entry | DiskEntry


def iter_content(workspace: Workspace, head: Head, side: Side) -> Iterator[bytes]:
    """Yields the bytes in chunks, hash-checked when they come from the store. Raises MissingBlob, CorruptBlob."""
    if isinstance(side, DiskEntry):
        yield from _iter_file(workspace, head, side)
    elif side.pointer is not None:
        yield from workspace.blobs.iter_chunks(side.pointer.oid)
    elif side.mode != Mode.GITLINK:
        yield read_inline(workspace, head, side)


def read_inline(workspace: Workspace, head: Head, entry: Entry) -> bytes:
    """Returns the bytes of what Git keeps as it is. What is only staged lies in the blob store until the commit.

    Of an empty file nothing lies anywhere until then.
    """
    if entry.git_id == EMPTY_BLOB:
        return b""
    row = workspace.state.row(head, entry.path)
    if row is not None and row.git_id == entry.git_id and row.oid is not None and row.is_staged:
        return workspace.blobs.read(row.oid)
    return workspace.history(head.name).read_blob(entry.git_id)


def read_content(workspace: Workspace, head: Head, side: Side, limit: int) -> bytes | None:
    """Returns the bytes, or None when there are more than `limit`."""
    parts = []
    total = 0
    for chunk in iter_content(workspace, head, side):
        parts.append(chunk)
        total += len(chunk)
        if total > limit:
            return None
    return b"".join(parts)


def content_size(workspace: Workspace, head: Head, side: Side) -> int:
    """Returns how many bytes the entry has."""
    if isinstance(side, DiskEntry):
        return side.size
    if side.pointer is not None:
        return side.pointer.size
    return 0 if side.mode == Mode.GITLINK else len(read_inline(workspace, head, side))


def _iter_file(workspace: Workspace, head: Head, side: DiskEntry) -> Iterator[bytes]:
    path = os.path.join(path_bytes(workspace.artifact_root(head)), path_bytes(side.path))
    if side.mode == Mode.SYMLINK:
        yield os.readlink(path)
        return
    with mapped(os.fsdecode(path)):
        descriptor = open_any(path)
        try:
            while chunk := os.read(descriptor, CHUNK):
                yield chunk
        finally:
            os.close(descriptor)
