"""AIMD's REST of objects: taking them in, by a form or in parts, listing those of a version, and giving one.

Keys are as clients write them: one `/` at the beginning is cut, and after one at the end, or alone, comes the file's
own name. What could lead out of a directory is refused.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from aimdvc.errors import CorruptRepository, UnsafeError, UnsafePath
from aimdvc.git.graph import Graph
from aimdvc.git.trees import find_entry, iter_files
from aimdvc.model.attributes import is_ours
from aimdvc.model.entries import Mode, path_text
from aimdvc.model.oid import EMPTY_BLOB, GitId, Oid
from aimdvc.model.own import ATTRIBUTES, REFERENCES, is_own
from aimdvc.model.paths import check_entry_path
from aimdvc.model.pointer import POINTER_LIMIT, Pointer, find_pointer
from aimdvc.model.references import parse_references
from aimdvc.server import draft_parts, drafts
from aimdvc.server.aimd_artifacts import asked_for, own_draft, read_commit
from aimdvc.server.aimd_folders import answer
from aimdvc.server.bodies import JSON
from aimdvc.server.checksums import Md5, known_md5s
from aimdvc.server.forms import open_file
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.lfs import blob_response
from aimdvc.server.quotas import check_room
from aimdvc.server.routing import Call
from aimdvc.server.site import Site
from aimdvc.server.spooling import spooled

_FIELD = "content"
_AROUND_BYTES = 64 << 10
"""More than what clients send around an object in a form."""
_NO_BLOB = Pointer(Oid(hashlib.sha256(b"").hexdigest()), 0)
_LISTED = 4000
"""So many objects of a version are looked up at a time."""
_FILES = (int(Mode.FILE), int(Mode.EXECUTABLE))


def put_object(call: Call) -> Response:
    """Takes an object that comes in a form. Safe to repeat: the last one of a key counts."""
    site, draft = call.site, own_draft(call)
    file = open_file(call.request, _FIELD, site.limits.form_blob_bytes)
    key = _key(call.request.query.get("key", ""), file.filename)
    with site.database.read() as connection:
        old = drafts.read_object(connection, draft, key)
    # Told before much is sent for nothing; to the byte when it is claimed. Perhaps it is the same once more.
    more = (call.request.body.length or 0) - _AROUND_BYTES - (old.size if old is not None else 0)
    check_room(site.database, draft.artifact, max(more, 0))
    pointer, md5 = _store(site, _no_pointer(key, file.chunks), site.limits.form_blob_bytes)
    with site.database.write(draft.artifact) as connection:
        drafts.put_object(connection, draft, key, pointer, md5)
    return _told(key, pointer, md5)


def begin_parts(call: Call) -> Response:
    """Begins an object that comes in parts."""
    draft, key = own_draft(call), _key(call.request.query.get("key", ""), "")
    with call.site.database.write(draft.artifact) as connection:
        return answer({"uploadId": draft_parts.begin_upload(connection, draft, key)})


def put_part(call: Call) -> Response:
    """Takes a part, numbered from 1. Safe to repeat: the last one of a number counts."""
    site, body = call.site, call.request.body
    draft, upload = _upload(call)
    text = call.request.query.get("partNum", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= number <= site.limits.parts:
        raise HttpError(400, f"partNum is 1 to {site.limits.parts}")
    body.limit(site.limits.part_bytes)
    with site.database.read() as connection:
        old = sum(one.pointer.size for one in draft_parts.read_parts(connection, upload) if one.number == number)
    check_room(site.database, draft.artifact, max((body.length or 0) - old, 0))
    pointer, md5 = _store(site, body.iter_chunks(), body.length or site.limits.part_bytes)
    if not pointer.size:
        raise HttpError(400, "the part is empty")
    with site.database.write(draft.artifact) as connection:
        draft_parts.put_part(connection, draft, upload, draft_parts.Part(number, pointer, md5.hex()))
    return answer({"etag": md5.hex()})


def complete_parts(call: Call) -> Response:
    """Makes an object of parts. Who asks again gets the same answer."""
    site = call.site
    draft, upload = _upload(call)
    if upload.whole is None:
        with site.database.read() as connection:
            parts = draft_parts.chosen_parts(draft_parts.read_parts(connection, upload), call.json.get("parts"))
        size = sum(part.pointer.size for part in parts)
        if size > site.limits.blob_bytes:
            raise HttpError(413, f"the object has {size} bytes, expected at most {site.limits.blob_bytes}")
        whole = draft_parts.iter_parts(site.storage.blobs, parts)
        pointer, md5 = _store(site, _no_pointer(upload.key, whole), size)
        with site.database.write(draft.artifact) as connection:
            if draft_parts.find_upload(connection, draft, upload.id, upload.key).whole is None:
                draft_parts.complete(connection, draft, upload, pointer, md5)
                return _told(upload.key, pointer, md5)
    with site.database.read() as connection:
        found = drafts.read_object(connection, draft, upload.key)
        if found is None:
            raise HttpError(404, "there is no such object")
        return _told(upload.key, found, bytes.fromhex(known_md5s(connection, [found.oid]).get(found.oid, "")))


def _upload(call: Call) -> tuple[drafts.Draft, draft_parts.PartedUpload]:
    draft, key = own_draft(call), _key(call.request.query.get("key", ""), "")
    with call.site.database.read() as connection:
        return draft, draft_parts.find_upload(connection, draft, call.params["upload"], key)


def _key(text: str, filename: str) -> str:
    """Returns the path that a key means. Raises HttpError (400)."""
    key = text.removeprefix("/")
    if not key or key.endswith("/"):
        key += filename.replace("\\", "/").rpartition("/")[2]
    try:
        return check_entry_path(key)
    except UnsafePath as error:
        raise HttpError(400, error.message) from error


def _no_pointer(key: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the chunks. Raises HttpError (400) where together they are a pointer: no clone could hold such a file."""
    head = b""
    for chunk in chunks:
        head += chunk if len(head) < POINTER_LIMIT else b""
        yield chunk
    if find_pointer(head) is not None:
        raise HttpError(400, f"'{key}' is a Git LFS pointer, not the content it stands for")


