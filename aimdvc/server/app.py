"""The WSGI application: the route table, permission at the door, and the one error boundary.

Every route says what it needs; what no route names is refused. An unexpected error is logged with the request's id
and answered with that id alone.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from aimdvc.errors import AimdvcError, Busy, DiskFull, StorageError
from aimdvc.server import aimd_pack, git_http, lfs
from aimdvc.server.catalogue import Caller, key_of
from aimdvc.server.guard import HttpError, Request, Response, StartResponse, read_request, write_response
from aimdvc.server.messages import MEDIA_TYPE
from aimdvc.server.site import Site

logger = logging.getLogger(__name__)

WithKey = Callable[[Site, Request, Caller, str], Response]
Signed = Callable[[Site, Request, str, str], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked of an artifact: method, what follows its path, and who may.

    `key`: the handler gets the caller, and resolves the artifact itself. `signed`: the handler checks the href.
    """

    method: str
    tail: str
    door: Literal["key", "signed"]
    with_key: WithKey | None = None
    signed: Signed | None = None


_OID = "[0-9a-f]{64}"
_LFS = "info/lfs/"

ROUTES = (
    Route("GET", "info/refs", "key", git_http.info_refs),
    Route("POST", "git-upload-pack", "key", git_http.fetch),
    Route("POST", "git-receive-pack", "key", git_http.push),
    Route("POST", _LFS + "objects/batch", "key", lfs.batch),
    Route("POST", _LFS + "objects/verify", "signed", signed=lfs.verify),
    Route("PUT", _LFS + f"objects/{_OID}", "signed", signed=lfs.put_blob),
    Route("GET", _LFS + f"objects/{_OID}", "signed", signed=lfs.get_blob),
    Route("POST", _LFS + "aimd-pack", "signed", signed=aimd_pack.transfer),
    Route("GET", _LFS + "locks", "key", lfs.no_locks),
    Route("POST", _LFS + "locks", "key", lfs.no_locks),
    Route("POST", _LFS + "locks/verify", "key", lfs.no_locks),
    Route("POST", _LFS + "locks/[^/]{1,100}/unlock", "key", lfs.no_locks),
)

_TAILS = "|".join(dict.fromkeys(route.tail for route in ROUTES))
_PATH = re.compile(rf"/(?P<artifact>[^/]+(?:/[^/]+)*?)/(?P<tail>{_TAILS})")
_MAX_PATH = 4096
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="aimdvc"', "LFS-Authenticate": 'Basic realm="aimdvc"'}


class Application:
    """The WSGI application of one open site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, environ: Mapping[str, object], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        request_id = uuid.uuid4().hex
        path = str(environ.get("PATH_INFO", ""))
        try:
            response = _answer(self._site, read_request(environ, self._site.limits))
        except HttpError as error:
            response = _refusal(path, error.status, error.message, request_id, error.headers)
        except AimdvcError as error:
            response = _failure(path, error, request_id)
        except Exception:  # the boundary: logged with the request's id, and answered with that id alone
            logger.exception("request %s failed", request_id)
            response = _refusal(path, 500, "the server failed", request_id, {})
        return write_response(response, start_response, request_id)

    def close(self) -> None:
        """Closes the site."""
        self._site.close()


def _answer(site: Site, request: Request) -> Response:
    if request.path == "/healthz" and request.method == "GET":
        return Response(200, b"ok\n", content_type="text/plain; charset=utf-8")
    match = _PATH.fullmatch(request.path) if len(request.path) <= _MAX_PATH else None
    if match is None:
        # The same answer for what can't be there and for what a caller without a key may not know of.
        _caller(site, request)
        raise HttpError(404, "there is nothing here")
    tail, path = match["tail"], match["artifact"].removesuffix(".git")
    routes = [route for route in ROUTES if re.fullmatch(route.tail, tail)]
    route = next((route for route in routes if route.method == request.method), None)
    if route is None:
        raise HttpError(405, "this method is not for here", {"Allow": ", ".join(route.method for route in routes)})
    if any(segment in (".", "..") for segment in path.split("/")):
        raise HttpError(400, "the path has '.' or '..' in it")
    if route.with_key is not None:
        return route.with_key(site, request, _caller(site, request), path)
    if route.signed is not None:
        return route.signed(site, request, path, tail)
    raise HttpError(404, "there is nothing here")


def _caller(site: Site, request: Request) -> Caller:
    key = key_of(request.headers.get("authorization"))
    caller = site.catalogue.caller(key) if key else None
    if caller is None:
        raise HttpError(401, "a key is needed" if key is None else "the key is not known", _CHALLENGE)
    return caller


def _failure(path: str, error: AimdvcError, request_id: str) -> Response:
    logger.error("request %s: %s: %s", request_id, type(error).__name__, error.message)
    if isinstance(error, Busy):
        return _refusal(path, 503, "the server is busy", request_id, {"Retry-After": "2"})
    if isinstance(error, DiskFull):
        return _refusal(path, 507, "the server has no space left", request_id, {})
    if isinstance(error, StorageError):
        return _refusal(path, 503, "the server's storage failed", request_id, {"Retry-After": "30"})
    return _refusal(path, 500, "the server failed", request_id, {})


def _refusal(path: str, status: int, message: str, request_id: str, headers: Mapping[str, str]) -> Response:
    if "/info/lfs/" in path:
        body = json.dumps({"message": message, "request_id": request_id}).encode()
        return Response(status, body, content_type=MEDIA_TYPE, headers=headers)
    # Stock Git shows a refusal to its user only when it is plain text.
    return Response(status, f"{message}\n".encode(), content_type="text/plain; charset=utf-8", headers=headers)
