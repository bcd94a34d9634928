"""What an artifact holds, open or closed: its files and references, with sizes and checksums."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aimdvc.git.history import History
from aimdvc.model.entries import Entry
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.own import REFERENCES
from aimdvc.model.paths import check_entry_path
from aimdvc.model.pointer import Pointer
from aimdvc.model.references import Reference, parse_references
from aimdvc.ops.plan import is_hidden
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.record import Record
from aimdvc.store.checksums import md5_of, read_checksums

_EMPTY = Oid("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class ArtifactObject:
    """One object of an artifact: a file, or a reference, which has a `uri` and no bytes.

    `size` is in bytes. Of a reference `size` and `sha256` are what was recorded, 0 and None for nothing. `md5` is None
    where it was not asked for, or the bytes are not on this machine.
    """

    key: str
    size: int = 0
    sha256: str | None = None
    md5: str | None = None
    uri: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as `Artifact.objects` has it."""
        if self.uri is not None:
            return {"key": self.key, "uri": self.uri}
        return {"key": self.key, "size": self.size, "digest": self.md5 or "", "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes of a file come from: a blob, or small bytes that Git keeps. `pointer` names them in any case."""

    key: str
    mode: int
    pointer: Pointer
    git_id: GitId | None = None
    """The git object, of bytes that Git keeps."""

    @property
    def is_inline(self) -> bool:
        """Whether the bytes are in no blob: Git has them, or there are none."""
        return self.git_id is not None or self.pointer.size == 0


def iter_sources(workspace: Workspace, record: Record) -> Iterator[Source]:
    """Yields an artifact's files, in the order of their keys. Of a closed one the tree has to be here."""
    if record.commit is None:
        for one in workspace.state.records.iter_objects(record.id):
            if one.uri is None:
                yield Source(one.key, one.mode, Pointer(one.oid or _EMPTY, one.size))
        return
    history = workspace.history(record.repository)
    for entry in history.iter_entries(tree_of(history, record)):
        if not is_hidden(entry, lambda entry: history.read_blob(entry.git_id)):
            yield _source(history, entry)


def iter_references(workspace: Workspace, record: Record) -> Iterator[Reference]:
    """Yields an artifact's references, in the order of their keys."""
    if record.commit is None:
        for one in workspace.state.records.iter_objects(record.id):
            if one.uri is not None:
                yield Reference(one.key, one.uri, one.size if one.size >= 0 else None, None, one.oid)
        return
    history = workspace.history(record.repository)
    entry = history.entry(tree_of(history, record), REFERENCES)
    if entry is not None:
        yield from parse_references(history.read_blob(entry.git_id)).values()


def tree_of(history: History, record: Record) -> GitId:
    """Returns the tree of a closed artifact."""
    return history.commit(GitId(record.commit or "")).tree


def find_source(workspace: Workspace, record: Record, key: str) -> Source | None:
    """Returns a file of an artifact by its key, None where there is none."""
    if record.commit is None:
        one = workspace.state.records.find_object(record.id, key)
        return Source(key, one.mode, Pointer(one.oid or _EMPTY, one.size)) if one is not None and not one.uri else None
    history = workspace.history(record.repository)
    entry = history.entry(tree_of(history, record), key)
    if entry is None or is_hidden(entry, lambda entry: history.read_blob(entry.git_id)):
        return None
    return _source(history, entry)


def iter_objects(workspace: Workspace, record: Record, with_md5: bool) -> Iterator[ArtifactObject]:
    """Yields all that an artifact holds: its files, and then its references.

    With the MD5, every blob of which it isn't known yet is read, once: it is remembered.
    """
    pending = iter_sources(workspace, record)
    while batch := list(islice(pending, _BATCH)):
        wanted = [one.pointer for one in batch if with_md5 and not one.is_inline]
        checksums = read_checksums(workspace.blobs, wanted) if wanted else {}
        for one in batch:
            md5 = checksums.get(one.pointer.oid)
            if with_md5 and one.is_inline:
                md5 = md5_of(read_inline(workspace, record, one))
            yield ArtifactObject(one.key, one.pointer.size, one.pointer.oid, md5)
    for reference in iter_references(workspace, record):
        yield ArtifactObject(reference.key, reference.size or 0, reference.sha256, uri=reference.uri)


def read_inline(workspace: Workspace, record: Record, source: Source) -> bytes:
    """Returns the bytes of a file that Git keeps."""
    return workspace.history(record.repository).read_blob(source.git_id) if source.git_id is not None else b""


def _source(history: History, entry: Entry) -> Source:
    # Whoever lists an artifact may well write to the keys that it gets: none may lead elsewhere. Raises UnsafePath.
    check_entry_path(entry.path)
    if entry.pointer is not None:
        return Source(entry.path, entry.mode, entry.pointer)
    content = history.read_blob(entry.git_id)
    oid = Oid(hashlib.sha256(content).hexdigest())
    return Source(entry.path, entry.mode, Pointer(oid, len(content)), entry.git_id)