def _store(site: Site, chunks: Iterable[bytes], most: int) -> tuple[Pointer, bytes]:
    """Stores what comes, of at most so many bytes, and returns its pointer and its MD5. Nobody owns it yet."""
    md5 = Md5()
    coming = iter(md5.passing(chunks))
    first = next(coming, b"")
    if not first:
        return _NO_BLOB, md5.digest
    return site.storage.blobs.store(_resumed(first, coming), most), md5.digest


def _resumed(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _told(key: str, pointer: Pointer, md5: bytes) -> Response:
    return answer(_line(key, pointer.size, md5.hex()))


def _line(path: str, size: int | None, checksum: str) -> dict[str, object]:
    return {"path": path, "size_bytes": size, "checksum": checksum}


def list_objects(call: Call) -> Response:
    """The objects of a version, or of what the caller is uploading, by path; and references, which hold no bytes."""
    version = asked_for(call)
    if isinstance(version, drafts.Draft):
        with call.site.database.read() as connection:
            objects = drafts.objects_of(connection, version)
            known = known_md5s(connection, {one.pointer.oid for one in objects})
        lines = [_line(one.key, one.pointer.size, known.get(one.pointer.oid, "")) for one in objects]
        return answer({"results": lines, "references": []})
    return spooled(_listing(call.site, *version), JSON)


def _listing(site: Site, artifact: str, commit_id: GitId) -> Iterator[bytes]:
    """Yields JSON with the objects of a version. Holds some of them at a time: there may be a million."""
    with site.storage.repository(artifact) as repository:
        repository.refresh()
        graph, commit = read_commit(repository, commit_id)
        entries = _entries(graph, commit.tree)
        yield b'{"results": ['
        between = b""
        while group := list(islice(entries, _LISTED)):
            yield between + ", ".join(map(json.dumps, _lines(site, group))).encode()
            between = b", "
        references = json.dumps(_references(graph, commit.tree))
        yield b'], "references": ' + references.encode() + b"}"


def _lines(site: Site, entries: Sequence["_Entry"]) -> Iterator[Mapping[str, object]]:
    """Yields what clients are told of entries; of which the MD5 isn't known, it is wanted."""
    pointers = {one.pointer for one in entries if one.pointer is not None}
    with site.database.read() as connection:
        known = known_md5s(connection, {pointer.oid for pointer in pointers})
    site.checksummer.want(pointer for pointer in pointers if pointer.oid not in known)
    for one in entries:
        if one.pointer is not None:
            yield _line(one.path, one.pointer.size, known.get(one.pointer.oid, ""))
        else:
            yield _line(one.path, one.size, one.md5)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of a version: a pointer, or what Git itself keeps, whose size and MD5 are known once it is read."""

    path: str
    pointer: Pointer | None
    size: int
    md5: str


def _entries(graph: Graph, tree: GitId) -> Iterator[_Entry]:
    for raw in iter_files(graph.tree, tree, wanted=lambda path: not path.startswith(b".aimd/")):
        if raw.mode not in _FILES:
            continue
        content = b"" if raw.git_id == EMPTY_BLOB else graph.read(raw.git_id)[1]
        path, pointer = path_text(raw.path), find_pointer(content)
        if path == ATTRIBUTES and is_ours(content):
            continue
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() if pointer is None else ""
        yield _Entry(path, pointer, len(content), md5)


def _references(graph: Graph, tree: GitId) -> list[Mapping[str, object]]:
    entry = find_entry(graph.tree, tree, REFERENCES)
    try:
        found = parse_references(graph.read(entry.git_id)[1]) if entry is not None else {}
    except (CorruptRepository, UnsafeError):  # somebody else's, or damaged: there are none
        found = {}
    return [{"path": one.key, "uri": one.uri, "size_bytes": one.size} for one in found.values()]


def get_object(call: Call) -> Response:
    """Gives an object of a version, or of what the caller is uploading; a range of it, too."""
    site, key = call.site, call.request.query.get("key", "").removeprefix("/")
    version = asked_for(call)
    pointer: Pointer | None
    if isinstance(version, drafts.Draft):
        with site.database.read() as connection:
            pointer = drafts.read_object(connection, version, key)
        content = b""
    else:
        with site.storage.repository(version[0]) as repository:
            repository.refresh()
            graph, commit = read_commit(repository, version[1])
            content = _file(graph, commit.tree, key)
        pointer = find_pointer(content)
        if pointer is None:
            return Response(200, content)
    if pointer is None:
        raise HttpError(404, "there is no such object")
    return blob_response(site.storage.blobs, pointer, call.request) if pointer.size else Response(200, b"")


def _file(graph: Graph, tree: GitId, key: str) -> bytes:
    """Returns a file as Git keeps it. Raises HttpError (404)."""
    entry = find_entry(graph.tree, tree, key) if key and not is_own(key) else None
    if entry is None or entry.mode not in _FILES:
        raise HttpError(404, "there is no such object")
    return b"" if entry.git_id == EMPTY_BLOB else graph.read(entry.git_id)[1]
