"""aimd-pack on the wire: many small blobs in one request, either way (docs/protocol.md).

Negotiated in the LFS batch, permitted by a signed href. The stream says where it ends, and every frame is hashed, so
what was cut is known as cut, and what is damaged as damaged. What had arrived whole before that is kept and owned:
asking again lists only the rest.
"""

from collections.abc import Iterator
from itertools import pairwise

from aimdvc.errors import CorruptBlob, MalformedPointer, ProtocolError
from aimdvc.model.frames import read_frames, stream_size
from aimdvc.model.oid import Oid, parse_oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.bodies import JSON, Body, parse_json, read_whole
from aimdvc.server.guard import HttpError, Request, Response
from aimdvc.server.lfs import PACK_DOWNLOAD, PACK_UPLOAD, begun
from aimdvc.server.limits import CHUNK_BYTES, Limits
from aimdvc.server.messages import json_response
from aimdvc.server.ownership import claim, owned
from aimdvc.server.routing import Call
from aimdvc.server.site import Site

MEDIA_TYPE = "application/x-aimd-pack"
_LIST = Body((JSON,))


def transfer(call: Call) -> Response:
    """Answers `POST aimd-pack`: a stream is stored; a list of oids is answered with a stream."""
    return _receive(call) if call.request.content_type == MEDIA_TYPE else _send(call)


def _receive(call: Call) -> Response:
    site, request = call.site, call.request
    grant = site.signer.check(request.query, "POST", PACK_UPLOAD)
    artifact = site.granted_artifact(grant.artifact, call.artifact)
    request.body.limit(site.limits.aimd_pack_bytes)
    arrived: list[Pointer] = []
    try:
        site.storage.blobs.receive_many(_frames(request, site.limits, arrived))
    except (CorruptBlob, ProtocolError, HttpError) as error:
        # Durable by now. Of a storage that failed that isn't known: its errors pass, and nothing is claimed.
        claim(site.database, artifact, arrived)
        if isinstance(error, CorruptBlob):
            raise HttpError(422, error.message) from error
        if isinstance(error, ProtocolError):
            raise HttpError(400, error.reason) from error
        raise
    claim(site.database, artifact, arrived)
    return json_response({"stored": len(arrived)})


def _frames(request: Request, limits: Limits, arrived: list[Pointer]) -> Iterator[tuple[Pointer, bytes]]:
    reader = _Buffered(request)
    for frame, content in read_frames(reader.read, limits.packed_blob_bytes, "the body"):
        pointer = Pointer(frame.oid, frame.size)
        if len(arrived) == limits.batch_objects:
            raise HttpError(413, f"more blobs than a batch names, expected at most {limits.batch_objects}")
        yield pointer, content
        # Only now is it in the writer's hands, which makes it durable even when a later frame fails.
        arrived.append(pointer)


class _Buffered:
    """Reads the body in large pieces; frames are small, and each read costs a call into the WSGI server."""

    def __init__(self, request: Request) -> None:
        self._body = request.body
        self._held = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        if self._position == len(self._held):
            self._held = self._body.read(CHUNK_BYTES)
            self._position = 0
        part = self._held[self._position : self._position + size]
        self._position += len(part)
        return part


def _send(call: Call) -> Response:
    site, request = call.site, call.request
    grant = site.signer.check(request.query, "POST", PACK_DOWNLOAD)
    artifact = site.granted_artifact(grant.artifact, call.artifact)
    raw = read_whole(request, _LIST, site.limits)
    with site.turns.take(len(raw)):
        return _answer(site, artifact, _wanted(parse_json(raw, _LIST).get("oids"), site.limits))


def _answer(site: Site, artifact: str, oids: list[Oid]) -> Response:
    found = owned(site.database, artifact, oids)
    if len(found) < len(oids) or site.storage.blobs.missing(found):
        raise HttpError(404, "the artifact does not have all of these blobs")
    if any(size >= site.limits.packed_blob_bytes for size in found.values()):
        raise HttpError(422, "a blob is too large for an aimd-pack")
    pointers = [Pointer(oid, size) for oid, size in found.items()]
    size = stream_size(sum(found.values()), len(found))
    return Response(200, begun(site.storage.blobs.iter_frames(pointers)), size, MEDIA_TYPE)


def _wanted(oids: object, limits: Limits) -> list[Oid]:
    if not isinstance(oids, list) or not oids or len(oids) > limits.batch_objects:
        raise HttpError(422, f"expected 1 to {limits.batch_objects} oids")
    try:
        wanted = sorted(parse_oid(oid) if isinstance(oid, str) else Oid("") for oid in oids)
    except MalformedPointer as error:
        raise HttpError(422, error.message) from error
    if not wanted[0] or any(first == second for first, second in pairwise(wanted)):
        raise HttpError(422, "an oid is no text, or comes twice")
    return wanted
