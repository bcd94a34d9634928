"""The LFS batch request, and answers in JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aimdvc.errors import MalformedPointer
from aimdvc.model.oid import parse_oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.limits import Limits

MEDIA_TYPE = "application/vnd.git-lfs+json"
AIMD_PACK = "aimd-pack"
TUS = "tus"
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """An object of a batch that can't be what it says; answered by itself, the others go on."""

    oid: str
    size: int
    message: str

    def reply(self) -> dict[str, object]:
        """Returns its place in the batch reply."""
        return {"oid": self.oid, "size": self.size, "error": {"code": 422, "message": self.message}}


@dataclass(frozen=True, slots=True)
class Batch:
    """An LFS batch request: each oid once."""

    operation: str
    transfers: tuple[str, ...]
    pointers: tuple[Pointer, ...]
    refused: tuple[RefusedObject, ...]


def parse_batch(message: Mapping[str, object], limits: Limits) -> Batch:
    """Returns a batch request. Raises HttpError for what makes all of it unanswerable."""
    operation = message.get("operation")
    if operation not in ("upload", "download"):
        raise HttpError(422, "the operation is neither upload nor download")
    if message.get("hash_algo", "sha256") != "sha256":
        raise HttpError(409, "the only hash is sha256")
    transfers = message.get("transfers", ["basic"])
    if not isinstance(transfers, list) or not all(isinstance(name, str) for name in transfers):
        raise HttpError(422, "the transfers are not a list of names")
    objects = message.get("objects")
    if not isinstance(objects, list) or not objects:
        raise HttpError(422, "the objects are not a list, or there are none")
    if len(objects) > limits.batch_objects:
        raise HttpError(413, f"{len(objects)} objects, expected at most {limits.batch_objects}")
    pointers: dict[str, Pointer] = {}
    refused: list[RefusedObject] = []
    for blob in objects:
        parsed = _parse_object(blob, limits)
        if isinstance(parsed, RefusedObject):
            refused.append(parsed)
        elif pointers.setdefault(parsed.oid, parsed) != parsed:
            refused.append(RefusedObject(parsed.oid, parsed.size, "the blob is named with two sizes"))
    return Batch(str(operation), tuple(transfers), tuple(pointers.values()), tuple(refused))


def _parse_object(blob: object, limits: Limits) -> Pointer | RefusedObject:
    if not isinstance(blob, dict) or not isinstance(blob.get("oid"), str):
        raise HttpError(422, "an object without an oid")
    oid, size = blob["oid"], blob.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        return RefusedObject(oid[:200], 0, "the size is not a whole number of bytes")
    if size > limits.blob_bytes:
        return RefusedObject(oid[:200], size, f"expected at most {limits.blob_bytes} bytes")
    try:
        return Pointer(parse_oid(oid), size)
    except MalformedPointer as error:
        return RefusedObject(oid[:200], size, error.message)


def json_response(message: Mapping[str, object], status: int = 200, content_type: str = MEDIA_TYPE) -> Response:
    """Returns an answer in JSON, with the LFS media type if none is given."""
    return Response(status, json.dumps(message).encode(), content_type=content_type)
