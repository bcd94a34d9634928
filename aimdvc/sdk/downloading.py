"""Brings an artifact's files to its directory, each under its key's own name; what is there and right stays.

The blobs lie in the store as everywhere; the directory holds copies that share their blocks where the file system can,
so whatever is done to a file there, the blob stays what it is.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from aimdvc.errors import MissingBlob
from aimdvc.fs.directories import Place
from aimdvc.fs.faults import mapped
from aimdvc.fs.system import open_any
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import Oid
from aimdvc.model.paths import check_entry_path
from aimdvc.model.progress import Progress
from aimdvc.model.references import Reference
from aimdvc.ops import reffetch
from aimdvc.ops.connect import Connection
from aimdvc.ops.reffetch import Wanted
from aimdvc.ops.sources import Sources, hash_file
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.session import Session
from aimdvc.sdk.objects import Source, iter_references, read_inline
from aimdvc.sdk.record import Record
from aimdvc.store.materialise import Job, materialise
from aimdvc.store.state import Stat, stat_of

_BATCH = 10_000
_CHUNK = 1 << 20


def directory_of(workspace: Workspace, record: Record) -> Path:
    """Returns an artifact's own directory, which may not be there yet."""
    return workspace.places.store / "artifacts" / record.id


def download(
    workspace: Workspace, record: Record, sources: Iterable[Source], connection: Connection | None, progress: Progress
) -> int:
    """Makes the artifact's directory hold the files, and returns how many were written.

    A file that is there stays when its size, its SHA-256 and, where it is known, its MD5 are right. Blobs that the
    store lacks come over the connection; without one MissingBlob is raised. Cut anywhere, the next run goes on.
    """
    written = 0
    pending = iter(sources)
    while batch := list(islice(pending, _BATCH)):
        wrong = list(_iter_wrong(workspace, record, batch, progress))
        _bring(workspace, [source for source, _ in wrong], connection, progress)
        _write(workspace, record, wrong, progress)
        written += len(wrong)
    return written


def fetch_references(workspace: Workspace, record: Record, session: Callable[[], Session], progress: Progress) -> None:
    """Brings what the http(s) references name to the artifact's directory, checked against what was recorded of it.

    One that is there and has the recorded hash stays. No key of ours is sent. Raises the first of what went wrong,
    after all were tried: ReferenceChanged, UnsafeUrl, RemoteError.
    """
    directory = directory_of(workspace, record)
    wanted = [
        Wanted(one, directory / check_entry_path(one.key), is_replacing=not _has_recorded(directory / one.key, one))
        for one in iter_references(workspace, record)
    ]
    sources = Sources(session)
    try:
        for failure in reffetch.fetch_references(workspace, wanted, sources, progress).failed:
            raise failure.error
    finally:
        sources.close()


def _has_recorded(path: Path, reference: Reference) -> bool:
    return reference.sha256 is not None and path.is_file() and hash_file(path)[1] == reference.sha256


def place(workspace: Workspace, record: Record, sources: Iterable[Source], progress: Progress) -> None:
    """Makes the directory hold those of the files whose bytes are on this machine; looks at sizes only."""
    wanted = []
    for source in sources:
        status = _lstat(directory_of(workspace, record) / check_entry_path(source.key))
        if status is None or (stat.S_ISREG(status.st_mode) and status.st_size != source.pointer.size):
            wanted.append((source, stat_of(status) if status is not None else None))
    missing = workspace.blobs.claim(source.pointer.oid for source, _ in wanted if not source.is_inline)
    here = [pair for pair in wanted if pair[0].is_inline or pair[0].pointer.oid not in missing]
    _write(workspace, record, here, progress)


def _iter_wrong(
    workspace: Workspace, record: Record, sources: list[Source], progress: Progress
) -> Iterator[tuple[Source, Stat | None]]:
    """Yields the files that are not there, or not right, with the stat of what is in their place."""
    known = workspace.blobs.catalog.checksums(source.pointer.oid for source in sources)
    progress.start(f"check {record.name}", sum(source.pointer.size for source in sources), "bytes")
    computed: dict[Oid, str] = {}
    for source in sources:
        path = directory_of(workspace, record) / check_entry_path(source.key)
        status = _lstat(path)
        if status is None:
            yield source, None
        elif source.mode != Mode.SYMLINK and not _is_right(path, source, known, computed, progress):
            yield source, stat_of(status)
    progress.finish()
    workspace.blobs.catalog.keep_checksums(computed)


def _is_right(path: Path, source: Source, known: dict[Oid, str], computed: dict[Oid, str], progress: Progress) -> bool:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    oid = source.pointer.oid
    with mapped(path):
        descriptor = open_any(path_bytes(str(path)))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size != source.pointer.size:
                return False
            while chunk := os.read(descriptor, _CHUNK):
                sha256.update(chunk)
                md5.update(chunk)
                progress.advance(len(chunk))
        finally:
            os.close(descriptor)
    if sha256.hexdigest() != oid or known.get(oid, md5.hexdigest()) != md5.hexdigest():
        return False
    if oid not in known and not source.is_inline:
        computed[oid] = md5.hexdigest()
    return True


def _bring(workspace: Workspace, sources: list[Source], connection: Connection | None, progress: Progress) -> None:
    pointers = {source.pointer.oid: source.pointer for source in sources if not source.is_inline}
    missing = workspace.blobs.claim(pointers)
    if missing and connection is None:
        raise MissingBlob(min(missing))
    if missing and connection is not None:
        with workspace.blobs.writer() as writer:
            connection.blobs.download([pointers[oid] for oid in sorted(missing)], writer, progress)


def _write(workspace: Workspace, record: Record, wanted: list[tuple[Source, Stat | None]], progress: Progress) -> None:
    if not wanted:
        return
    directory = directory_of(workspace, record)
    workspace.disk.make_directory(directory.parent)
    progress.start(f"write {record.name}", sum(source.pointer.size for source, _ in wanted), "bytes")
    jobs = (
        Job(
            source.key,
            source.mode,
            read_inline(workspace, record, source) if source.is_inline else source.pointer,
            seen,
        )
        for source, seen in wanted
    )
    link = workspace.local_settings.link
    target = Place(str(directory.parent), directory.name)
    materialise(
        target, jobs, workspace.blobs, workspace.disk, "copy" if link == "copy" else "reflink", progress.advance
    )
    progress.finish()


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
