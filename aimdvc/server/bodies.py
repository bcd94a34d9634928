"""What a request's body may be: media types, how large, and for JSON its shape, checked before a handler sees it."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import fastjsonschema

from aimdvc.server.guard import HttpError, Request
from aimdvc.server.limits import Limits

JSON = "application/json"
ANY = ("*/*",)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Body:
    """A body. `schema` is the JSON Schema of one in JSON, None for bytes; `limit` the field of Limits that bounds it.

    None for a `limit` leaves that to the handler, which knows how much is to come. With `list_name` a list is taken,
    too, as an object that has it under this name. With `takes_constants` a bare NaN or Infinity, which Python writes
    and JSON doesn't have, is taken as the text that it is.
    """

    media_types: tuple[str, ...] = (JSON,)
    schema: str | None = None
    limit: str | None = "json_bytes"
    list_name: str | None = None
    takes_constants: bool = False


def json_body(required: tuple[str, ...] = (), **properties: object) -> Body:
    """Returns a body that is a JSON object with these properties and no others."""
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return Body(schema=json.dumps(schema))


def read_whole(request: Request, body: Body, limits: Limits) -> bytes:
    """Returns the bytes of a body that is JSON. Raises HttpError (400, 413)."""
    return request.body.read_all(getattr(limits, body.limit or "json_bytes"))


def parse_json(raw: bytes, body: Body) -> Mapping[str, object]:
    """Returns the JSON object in a body's bytes. Raises HttpError (400, 422)."""
    try:
        constant = str if body.takes_constants else _no_constant
        message = json.loads(
            raw.decode("utf-8"), parse_constant=constant, parse_float=_finite, object_pairs_hook=_no_twins
        )
        if b"\\ud" in raw.lower():
            # Half a surrogate pair is no text: no database and no answer could hold it.
            json.dumps(message, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise HttpError(400, "the body is not JSON") from error
    if isinstance(message, list) and body.list_name is not None:
        message = {body.list_name: message}
    if not isinstance(message, dict):
        raise HttpError(422, "expected a JSON object")
    if b"\\u0000" in raw:
        raise HttpError(422, "a text has a NUL")
    if body.schema is not None:
        try:
            _checker(body.schema)(message)
        except fastjsonschema.JsonSchemaValueException as error:
            raise HttpError(422, str(error.message).removeprefix("data.").removeprefix("data ")[:_SHOWN]) from error
    return message


def check_type(request: Request, body: Body) -> None:
    """Raises HttpError (415) for a body of another media type."""
    if body.media_types != ANY and request.content_type not in body.media_types:
        raise HttpError(415, f"expected {' or '.join(body.media_types)}")


@cache
def _checker(schema: str) -> Callable[[object], object]:
    made: Callable[[object], object] = fastjsonschema.compile(json.loads(schema), use_default=False)
    return made


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """1e999 would be read as the Infinity that no JSON has."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large")
    return number


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found
