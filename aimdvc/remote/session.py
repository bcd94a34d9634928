"""The one HTTP session: a pool of connections, and one place for credentials, retries, redirects and errors.

A credential goes only to the origin it belongs to, over https or loopback; a redirect elsewhere goes on without it.
"""

import base64
import email.utils
import json
import os
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError, ReadTimeoutError, SSLError

from aimdvc.errors import NotAuthorised, ProtocolError, RemoteError, RemoteRefused, RemoteUnreachable, UnsafeUrl
from aimdvc.remote.addresses import leads_inside, with_addresses
from aimdvc.remote.credentials import Credential, Credentials
from aimdvc.remote.urls import check_url, is_inside, is_private, origin_of, shown
from aimdvc.version import __version__

Body = bytes | Iterable[bytes] | None

TRIES = 5
_REDIRECTS = 5
_RETRIED = (408, 429, 500, 502, 503, 504)
# An LFS action may put its permission into any header (batch.md § Successful Responses), so these are all that travel.
_HARMLESS = frozenset({"accept", "content-type", "content-length", "range", "if-range", "git-protocol"})
_MESSAGE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a connection, for the next byte, before the first retry, at most before any."""

    connect_s: float = 15.0
    read_s: float = 120.0
    pause_s: float = 0.25
    longest_pause_s: float = 60.0


class Reply:
    """An answer whose body is read as it comes. Header names are in lower case."""

    def __init__(self, url: str, response: urllib3.BaseHTTPResponse) -> None:
        self._url = url
        self._response = response
        self.status: int = response.status
        self.is_from_inside = is_inside(url) or leads_inside(getattr(response, "connection", None))
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    def read(self, size: int) -> bytes:
        """Returns up to `size` bytes, b"" only at the end. Raises RemoteUnreachable when the connection breaks."""
        try:
            return self._response.read(size)
        except (HTTPError, OSError) as error:
            self.close()
            raise RemoteUnreachable(shown(self._url), _reason(error)) from error

    def read_json(self, limit: int) -> Mapping[str, object]:
        """Returns the JSON object in the body. Raises ProtocolError when it is none, or longer than `limit` bytes."""
        parts, size = [], 0
        while chunk := self.read(1 << 20):
            size += len(chunk)
            if size > limit:
                self.close()
                raise ProtocolError(shown(self._url), f"an answer of more than {limit} bytes")
            parts.append(chunk)
        self.close()
        try:
            message = json.loads(b"".join(parts))
        except (ValueError, RecursionError) as error:
            raise ProtocolError(shown(self._url), "expected JSON") from error
        if not isinstance(message, dict):
            raise ProtocolError(shown(self._url), "expected a JSON object")
        return message

    def message(self) -> str:
        """Returns what the answer says of an error, one line; reads and closes it."""
        try:
            content = self._response.read(_MESSAGE_BYTES)
        except (HTTPError, OSError):
            content = b""
        self.close()
        text = content.decode("utf-8", "replace")
        try:
            message = json.loads(text)
            text = str(message["message"]) if isinstance(message, dict) and "message" in message else text
        except (ValueError, RecursionError):
            pass
        if text.lstrip().startswith("<"):
            return ""
        return "".join(char if char.isprintable() else " " for char in text.strip())[:300]

    def close(self) -> None:
        """Gives the connection back if the body was read whole, else closes it."""
        if not self._response.closed and self._response.length_remaining not in (0, None):
            self._response.close()
        self._response.release_conn()


@dataclass(slots=True)
class Session:
    """Sends requests. Safe to use from several threads. Close it when done."""

    credentials: Credentials
    patience: Patience = field(default_factory=Patience)
    connections: int = 8
    _pools: dict[tuple[str, bool], urllib3.PoolManager] = field(default_factory=dict)
    _known: dict[str, Credential | None] = field(default_factory=dict)

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, is_repeatable: bool = True
    ) -> Reply:
        """Returns the answer, whose status is 2xx. Raises RemoteError, NotAuthorised, UnsafeUrl."""
        reply = self.send(method, url, headers, body, is_repeatable)
        if not 200 <= reply.status < 300:
            raise self.refusal(url, reply)
        return reply

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body = None,
        is_repeatable: bool = True,
        with_key: bool = True,
    ) -> Reply:
        """Returns the answer whatever its status, after retries, redirects and a login by helper.

        `with_key` False sends no credential: the URL carries its own permission. A redirect to another origin takes
        only those of the headers along that can't hold a permission, for good.
        """
        origin = origin_of(url)
        can_repeat = is_repeatable and (body is None or isinstance(body, bytes))
        only_outside = False
        for _ in range(_REDIRECTS + 1):
            credential = self._credential(origin) if with_key and origin_of(url) == origin else None
            reply = self._retry(method, url, headers, body, can_repeat, credential, only_outside)
            if reply.status == 401 and with_key and credential is None and origin_of(url) == origin:
                reply = self._login(reply, method, url, headers, body, can_repeat, origin)
            if reply.status not in (301, 302, 303, 307, 308) or "location" not in reply.headers:
                return reply
            only_outside = only_outside or not reply.is_from_inside
            target = self._redirected(method, url, reply, can_repeat)
            if origin_of(target) != origin_of(url):
                headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
            url = target
        raise RemoteRefused(shown(url), f"more than {_REDIRECTS} redirects")

    def refusal(self, url: str, reply: Reply) -> RemoteError | NotAuthorised:
        """Returns the error that an answer which is not 2xx means."""
        message = reply.message()
        place = shown(url)
        if reply.status == 401:
            return NotAuthorised(f"'{place}' wants a key that it accepts", hint=self.credentials.hint)
        if reply.status == 403:
            return NotAuthorised(f"'{place}': {message or 'this key may not do this'}", hint=self.credentials.hint)
        if reply.status == 404:
            return RemoteRefused(
                place,
                message or "not found",
                hint="check the URL and the name, and that your key may see it",
                is_absent=True,
            )
        if reply.status in (429, 503):
            return RemoteRefused(
                place, f"it is overloaded ({reply.status})", hint="run it again later; what was transferred is kept"
            )
        hint = "make room there, then run it again; what was transferred is kept" if reply.status == 507 else None
        return RemoteRefused(place, f"{reply.status} {message}".strip(), hint=hint)

    def wait(self, attempt: int, headers: Mapping[str, str]) -> None:
        """Pauses before the next try: what Retry-After says within bounds, else ever longer, with jitter."""
        asked = _retry_after(headers.get("retry-after"))
        pause = self.patience.pause_s * 2**attempt * random.uniform(0.75, 1.25)
        time.sleep(min(self.patience.longest_pause_s, pause if asked is None else max(pause, asked)))

    def close(self) -> None:
        """Closes all connections."""
        for pool in self._pools.values():
            pool.clear()

    def _credential(self, origin: str) -> Credential | None:
        if origin not in self._known:
            self._known[origin] = self.credentials.stored(origin)
        credential = self._known[origin]
        if credential is not None and not is_private(origin):
            raise UnsafeUrl(origin, "a key is sent over https only", hint="use the server's https URL")
        return credential

    def _login(
        self, reply: Reply, method: str, url: str, headers: Mapping[str, str], body: Body, can_repeat: bool, origin: str
    ) -> Reply:
        if not is_private(origin) or not (can_repeat or body is None):
            return reply
        credential = self.credentials.ask_helper(origin)
        if credential is None:
            return reply
        reply.message()
        again = self._retry(method, url, headers, body, can_repeat, credential)
        is_good = again.status != 401
        self.credentials.tell_helper(origin, credential, is_good)
        if is_good:
            self._known[origin] = credential
        return again

    def _retry(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body,
        can_repeat: bool,
        credential: Credential | None,
        only_outside: bool = False,
    ) -> Reply:
        # What was refused for now was not begun: it is sent again whenever its body can be read again.
        can_return = can_repeat or (body is not None and not isinstance(body, Iterator))
        for attempt in range(TRIES):
            is_last = attempt == TRIES - 1
            try:
                reply = self._once(method, url, headers, body, credential, only_outside)
            except RemoteUnreachable:
                if is_last or not can_repeat:
                    raise
                self.wait(attempt, {})
                continue
            may_repeat = can_return if reply.status == 429 else can_repeat
            if reply.status not in _RETRIED or is_last or not may_repeat:
                return reply
            reply.message()
            self.wait(attempt, reply.headers)
        raise AssertionError("the last try returns or raises")

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body,
        credential: Credential | None,
        only_outside: bool,
    ) -> Reply:
        sent = {"User-Agent": f"aimdvc/{__version__}", "Accept-Encoding": "identity", **headers}
        if credential is not None:
            pair = f"{credential.user}:{credential.secret}".encode()
            sent["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        try:
            response = self._pool(url, only_outside).request(
                method,
                url,
                body=body,
                headers=sent,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.patience.connect_s, read=self.patience.read_s),
            )
        except LocationParseError as error:
            raise UnsafeUrl(shown(url), "is not a URL") from error
        except (HTTPError, OSError) as error:
            raise RemoteUnreachable(shown(url), _reason(error)) from error
        return Reply(url, response)

    def _pool(self, url: str, only_outside: bool) -> urllib3.PoolManager:
        proxy = select_proxy(url, get_environ_proxies(url)) or ""
        key = (proxy, only_outside)
        pool = self._pools.get(key)
        if pool is None:
            if proxy:
                # It looks names up by itself: where they lead can't be told here.
                pool = urllib3.ProxyManager(proxy, maxsize=self.connections, **_authorities(url))
            else:
                made = urllib3.PoolManager(maxsize=self.connections, **_authorities(url))
                pool = with_addresses(made, only_outside)
            self._pools[key] = pool
        return pool

    def _redirected(self, method: str, url: str, reply: Reply, can_repeat: bool) -> str:
        target = urljoin(url, reply.headers["location"])
        reply.message()
        check_url(target.partition("?")[0])
        if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
            raise UnsafeUrl(shown(target), f"'{shown(url)}' redirects away from https")
        if is_inside(target) and not reply.is_from_inside:
            raise UnsafeUrl(shown(target), f"'{shown(url)}' redirects into this machine or its network")
        if method != "GET" and (reply.status not in (307, 308) or not can_repeat):
            raise RemoteRefused(
                shown(url), f"it moved to '{shown(target)}'", hint="run `aimdvc remote set-url` with that"
            )
        return target


def _authorities(url: str) -> dict[str, Any]:
    """Returns whose certificates are believed: what REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE name, or requests has."""
    with requests.Session() as settings:
        found = settings.merge_environment_settings(url, {}, None, None, None)["verify"]
    if not isinstance(found, str):
        return {"ca_certs": DEFAULT_CA_BUNDLE_PATH}
    return {"ca_cert_dir" if os.path.isdir(found) else "ca_certs": found}


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        when = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(when - time.time(), 0.0)


def _reason(error: Exception) -> str:
    if isinstance(error, NewConnectionError):
        return str(error).rpartition(": ")[2]
    if isinstance(error, ReadTimeoutError):
        return "no answer for too long"
    if isinstance(error, SSLError):
        return f"TLS: {error}"
    text = str(error.args[-1]) if error.args else type(error).__name__
    return text[:200]
