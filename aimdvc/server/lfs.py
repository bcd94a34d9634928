"""Git LFS: batch, basic transfers with ranges, verify. Locks: lfs_locks.py.

Protocol: git-lfs, docs/api/batch.md and basic-transfers.md. Hrefs are signed, so transfers need no key. "The server
has it" always means: this artifact owns it. A claim to a blob that only another artifact has needs the bytes again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from aimdvc.errors import CorruptBlob, MalformedPointer, MissingBlob
from aimdvc.model.oid import Oid, parse_oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.catalogue import Artifact
from aimdvc.server.guard import HttpError, Request, Response
from aimdvc.server.messages import AIMD_PACK, MEDIA_TYPE, TUS, Batch, json_response, parse_batch
from aimdvc.server.ownership import claim, owned, wanted
from aimdvc.server.quotas import check_room
from aimdvc.server.routing import Call
from aimdvc.server.signing import Grant
from aimdvc.server.storage import BlobStorage

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_AT_ONCE = 128 << 10
"""Bytes; a blob smaller than this is read and hashed before the answer begins."""

PACK_UPLOAD = "pack-upload"
PACK_DOWNLOAD = "pack-download"
LOST = "the server has lost this blob: whoever has it can push it again"


def batch(call: Call) -> Response:
    """Answers `POST objects/batch`: what to send or get, and where."""
    site, caller = call.site, call.caller
    _check_accept(call.request)
    wish = parse_batch(call.json, site.limits)
    if wish.operation == "upload":
        artifact = site.catalogue.ensure(caller, call.artifact)
    else:
        artifact = site.artifact(caller, call.artifact)
    # What is answered to be here already has to stay until the push that counts on it.
    look_up = wanted if wish.operation == "upload" else owned
    found = look_up(site.database, artifact.id, (Oid(pointer.oid) for pointer in wish.pointers))
    site.signer.renew()
    hrefs = _Hrefs(call, artifact, wish.pointers if wish.operation == "download" else ())
    packed = AIMD_PACK in wish.transfers
    goes_on = _goes_on(wish, hrefs)
    # A blob that is owned but gone from the storage is promised to nobody. A pusher is asked for it: its copy heals it.
    gone = site.storage.blobs.missing(found)
    if wish.operation == "download":
        objects = [_download(hrefs, pointer, found, gone, packed) for pointer in wish.pointers]
    else:
        check_room(site.database, artifact.id, sum(one.size for one in wish.pointers if one.oid not in found))
        left = {oid: size for oid, size in found.items() if oid not in gone}
        objects = [_upload(hrefs, pointer, left.get(pointer.oid), packed, goes_on) for pointer in wish.pointers]
    reply: dict[str, object] = {
        "transfer": AIMD_PACK if packed else TUS if goes_on else "basic",
        "hash_algo": "sha256",
        "objects": objects + [refused.reply() for refused in wish.refused],
    }
    if packed and any(AIMD_PACK in _actions(reply) for reply in objects):
        reply["aimd_pack"] = hrefs.pack(wish)
    return json_response(reply)


def blob_href(call: Call, artifact: Artifact, pointer: Pointer) -> str:
    """Returns where a blob can be got for some minutes, without a key."""
    return str(_Hrefs(call, artifact, [pointer]).download(pointer)["href"])


def _goes_on(wish: Batch, hrefs: "_Hrefs") -> bool:
    """Returns whether uploads that were cut go on, by tus.py: the client can, and a blob is worth it."""
    is_worth_it = any(pointer.size >= hrefs.packed_bytes for pointer in wish.pointers)
    return wish.operation == "upload" and TUS in wish.transfers and hrefs.can_go_on and is_worth_it


class _Hrefs:
    """Makes signed hrefs for one request; `wanted` may be downloaded."""

    def __init__(self, call: Call, artifact: Artifact, wanted: Iterable[Pointer]) -> None:
        self._site = call.site
        self._base = f"{call.request.base_url}/{quote(artifact.path)}.git/info/lfs"
        self._caller = call.caller
        self._artifact = artifact
        self.packed_bytes = call.site.limits.packed_blob_bytes
        self._direct = call.site.storage.direct
        self._uploads = call.site.storage.uploads
        self._stored = self._direct.download_hrefs(wanted, self._site.signer.lifetime_s) if self._direct else {}

    def download(self, pointer: Pointer) -> dict[str, object]:
        """Returns where a blob can be got: from the storage itself where it is large and that can be asked."""
        href = self._stored.get(pointer.oid)
        if href is None:
            what = _place(self._artifact.path, pointer.oid)
            return self.action("GET", f"objects/{pointer.oid}", what, pointer.size)
        return {"href": href, "header": {}, "expires_in": self._site.signer.lifetime_s}

    def upload(self, pointer: Pointer) -> dict[str, object]:
        """Returns where a blob can be put: straight into the storage where it is large and that can be asked."""
        if self._direct is None or not self._direct.takes(pointer):
            what = _place(self._artifact.path, pointer.oid)
            return self.action("PUT", f"objects/{pointer.oid}", what, pointer.size)
        lifetime_s = self._site.signer.lifetime_s
        href = self._direct.upload_href(self._artifact.id, pointer, lifetime_s)
        return {"href": href, "header": {}, "expires_in": lifetime_s}

    @property
    def can_go_on(self) -> bool:
        """Whether an upload that was cut can go on."""
        return self._uploads is not None

    def resumable(self, pointer: Pointer) -> dict[str, object]:
        """Returns where the rest of a blob can be put (tus.py), and up to which offset it is here."""
        offset = self._uploads.offset(self._artifact.id, pointer) if self._uploads else 0
        return {**self.action("PATCH", f"objects/{pointer.oid}", pointer.oid, pointer.size), "offset": offset}

    def action(self, method: str, tail: str, what: str, size: int) -> dict[str, object]:
        """Returns a batch action; its href permits one method on one blob, or one direction of aimd-pack."""
        grant = Grant(self._artifact.id, self._caller.id, method, what, size)
        href = f"{self._base}/{tail}?{self._site.signer.query(grant)}"
        return {"href": href, "header": {}, "expires_in": self._site.signer.lifetime_s}

    def pack(self, wish: Batch) -> dict[str, object]:
        """Returns where the aimd-pack goes to, or comes from."""
        what = PACK_UPLOAD if wish.operation == "upload" else PACK_DOWNLOAD
        return self.action("POST", "aimd-pack", what, 0)


def _actions(reply: Mapping[str, object]) -> Iterable[str]:
    actions = reply.get("actions")
    return actions if isinstance(actions, dict) else ()


def _reply(pointer: Pointer, actions: Mapping[str, object]) -> dict[str, object]:
    return {"oid": pointer.oid, "size": pointer.size, "authenticated": True, "actions": actions}


def _error(pointer: Pointer, code: int, message: str) -> dict[str, object]:
    return {"oid": pointer.oid, "size": pointer.size, "error": {"code": code, "message": message}}


def _download(
    hrefs: _Hrefs, pointer: Pointer, found: Mapping[Oid, int], gone: set[Oid], packed: bool
) -> dict[str, object]:
    size = found.get(pointer.oid)
    if size is None:
        return _error(pointer, 404, "the artifact has no such blob")
    if pointer.oid in gone:
        return _error(pointer, 404, LOST)
    if size != pointer.size:
        return _error(pointer, 422, f"the blob has {size} bytes")
    if packed and size < hrefs.packed_bytes:
        return _reply(pointer, {AIMD_PACK: {}})
    return _reply(pointer, {"download": hrefs.download(pointer)})


def _upload(hrefs: _Hrefs, pointer: Pointer, owned_size: int | None, packed: bool, goes_on: bool) -> dict[str, object]:
    if owned_size is not None:
        if owned_size != pointer.size:
            return _error(pointer, 422, f"the blob has {owned_size} bytes")
        return {"oid": pointer.oid, "size": pointer.size}
    if packed and pointer.size < hrefs.packed_bytes:
        return _reply(pointer, {AIMD_PACK: {}})
    verify = hrefs.action("POST", "objects/verify", pointer.oid, pointer.size)
    if goes_on:
        # A reply names one transfer for all: where that is aimd-pack, the action's own name tells of tus.
        return _reply(pointer, {TUS if packed else "upload": hrefs.resumable(pointer), "verify": verify})
    return _reply(pointer, {"upload": hrefs.upload(pointer), "verify": verify})


def put_blob(call: Call) -> Response:
    """Takes one blob: hashed as it comes, durable, then owned. Safe to repeat; a wrong one leaves nothing."""
    site, body = call.site, call.request.body
    oid = Oid(call.params["oid"])
    grant = site.signer.check(call.request.query, "PUT", _place(call.artifact, oid))
    pointer, artifact = Pointer(oid, grant.size), grant.artifact
    length = body.length
    if length is not None and length != pointer.size:
        raise HttpError(422, f"the body has {length} bytes, expected {pointer.size}")
    body.limit(pointer.size)
    # Whether there is room is told before much is sent for nothing; that there is, when it is claimed.
    if pointer.size >= _AT_ONCE and pointer.oid not in owned(site.database, artifact, [pointer.oid]):
        check_room(site.database, artifact, pointer.size)
    try:
        with site.arriving.sized() as piece:
            site.storage.blobs.receive(pointer, body.iter_chunks(piece))
    except CorruptBlob as error:
        raise HttpError(422, error.message) from error
    claim(site.database, artifact, [pointer])
    return json_response({})


def get_blob(call: Call) -> Response:
    """Gives one blob, or the range that is asked for. The href has all that has to be known: no row is looked up."""
    blobs, oid = call.site.storage.blobs, Oid(call.params["oid"])
    grant = call.site.signer.check(call.request.query, "GET", _place(call.artifact, oid))
    return blob_response(blobs, Pointer(oid, grant.size), call.request)


def blob_response(blobs: BlobStorage, pointer: Pointer, request: Request) -> Response:
    """Returns the answer that has a blob, or the range of it that is asked for. Raises HttpError (404, 416, 502)."""
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{pointer.oid}"'}
    wanted = _range(request.headers.get("range"), pointer.size)
    if wanted is None:
        if pointer.size >= _AT_ONCE:
            return Response(200, begun(blobs.iter_download(pointer)), pointer.size, headers=headers)
        try:
            return Response(200, blobs.read(pointer), headers=headers)
        except (MissingBlob, CorruptBlob) as error:
            raise _lost(error) from error
    start, end = wanted
    body = begun(blobs.iter_range(pointer, start, end))
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{pointer.size}"
    return Response(206, body, end - start, headers=headers)


def _place(artifact: str, oid: str) -> str:
    """Returns what the href of a download is for: a blob at its artifact's path."""
    return f"{artifact}/{oid}"


def begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Returns the chunks, the first of which is read already: what proves damaged by then is answered with an error.

    What proves so later breaks the connection before the last chunk. Raises HttpError (404, 502).
    """
    try:
        first = next(chunks, b"")
    except (MissingBlob, CorruptBlob) as error:
        raise _lost(error) from error
    return _resumed(first, chunks)


def _lost(error: MissingBlob | CorruptBlob) -> HttpError:
    return HttpError(404 if isinstance(error, MissingBlob) else 502, LOST)


def _resumed(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks


def verify(call: Call) -> Response:
    """Answers whether a blob arrived: 200, or 404. What went straight into the storage is checked, and owned, now."""
    site, size = call.site, call.json["size"]
    try:
        oid = parse_oid(str(call.json["oid"]))
    except MalformedPointer as error:
        raise HttpError(422, error.message) from error
    grant = site.signer.check(call.request.query, "POST", oid)
    artifact = site.granted_artifact(grant.artifact, call.artifact)
    direct, pointer = site.storage.direct, Pointer(oid, grant.size)
    if direct is not None and direct.takes(pointer):
        try:
            if direct.take_in(artifact, pointer):
                claim(site.database, artifact, [pointer])
        except CorruptBlob as error:
            raise HttpError(422, error.message) from error
    found = owned(site.database, artifact, [oid]).get(oid)
    if found is None or found != size or site.storage.blobs.missing([oid]):
        raise HttpError(404, "the artifact has no such blob")
    return json_response({})


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Returns the range to give as (start, end), or None for the whole. Raises HttpError (416)."""
    match = _RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]) + 1, size) if match[2] else size
    else:
        start, end = max(size - int(match[2]), 0), size
    if start >= end:
        raise HttpError(416, "the range lies outside the blob", {"Content-Range": f"bytes */{size}"})
    return start, end


def _check_accept(request: Request) -> None:
    accepted = request.headers.get("accept", "*/*")
    kinds = {part.partition(";")[0].strip() for part in accepted.split(",")}
    if not kinds & {"*/*", "application/*", "application/json", MEDIA_TYPE}:
        raise HttpError(406, f"the answer is {MEDIA_TYPE}")
