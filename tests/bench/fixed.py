"""What granian can do at most: a WSGI application that looks at nothing and answers everything with the same 4 KiB."""

from collections.abc import Callable

Start = Callable[[str, list[tuple[str, str]]], object]

_BODY = bytes(4096)
_HEADERS = [("Content-Length", str(len(_BODY)))]


def application(environ: dict[str, object], start_response: Start) -> list[bytes]:
    """Answers a request."""
    start_response("200 OK", _HEADERS)
    return [_BODY]
