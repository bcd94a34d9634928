"""ETags: a client that has an answer already is told so (304), before anything costly is read.

https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
"""

import hashlib
import time
from collections.abc import Callable, Mapping

from aimdvc.server.bodies import JSON
from aimdvc.server.guard import Response
from aimdvc.server.messages import json_response
from aimdvc.server.routing import Call

_KEPT = {"Cache-Control": "private, no-cache"}
"""What a client may keep, and has to ask for again before it uses it."""


def tagged(call: Call, state: object, answer: Callable[[], Mapping[str, object]]) -> Response:
    """Returns an answer in JSON with the ETag of the state that it follows from, or 304 where the client has it."""
    query = sorted((name, value) for name, value in call.request.query.items() if name != "apikey")
    tag = hashlib.sha256(repr((call.request.path, query, call.caller.id, state)).encode("utf-8", "replace")).hexdigest()
    headers = {"ETag": f'"{tag[:40]}"', **_KEPT}
    known = _known(call.request.headers.get("if-none-match", ""))
    if headers["ETag"] in known or known == ["*"]:
        return Response(304, headers=headers)
    made = json_response(answer(), content_type=JSON)
    return Response(200, made.body, content_type=JSON, headers=headers)


def half_lives(seconds: int) -> int:
    """Returns a number that changes in time: an answer with hrefs is good for at least half of their life."""
    return int(time.time() / max(seconds / 2, 1))


def _known(header: str) -> list[str]:
    # A comparison of weak ones, as that for If-None-Match is. None of ours has a comma in it.
    return [one.strip().removeprefix("W/") for one in header.split(",")]
