"""LFS basic transfers of single blobs: PUT and verify, GET with a range to go on where it was cut."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from aimdvc.errors import CorruptBlob, ProtocolError, RemoteError, RemoteRefused, UnsafeUrl
from aimdvc.model.pointer import Pointer
from aimdvc.remote.session import Reply, Session
from aimdvc.remote.transfer import BlobSink, BlobSource
from aimdvc.remote.urls import check_url, origin_of, shown

CHUNK = 1 << 20
SMALL = 64 << 10
_EXPIRED = (401, 403, 404, 408, 410, 429, 500, 502, 503, 504)
_REFUSED_HEADERS = {"host", "content-length", "connection", "te", "trailer", "upgrade", "cookie", "range"}
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:[0-9]{1,18}|\*)")

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Action:
    """Where a transfer goes, with the headers that permit it."""

    href: str
    headers: Mapping[str, str]
    offset: int | None = None
    """How many bytes the server has, where it says so: what is sent goes on from there."""


class Expired(RemoteError):
    """An href that works no more, or not yet: a new batch gives another. `refusal` is what to say if it never does.

    `headers` are those of the answer, which may say when.
    """

    def __init__(self, refusal: Exception, headers: Mapping[str, str]) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.headers = headers


def parse_action(action: object, base: str) -> Action:
    """Returns an action of a batch. Raises ProtocolError, UnsafeUrl for an href that leaves http(s), or https."""
    href = action.get("href") if isinstance(action, dict) else None
    headers = action.get("header") or {} if isinstance(action, dict) else None
    if not isinstance(href, str) or not isinstance(headers, dict):
        raise ProtocolError(shown(base), "an action without href")
    check_url(href.partition("?")[0])
    scheme = urlsplit(href).scheme.lower()
    if scheme not in ("http", "https") or (urlsplit(base).scheme == "https" and scheme != "https"):
        raise UnsafeUrl(shown(href), f"'{shown(base)}' sends its transfers away from https")
    clean = {}
    for name, value in headers.items():
        text = f"{name}{value}"
        if not isinstance(value, str) or not text.isprintable() or not text.isascii():
            raise ProtocolError(shown(base), "an action with unreadable headers")
        if name.lower() not in _REFUSED_HEADERS:
            clean[name] = value
    offset = action.get("offset") if isinstance(action, dict) else None
    is_one = isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0
    return Action(href, clean, offset if is_one else None)


def send_action(
    session: Session, base: str, method: str, action: Action, headers: Mapping[str, str], body: object = None
) -> Reply:
    """Sends a request that a batch permitted; our own key goes along only to the remote's own origin."""
    names = {name.lower() for name in action.headers}
    is_own = origin_of(action.href) == origin_of(base) and "authorization" not in names and "?" not in action.href
    return session.send(
        method,
        action.href,
        {**headers, **action.headers},
        body,  # type: ignore[arg-type]
        with_key=is_own,
    )


def refuse(session: Session, action: Action, reply: Reply) -> Exception:
    """Returns what an answer that is not 2xx means: Expired when another batch may help."""
    refusal = session.refusal(action.href, reply)
    return Expired(refusal, reply.headers) if reply.status in _EXPIRED else refusal


def put_blob(
    session: Session, base: str, pointer: Pointer, actions: Mapping[str, Action], source: BlobSource, advance: Advance
) -> None:
    """Sends one blob and has the server verify it. Raises CorruptBlob when ours is the damaged one."""
    action = actions["upload"]
    headers = {"Content-Type": "application/octet-stream"}
    if not any(value.lower() == "chunked" for value in action.headers.values()):
        headers["Content-Length"] = str(pointer.size)
    reply = send_action(session, base, "PUT", action, headers, iter_chunks(source, pointer, advance))
    if not 200 <= reply.status < 300:
        if reply.status == 422:
            source.verify(pointer.oid)
        raise refuse(session, action, reply)
    reply.message()
    ask_verified(session, base, pointer, actions)


def ask_verified(session: Session, base: str, pointer: Pointer, actions: Mapping[str, Action]) -> None:
    """Has the server verify a blob that was sent, where it wants to be asked."""
    verify = actions.get("verify")
    if verify is not None:
        media = "application/vnd.git-lfs+json"
        body = f'{{"oid":"{pointer.oid}","size":{pointer.size}}}'.encode()
        checked = send_action(session, base, "POST", verify, {"Accept": media, "Content-Type": media}, body)
        if not 200 <= checked.status < 300:
            raise refuse(session, verify, checked)
        checked.message()


def iter_chunks(source: BlobSource, pointer: Pointer, advance: Advance) -> Iterator[bytes]:
    """Yields a blob's bytes; the last chunk only when all of them have the hash, so no server keeps a damaged blob."""
    size = 0
    digest = hashlib.sha256()
    held = b""
    with source.open(pointer.oid) as file:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            if size > pointer.size:
                raise CorruptBlob(pointer.oid, f"more than {pointer.size} bytes")
            digest.update(chunk)
            if held:
                yield held
                advance(len(held))
            held = chunk
    if size != pointer.size:
        raise CorruptBlob(pointer.oid, f"{size} bytes instead of {pointer.size}")
    if digest.hexdigest() != pointer.oid:
        raise CorruptBlob(pointer.oid, f"{size} bytes with another hash")
    if held:
        yield held
        advance(len(held))


def get_blob(
    session: Session, base: str, pointer: Pointer, actions: Mapping[str, Action], sink: BlobSink, advance: Advance
) -> None:
    """Gets one blob, from where an earlier try was cut. Raises CorruptBlob, Expired, RemoteUnreachable."""
    action = actions["download"]
    if pointer.size < SMALL:
        reply = send_action(session, base, "GET", action, {})
        if not 200 <= reply.status < 300:
            raise refuse(session, action, reply)
        sink.receive(pointer, _bounded(reply, pointer, action))
        advance(pointer.size)
        return
    partial = sink.partial(pointer)
    try:
        if partial.size_bytes < pointer.size:
            start = partial.size_bytes
            headers = {"Range": f"bytes={start}-"} if start else {}
            reply = send_action(session, base, "GET", action, headers)
            if reply.status == 416:
                partial.restart()
                raise Expired(session.refusal(action.href, reply), reply.headers)
            if not 200 <= reply.status < 300:
                raise refuse(session, action, reply)
            if start and not continues(reply, start, action):
                partial.restart()
            advance(partial.size_bytes)
            while chunk := reply.read(CHUNK):
                if partial.size_bytes + len(chunk) > pointer.size:
                    partial.restart()
                    reply.close()
                    raise CorruptBlob(pointer.oid, f"more than {pointer.size} bytes arrived")
                partial.append(chunk)
                advance(len(chunk))
            reply.close()
        partial.finish()
    finally:
        partial.close()


def _bounded(reply: Reply, pointer: Pointer, action: Action) -> Iterator[bytes]:
    left = pointer.size
    while chunk := reply.read(SMALL):
        left -= len(chunk)
        if left < 0:
            reply.close()
            raise CorruptBlob(pointer.oid, f"more than {pointer.size} bytes arrived from '{shown(action.href)}'")
        yield chunk
    reply.close()


def continues(reply: Reply, start: int, action: Action) -> bool:
    """Returns whether an answer begins where it was asked to; False for the whole blob. Raises RemoteRefused."""
    if reply.status != 206:
        return False
    match = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
    if match is None or int(match[1]) != start:
        reply.close()
        raise RemoteRefused(shown(action.href), "it sent another range than was asked for")
    return True
