"""Lists a page at a time: how many a request wants, where the last page ended, and what goes on from there.

A cursor is the server's own business: whoever makes one up is answered 422, or gets what follows it.
"""

import base64
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from aimdvc.server.guard import HttpError
from aimdvc.server.routing import Call

_PAGE = 100
MAX_PAGE = 1000

PAGED = {"limit": {"type": "string"}, "cursor": {"type": "string"}}
"""What may stand in the query of a list."""

_One = TypeVar("_One")


def read_limit(call: Call) -> int:
    """Returns how many a request wants, within bounds. Raises HttpError (422)."""
    return max(1, min(read_number(call.request.query.get("limit"), _PAGE), MAX_PAGE))


def read_number(text: str | None, otherwise: int) -> int:
    """Returns a whole number of a query. Raises HttpError (422)."""
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise HttpError(422, f"'{text[:20]}' in the query: expected a whole number of at most 18 digits")
    return int(text)


def next_cursor(page: Sequence[_One], limit: int, written: Callable[[_One], str]) -> dict[str, object]:
    """Returns what an answer says of the next page: `page` has one more than is shown where there is one."""
    return {"next_cursor": written(page[limit - 1])} if len(page) > limit else {}


def encode_cursor(*parts: str) -> str:
    """Returns a cursor made of texts."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def decode_cursor(cursor: str | None, count: int) -> tuple[str, ...] | None:
    """Returns the texts of a cursor, None for none. Raises HttpError (422)."""
    if not cursor:
        return None
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor))
        is_ours = isinstance(parts, list) and len(parts) == count and all(isinstance(part, str) for part in parts)
        if is_ours and "\0" not in "".join(parts):
            "".join(parts).encode()
            return tuple(parts)
    except (ValueError, RecursionError) as error:
        raise HttpError(422, "the cursor is none of ours") from error
    raise HttpError(422, "the cursor is none of ours")


def paged(call: Call, found: Sequence[_One], key: Callable[[_One], str]) -> tuple[Sequence[_One], dict[str, object]]:
    """Returns the page of a list that a request wants, and what an answer says of the next. Raises HttpError (422).

    It comes in the order of the keys, of which each has its own; the cursor is the last one's. So what is made or ends
    meanwhile moves nothing else to another page.
    """
    after, limit = decode_cursor(call.request.query.get("cursor"), 1), read_limit(call)
    rest = sorted((one for one in found if after is None or key(one) > after[0]), key=key)
    return rest[:limit], next_cursor(rest, limit, lambda one: encode_cursor(key(one)))
