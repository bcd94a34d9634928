"""Uploads that go on where they were cut: the core of tus 1.0.0 (https://tus.io/protocols/resumable-upload), no more.

The URL of an upload comes from an LFS batch, signed for PATCH, with which it may also be asked where it ends. All that
is known of an upload is how many bytes of it are here; the artifact owns the blob once they are all, and right.
"""

from collections.abc import Callable

from aimdvc.errors import CorruptBlob, StorageError
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.guard import HttpError, Request, Response
from aimdvc.server.ownership import claim, wanted
from aimdvc.server.quotas import check_room
from aimdvc.server.routing import Call
from aimdvc.server.site import Site
from aimdvc.server.storage import Upload, Uploads

MEDIA_TYPE = "application/offset+octet-stream"
VERSION = "1.0.0"
_DIGITS = 19


def upload_offset(call: Call) -> Response:
    """Answers HEAD: how many bytes of a blob are here. Whoever asks for an upload that came whole finishes it."""
    return _answer(call, _offset, 200)


def append_to_upload(call: Call) -> Response:
    """Answers PATCH: adds bytes to an upload, from the offset that the request names, which is where it ends.

    What came is durable when this returns, and also when the body breaks off; the last byte makes the blob the
    artifact's. Other bytes than the oid's leave nothing.
    """
    return _answer(call, _append, 204)


def upload_options(call: Call) -> Response:
    """Answers OPTIONS: which versions of tus there are."""
    _granted(call)
    return Response(204, headers={"Tus-Resumable": VERSION, "Tus-Version": VERSION})


def _answer(call: Call, work: Callable[[Call, "_Place"], int], status: int) -> Response:
    try:
        place = _granted(call)
        _check_version(call.request)
        offset = work(call, place)
    except HttpError as error:
        error.headers.setdefault("Tus-Resumable", VERSION)
        raise
    headers = {"Tus-Resumable": VERSION, "Upload-Offset": str(offset), "Upload-Length": str(place.pointer.size)}
    return Response(status, headers=headers)


class _Place:
    """What an href is for."""

    def __init__(self, site: Site, uploads: Uploads, artifact: str, pointer: Pointer) -> None:
        self.site = site
        self.uploads = uploads
        self.artifact = artifact
        self.pointer = pointer
        # Whoever is told that it is here counts on it.
        self.is_owned = pointer.oid in wanted(site.database, artifact, [pointer.oid])
        self.is_done = self.is_owned and not site.storage.blobs.missing([pointer.oid])

    def finish(self, upload: Upload) -> None:
        """Makes a whole upload the artifact's blob. Raises CorruptBlob."""
        upload.finish()
        claim(self.site.database, self.artifact, [self.pointer])


def _offset(call: Call, place: _Place) -> int:
    size = place.pointer.size
    if place.is_done:
        return size
    offset = place.uploads.offset(place.artifact, place.pointer)
    if offset < size:
        return offset
    # git-lfs sends nothing more, and doesn't have it verified, when it is told that all is here.
    with place.uploads.open(place.artifact, place.pointer) as upload:
        try:
            place.finish(upload)
        except CorruptBlob:
            return 0
    return size


def _append(call: Call, place: _Place) -> int:
    body, pointer = call.request.body, place.pointer
    offset = _wanted_offset(call.request)
    if offset > pointer.size or (body.length is not None and offset + body.length > pointer.size):
        raise HttpError(413, f"the blob has {pointer.size} bytes")
    if place.is_done:
        if offset < pointer.size:
            raise HttpError(409, "the blob is here", {"Upload-Offset": str(pointer.size)})
        return pointer.size
    if not place.is_owned:
        check_room(place.site.database, place.artifact, pointer.size)
    body.limit(pointer.size - offset)
    with place.uploads.open(place.artifact, pointer) as upload:
        if upload.size_bytes != offset:
            here = upload.size_bytes
            raise HttpError(409, f"the upload goes on at byte {here}", {"Upload-Offset": str(here)})
        try:
            for piece in body.iter_chunks():
                upload.append(piece)
        except (HttpError, StorageError):
            # It broke off, or the disk is full: what came counts, and the client asks for it when it is back.
            upload.sync()
            raise
        if upload.size_bytes < pointer.size:
            upload.sync()
            return upload.size_bytes
        try:
            place.finish(upload)
        except CorruptBlob as error:
            raise HttpError(422, error.message) from error
    return pointer.size


def _wanted_offset(request: Request) -> int:
    text = request.headers.get("upload-offset", "")
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        raise HttpError(400, "the Upload-Offset is not a number")
    return int(text)


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise HttpError(412, f"expected Tus-Resumable: {VERSION}", {"Tus-Version": VERSION})


def _granted(call: Call) -> _Place:
    oid = call.params["oid"]
    site = call.site
    grant = site.signer.check(call.request.query, "PATCH", oid)
    artifact = site.granted_artifact(grant.artifact, call.artifact)
    if site.storage.uploads is None:
        raise HttpError(404, "uploads do not go on here")
    return _Place(site, site.storage.uploads, artifact, Pointer(Oid(oid), grant.size))
