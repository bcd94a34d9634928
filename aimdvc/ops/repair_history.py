"""Brings back git objects that are missing: from the index and the files, or from a remote's whole history."""

import os
import shutil
from collections.abc import Iterable, Sequence

from aimdvc.errors import AimdvcError, CorruptRepository, StorageError
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import temporary_name
from aimdvc.git.history import History
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import Pointer, encode_pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.connect import Connection
from aimdvc.ops.scan import git_blob_id
from aimdvc.ops.stage import INLINE_LIMIT
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place, Row

Brought = tuple[GitId, str]
"""A git object that is here again, and where it came from."""


def heal_objects(
    workspace: Workspace, head: Head, wanted: Iterable[GitId], connections: Sequence[Connection], progress: Progress
) -> tuple[list[Brought], list[str]]:
    """Brings back what is missing of an artifact's git objects; returns what came, and what kept a remote from it."""
    history = workspace.history(head.name)
    missing = [git_id for git_id in wanted if not _is_here(history, git_id)]
    brought: list[Brought] = []
    notes: list[str] = []
    if missing:
        _rebuild(workspace, head, history)
        brought += [(git_id, "made anew from the index and the files") for git_id in missing if history.has(git_id)]
    for connection in connections:
        missing = [git_id for git_id in missing if not _is_here(history, git_id)]
        if not missing:
            break
        try:
            _refetch(workspace, history, connection, progress)
        except StorageError:
            raise
        except AimdvcError as error:
            notes.append(f"{connection.url}: {error.message}")
            continue
        found = [git_id for git_id in missing if _is_here(history, git_id)]
        brought += [(git_id, f"fetched from {connection.url}") for git_id in found]
    return brought, notes


def _is_here(history: History, git_id: GitId) -> bool:
    try:
        history.read_object(git_id)
    except CorruptRepository:
        return False
    return True


def _rebuild(workspace: Workspace, head: Head, history: History) -> None:
    """Writes the objects that the index knows: pointers, the bytes of files that Git keeps, and the trees of HEAD."""
    with history.writer() as writer:
        edits = {}
        for row in workspace.state.rows(head):
            if row.git_id is not None and not history.has(row.git_id):
                content = _content(workspace, head, row)
                if content is not None and git_blob_id(content) == row.git_id:
                    writer.blob(content)
            if row.head_mode and row.head_id is not None:
                edits[row.path] = (row.head_mode, row.head_id)
        if edits:
            writer.tree(None, edits)
    history.close()


def _content(workspace: Workspace, head: Head, row: Row) -> bytes | None:
    if row.is_pointer and row.oid is not None:
        return encode_pointer(Pointer(row.oid, row.size))
    if row.oid is not None and workspace.blobs.is_whole(row.oid):
        return workspace.blobs.read(row.oid)
    path = os.path.join(path_bytes(workspace.artifact_root(head)), path_bytes(row.path))
    if row.place is not Place.DISK or not os.path.lexists(path):
        return None
    if row.mode == Mode.SYMLINK:
        return os.readlink(path) if os.path.islink(path) else None
    if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > INLINE_LIMIT:
        return None
    with mapped(os.fsdecode(path)), open(path, "rb") as file:
        return file.read()


def _refetch(workspace: Workspace, history: History, connection: Connection, progress: Progress) -> None:
    """Fetches all that a remote has, without counting on anything here, and takes its git packs over."""
    directory = workspace.blobs.layout.temporary / temporary_name("tmp-")
    packs = history.path / "objects" / "pack"
    workspace.disk.make_directory(packs)
    try:
        with History.create(directory, workspace.disk) as whole:
            refs = connection.transport.read_refs(for_push=False).refs
            connection.transport.fetch(whole, sorted(set(refs.values())), progress)
        # An index without its pack harms nothing; a pack is found by its name.
        for suffix in ("*.idx", "*.pack"):
            for path in sorted((directory / "objects" / "pack").glob(suffix)):
                workspace.disk.rename(path, packs / path.name)
        workspace.disk.sync_directory(packs)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    history.close()
