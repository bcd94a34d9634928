"""`ref fetch`: what references name, as files. Each appears whole or not at all; one that was cut is gone on with.

What arrived lies in the store until it is whole, under the URI and the server's tag for it. Only what still has that
tag, a strong one, is gone on with: If-Range, RFC 9110 section 13.1.5.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import ReferenceChanged, RemoteRefused, UnsafeUrl, UsageError
from aimdvc.fs.disk import current_umask
from aimdvc.model.progress import Progress
from aimdvc.model.references import Reference, can_read, scheme_of
from aimdvc.ops.bulk import Bulk, each
from aimdvc.ops.sources import Found, Opened, Sources, drift, hash_file
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.urls import shown
from aimdvc.store.partial import PartialFile

_TAG = re.compile(r'"[\x21\x23-\x7e]{1,60}"')
"""A strong entity tag that fits into a file's name as hex digits."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reference and the file that it goes to; what is there already is replaced only when `is_replacing`."""

    reference: Reference
    target: Path
    is_replacing: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reference's bytes, brought to a file: their size in bytes and their hash. `resumed` bytes were here before."""

    reference: Reference
    path: str
    size: int
    sha256: str
    resumed: int = 0


def fetch_references(
    workspace: Workspace, wanted: Sequence[Wanted], sources: Sources, progress: Progress
) -> Bulk[Fetched]:
    """Writes what references name to files; a file that has the recorded hash already is kept.

    Fails with ReferenceChanged for what isn't what was recorded, UsageError for a file in the way, UnsafeUrl,
    RemoteError, StorageError; one that fails doesn't keep the others from being brought.
    """
    by_key = {one.reference.key: one for one in wanted}
    return each(by_key, lambda key: _fetch(workspace, by_key[key], sources, progress))


def _fetch(workspace: Workspace, wanted: Wanted, sources: Sources, progress: Progress) -> Fetched:
    reference, target = wanted.reference, wanted.target
    if not can_read(reference.uri):
        raise UnsafeUrl(
            shown(reference.uri), f"'{scheme_of(reference.uri)}' is not read by aimdvc", hint="use its own program"
        )
    if os.path.lexists(target) and not wanted.is_replacing:
        return _kept(reference, target)
    begun = _begun(workspace, reference.uri)
    opened = sources.read(reference.uri, *begun) if begun is not None else sources.read(reference.uri)
    if opened is None:
        raise ReferenceChanged(reference.key, "nothing is there any more")
    partials, name = workspace.blobs.layout.partial, _name(reference.uri, opened.found.etag)
    if begun is not None and name != _name(reference.uri, begun[1]):
        PartialFile(partials, workspace.disk, _name(reference.uri, begun[1])).discard()
    partial = PartialFile(partials, workspace.disk, name)
    try:
        return _receive(partial, wanted, opened, progress)
    except ReferenceChanged:
        partial.discard()
        raise
    finally:
        if _TAG.fullmatch(opened.found.etag or "") is None:
            partial.discard()  # Nothing tells later whether the rest would be of the same bytes.
        partial.close()


def _kept(reference: Reference, target: Path) -> Fetched:
    if reference.sha256 is not None and target.is_file():
        size, sha256 = hash_file(target)
        if sha256 == reference.sha256:
            return Fetched(reference, str(target), size, sha256, size)
    raise UsageError(f"'{target}' is there already", hint="move it away, or say where it goes with --out PATH")


def _receive(partial: PartialFile, wanted: Wanted, opened: Opened, progress: Progress) -> Fetched:
    reference, found = wanted.reference, opened.found
    if partial.size_bytes != opened.start:
        partial.restart()
    resumed = partial.size_bytes
    if resumed != opened.start:
        raise RemoteRefused(shown(reference.uri), "what was begun is gone", hint="run it again")
    progress.start(reference.key, found.size, "bytes")
    progress.advance(resumed)
    for chunk in opened.chunks:
        partial.append(chunk)
        if reference.size is not None and partial.size_bytes > reference.size:
            raise ReferenceChanged(reference.key, f"it has more than the recorded {reference.size} bytes")
        progress.advance(len(chunk))
    size, sha256 = partial.size_bytes, partial.sha256
    if found.size is not None and size != found.size:
        raise RemoteRefused(shown(reference.uri), f"{size} bytes came, {found.size} were announced")
    differing = drift(reference, Found(size, found.etag), sha256)
    if differing:
        raise ReferenceChanged(reference.key, differing)
    partial.publish(wanted.target, 0o666 & ~current_umask())
    progress.finish()
    return Fetched(reference, str(wanted.target), size, sha256, resumed)


def _begun(workspace: Workspace, uri: str) -> tuple[int, str] | None:
    """Returns the (size in bytes, tag) of the longest download of a URI that was begun."""
    directory = workspace.blobs.layout.partial
    found = []
    for name in os.listdir(directory):
        if name.startswith(f"{_prefix(uri)}-"):
            tag = bytes.fromhex(name.split("-")[2]).decode("ascii")
            with suppress(FileNotFoundError):  # Another has taken it over.
                size = (directory / name).stat().st_size
                if tag and size:
                    found.append((size, tag))
    return max(found, default=None)


def _name(uri: str, etag: str | None) -> str:
    tag = etag if etag is not None and _TAG.fullmatch(etag) else ""
    return f"{_prefix(uri)}-{tag.encode('ascii').hex()}"


def _prefix(uri: str) -> str:
    return f"ref-{hashlib.sha256(uri.encode('ascii')).hexdigest()[:32]}"
