"""The WSGI application: permission at the door, and the one error boundary.

Every route says what it needs (routes.py); what no route names is refused. An unexpected error is logged with the
request's id and answered with that id alone.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from itertools import count

from aimdvc.errors import AimdvcError, Busy, DiskFull, StorageError
from aimdvc.server.accounts import key_of
from aimdvc.server.bodies import JSON, check_type, parse_json, read_whole
from aimdvc.server.guard import HttpError, Request, Response, StartResponse, read_request, write_response
from aimdvc.server.messages import MEDIA_TYPE, json_response
from aimdvc.server.observing import Observer, Trace
from aimdvc.server.openapi import document
from aimdvc.server.rights import ANONYMOUS, SCOPES, Caller
from aimdvc.server.routes import ROUTER, ROUTES
from aimdvc.server.routing import Call, Route
from aimdvc.server.site import Site
from aimdvc.server.slots import Slot, Slots
from aimdvc.server.wrong_keys import WrongKeys

logger = logging.getLogger(__name__)

_AIMD = ("/apis/", "/oauth2/")
_TEXT = "text/plain; charset=utf-8"
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="aimdvc"', "LFS-Authenticate": 'Basic realm="aimdvc"'}


class Application:
    """The WSGI application of one open site; `url` is what clients call it, where that isn't what requests say."""

    def __init__(self, site: Site, observer: Observer | None = None, url: str | None = None) -> None:
        self._site = site
        self._url = url
        self._observer = observer or Observer()
        self._slots = Slots(site.limits)
        # By the process and a number: unlike any other, and no secret.
        self._ids = map(f"{os.urandom(8).hex()}{{:016x}}".format, count())
        self._wrong_keys = WrongKeys(site.limits)

    def __call__(self, environ: Mapping[str, object], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        path = str(environ.get("PATH_INFO", ""))
        trace = Trace(next(self._ids), str(environ.get("REQUEST_METHOD", "")), path)
        self._observer.begin()
        try:
            response = self._response(environ, trace)
            trace.status = response.status
            body = write_response(response, start_response, trace.id, lambda sent: self._observer.end(trace, sent))
            return body if trace.method != "HEAD" else _left_out(body)
        except BaseException:  # an interrupt, too, ends what was counted as running; raised on, the connection breaks
            self._observer.end(trace, 0)
            raise

    def _response(self, environ: Mapping[str, object], trace: Trace) -> Response:
        request: Request | None = None
        try:
            request = read_request(environ, self._site.limits, self._url)
            return self._answer(request, trace)
        except HttpError as error:
            return _refusal(trace, error.status, error.message, error.headers)
        except AimdvcError as error:
            return _failure(trace, error)
        except Exception:  # the boundary: logged with the request's id, and answered with that id alone
            logger.exception("request %s failed", trace.id)
            return _refusal(trace, 500, "the server failed", {})
        finally:
            trace.received = request.body.taken if request is not None else 0

    def close(self) -> None:
        """Closes the site."""
        self._observer.close()
        self._site.close()

    def _answer(self, request: Request, trace: Trace) -> Response:
        # Probes ask by HEAD, too.
        is_probe = request.method in ("GET", "HEAD")
        if is_probe and request.path in _OPEN:
            return _OPEN[request.path](self._site)
        if is_probe and request.path == "/metrics":
            trace.caller = self._caller(request)
            if not trace.caller.is_known:
                raise _unknown()
            return Response(200, self._observer.metrics.text().encode(), content_type="text/plain; version=0.0.4")
        trace.slot = self._slots.enter()
        return self._route(request, trace, trace.slot)

    def _route(self, request: Request, trace: Trace, slot: Slot) -> Response:
        found = ROUTER.find(request.method, request.path)
        if found is None:
            # The same answer for what can't be there and for what a caller without a key may not know of.
            raise HttpError(404, "there is nothing here") if self._caller(request).is_known else _unknown()
        route, params = found
        trace.route = route
        caller = trace.caller = ANONYMOUS if route.door == "signed" else self._admitted(request, route)
        # Who signs as somebody else is refused before anything is read.
        user = request.query.get("user", "") if route.door == "signed" else caller.id
        slot.take(user, route.is_costly)
        try:
            return _handled(Call(self._site, request, caller, params), route)
        except HttpError as error:
            # What everyone may not see or do, somebody with a key perhaps may: clients ask for one when they read this.
            if error.status in (403, 404) and route.door == "shared" and not caller.is_known:
                raise _unknown() from error
            raise

    def _admitted(self, request: Request, route: Route) -> Caller:
        """Returns who asks, if they may come in at all. Raises HttpError (401, 403, 429)."""
        caller = self._caller(request)
        if not caller.is_known and (route.door != "shared" or route.scope != "read"):
            raise _unknown()
        if SCOPES.index(caller.scope) < SCOPES.index(route.scope):
            reads = caller.scope == "read"
            what = "this key may only read" if reads else f"this takes a key of the scope '{route.scope}'"
            raise HttpError(403, what)
        if route.door == "admin" and not caller.administers:
            raise HttpError(403, "this is for administrators")
        return caller

    def _caller(self, request: Request) -> Caller:
        """Returns who asks. The old AIMD clients send their key in the query. Raises HttpError (401, 429)."""
        key = key_of(request.headers.get("authorization")) or request.query.get("apikey")
        if not key:
            return ANONYMOUS
        self._wrong_keys.check(request.address, key)
        caller = self._site.accounts.caller(key)
        self._wrong_keys.note(request.address, key, is_right=caller is not None)
        if caller is None:
            raise HttpError(401, "the key is not known", _CHALLENGE)
        return caller


def _left_out(body: Iterable[bytes]) -> Iterable[bytes]:
    """The answer to HEAD: Content-Length tells of the body of a GET; sent, it would be read as the next answer."""
    close = getattr(body, "close", None)
    if close is not None:
        close()
    return []


def _alive(site: Site) -> Response:
    return Response(200, b"ok\n", content_type=_TEXT)


def _ready(site: Site) -> Response:
    # Both raise what is answered with 503.
    site.database.secret()
    site.storage.check()
    return _alive(site)


def _openapi(site: Site) -> Response:
    return json_response(document(ROUTES), content_type=JSON)


_OPEN = {"/healthz": _alive, "/readyz": _ready, "/openapi.json": _openapi}
"""What anybody may ask, by path."""


def _handled(call: Call, route: Route) -> Response:
    """Has a request answered; one with a large message in JSON when it is its turn."""
    body = route.body
    if body is not None:
        check_type(call.request, body)
    if body is None or body.schema is None:
        return route.handler(call)
    raw = read_whole(call.request, body, call.site.limits)
    with call.site.turns.take(len(raw)):
        return route.handler(call._replace(json=parse_json(raw, body)))


def _unknown() -> HttpError:
    return HttpError(401, "a key is needed", _CHALLENGE)


def _failure(trace: Trace, error: AimdvcError) -> Response:
    logger.error("request %s: %s: %s", trace.id, type(error).__name__, error.message)
    if isinstance(error, Busy):
        return _refusal(trace, 503, "the server is busy", {"Retry-After": "2"})
    if isinstance(error, DiskFull):
        return _refusal(trace, 507, "the server has no space left", {})
    if isinstance(error, StorageError):
        return _refusal(trace, 503, "the server's storage failed", {"Retry-After": "30"})
    return _refusal(trace, 500, "the server failed", {})


def _refusal(trace: Trace, status: int, message: str, headers: Mapping[str, str]) -> Response:
    path, errors = trace.path, trace.route.errors if trace.route is not None else None
    kind = MEDIA_TYPE if "/info/lfs/" in path else JSON if path.startswith("/api/") else None
    if errors is not None:
        status, text = errors.told(status, message)
        headers = {} if status == 400 else headers
        return Response(status, text.encode(), content_type=_TEXT, headers=headers)
    if path.startswith(_AIMD) and trace.route is None and status in (401, 404):
        # Nothing in it says to AIMD's clients that they have a wrong URL, and not that something is gone.
        return Response(404, b"", content_type=_TEXT)
    if kind is not None:
        body = json.dumps({"message": message, "request_id": trace.id}).encode()
        return Response(status, body, content_type=kind, headers=headers)
    # Stock Git shows a refusal to its user only when it is plain text.
    return Response(status, f"{message}\n".encode(), content_type=_TEXT, headers=headers)
