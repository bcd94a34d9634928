"""The input and output guard: what stands between a WSGI server and the handlers.

WSGI servers differ just where it hurts: behind granian a body that breaks off looks complete, `wsgi.input` knows only
`read(n)`, and an answer without Content-Length that breaks off looks complete too. So handlers never see an environ:
they get a Request whose body counts and raises, and return a Response whose size is always said. The whole process
environment is in granian's environ; nothing but the names read here leaves this module.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs

from aimdvc.server.limits import CHUNK_BYTES, Limits

_IN_NO_PATH = re.compile(r"[\x00-\x1f\x7f\\]")
_CONTROL = re.compile(r"[\x00-\x1f]")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")
_HEADERS = {
    f"HTTP_{name.replace('-', '_').upper()}": name
    for name in (
        *("accept", "authorization", "content-encoding", "host", "range", "expect", "if-none-match"),
        *("idempotency-key", "tus-resumable", "upload-offset"),
    )
}
"""The headers that are read, by their names in an environ."""

_MAX_FIELDS = 20


class HttpError(Exception):
    """A request that is answered with this status. The message is for the client: no path, no secret.

    `hint` is for whoever administers the server on its machine.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class Readable(Protocol):
    """What a WSGI server gives as `wsgi.input`, as far as all of them agree."""

    def read(self, size: int, /) -> bytes: ...


class Body:
    """A request's body. `read` raises HttpError where a WSGI server would only return less.

    With a Content-Length, a short body is an error (400). Without (chunked), the end can't be trusted: whoever reads it
    must know from the content itself where it ends. A gzip body is inflated here; `limit` counts inflated bytes.
    """

    def __init__(self, source: Readable, length: int | None, gzipped: bool) -> None:
        self._source = source
        self._left = length
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
        self._limit: int | None = None
        self._pending = b""
        self.taken = 0
        self.length = None if gzipped else length

    def limit(self, size: int) -> None:
        """Refuses (413) whatever goes over this many bytes, at once when the length is known."""
        self._limit = size
        if self.length is not None and self.length > size:
            raise HttpError(413, f"the body has {self.length} bytes, expected at most {size}")

    def read(self, size: int) -> bytes:
        """Returns up to `size` bytes (`size` > 0), b"" at the end. May be short in the middle."""
        if self._inflate is None:
            return self._count(self._raw(size))
        while True:
            try:
                content = self._inflate.decompress(self._pending, size)
            except zlib.error as error:
                raise HttpError(400, "the gzip body can't be inflated") from error
            self._pending = self._inflate.unconsumed_tail
            if content:
                return self._count(content)
            if self._inflate.eof:
                if self._inflate.unused_data or self._raw(1):
                    raise HttpError(400, "bytes follow the end of the gzip body")
                return b""
            if not self._pending:
                self._pending = self._raw(CHUNK_BYTES)
                if not self._pending:
                    raise HttpError(400, "the gzip body broke off")

    def read_exactly(self, size: int) -> bytes:
        """Returns `size` bytes. Raises HttpError (400) when the body ends before."""
        parts: list[bytes] = []
        while size:
            part = self.read(min(size, CHUNK_BYTES))
            if not part:
                raise HttpError(400, "the body broke off")
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_all(self, limit: int) -> bytes:
        """Returns the whole body. Raises HttpError (413) over the limit."""
        self.limit(limit)
        return b"".join(self.iter_chunks())

    def iter_chunks(self, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Yields the rest of the body, in chunks of so many bytes at most."""
        while chunk := self.read(size):
            yield chunk

    def _raw(self, size: int) -> bytes:
        wanted = size if self._left is None else min(size, self._left)
        if wanted == 0:
            return b""
        try:
            chunk = self._source.read(wanted)
        except (OSError, ValueError, OverflowError) as error:  # cheroot, for a chunked body that breaks off, or lies
            raise HttpError(400, "the body broke off") from error
        if self._left is not None:
            if not chunk:
                raise HttpError(400, f"the body broke off, {self._left} bytes are missing")
            self._left -= len(chunk)
        return chunk

    def _count(self, chunk: bytes) -> bytes:
        self.taken += len(chunk)
        if self._limit is not None and self.taken > self._limit:
            raise HttpError(413, f"the body is too large, expected at most {self._limit} bytes")
        return chunk


class Request(NamedTuple):
    """One request, as far as handlers may know it. `path` keeps the bytes of the URL as text (surrogate escapes).

    `address` is who connected: behind a proxy that one's. `full_content_type` has what follows the media type, too.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content_type: str
    base_url: str
    body: Body
    address: str = ""
    full_content_type: str = ""


class Response(NamedTuple):
    """An answer. `body` is bytes, or an iterable with `size` bytes whose `close`, if any, is called at the end."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    size: int | None = None
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = MappingProxyType({})


StartResponse = Callable[[str, list[tuple[str, str]]], object]


def read_request(environ: Mapping[str, object], limits: Limits, url: str | None = None) -> Request:
    """Returns the request in a WSGI environ; `url` is what clients call the server, None for what the request says.

    No header of a proxy is believed: whoever reaches the port could send it. Raises HttpError (400, 413, 415, 431).
    """
    headers = {name: str(environ[key]) for key, name in _HEADERS.items() if key in environ}
    if headers and max(map(len, headers.values())) > limits.header_bytes:
        raise HttpError(431, "a header is too large")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise HttpError(415, "the body's encoding is not known, expected gzip or none")
    source = environ["wsgi.input"]
    content_type = str(environ.get("CONTENT_TYPE") or "")
    return Request(
        method=str(environ.get("REQUEST_METHOD", "")),
        path=_path(str(environ.get("PATH_INFO", "/"))),
        query=_query(str(environ.get("QUERY_STRING", ""))),
        headers=headers,
        content_type=content_type.partition(";")[0].strip().lower(),
        base_url=url or _base_url(environ, headers.get("host")),
        body=Body(source, _length(environ), encoding in ("gzip", "x-gzip")),  # type: ignore[arg-type]
        address=str(environ.get("REMOTE_ADDR", "")),
        full_content_type=content_type,
    )


def _path(raw: str) -> str:
    """PEP 3333: the path is bytes in latin-1 clothes."""
    if raw.isascii() and raw.isprintable() and "\\" not in raw:
        return raw
    try:
        path = raw.encode("latin-1").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise HttpError(400, "the path is not UTF-8") from error
    if _IN_NO_PATH.search(path):
        raise HttpError(400, "the path has a character that no name may have")
    return path


def _query(raw: str) -> dict[str, str]:
    if not raw:
        return {}
    # Of every href of ours nothing is quoted; what isn't that plain is read the long way.
    if raw.isascii() and raw.isprintable() and "%" not in raw and "+" not in raw:
        pieces = [piece.split("=") for piece in raw.split("&")]
        plain = {piece[0]: piece[1] for piece in pieces if len(piece) == 2}
        if len(plain) == len(pieces) <= _MAX_FIELDS:
            return plain
    try:
        pairs = parse_qs(raw, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise HttpError(400, "the query can't be read") from error
    if any(len(values) > 1 for values in pairs.values()):
        raise HttpError(400, "the query names one thing twice")
    found = {name: values[0] for name, values in pairs.items()}
    if any(_CONTROL.search(text) for pair in pairs.items() for text in (pair[0], *pair[1])):
        raise HttpError(400, "the query has a character that no name may have")
    return found


def _length(environ: Mapping[str, object]) -> int | None:
    # A chunked body has no length; granian and waitress leave Transfer-Encoding in although they undo it.
    raw = environ.get("CONTENT_LENGTH")
    encoding = str(environ.get("HTTP_TRANSFER_ENCODING") or "")
    if encoding:
        # A proxy in front may have believed the other one: https://www.rfc-editor.org/rfc/rfc9112#section-6.1
        if encoding.strip().lower() != "chunked" or raw not in (None, ""):
            raise HttpError(400, "where the body ends is said twice, or in an unknown way")
        return None
    if raw in (None, ""):
        return 0
    text = str(raw)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise HttpError(400, "the Content-Length is not a number")
    return int(text)


def _base_url(environ: Mapping[str, object], host: str | None) -> str:
    if host is None:
        host = f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '')}"
    if not _is_host(host):
        raise HttpError(400, "the Host header is not a host")
    return f"https://{host}" if environ.get("wsgi.url_scheme") == "https" else f"http://{host}"


@lru_cache(maxsize=64)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


class _Counted:
    """An answer's chunks, exactly as many bytes as were promised; else the connection breaks and the client knows."""

    def __init__(self, chunks: Iterable[bytes], size: int, done: Callable[[int], None]) -> None:
        self._chunks = chunks
        self._iterator = iter(chunks)
        self._left = size
        self._sent = 0
        self._done = done

    def __iter__(self) -> "_Counted":
        return self

    def __next__(self) -> bytes:
        chunk = next(self._iterator)
        self._left -= len(chunk)
        if self._left < 0:
            raise RuntimeError("an answer is longer than it said")
        self._sent += len(chunk)
        return chunk

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        done, self._done = self._done, _nothing
        try:
            if close is not None:
                close()
        finally:
            done(self._sent)


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


def _nothing(sent: int) -> None:
    """Says nothing: what was said once is not said again."""


@lru_cache(maxsize=256)
def _is_header_name(text: str) -> bool:
    return _HEADER_NAME.fullmatch(text) is not None


_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def write_response(
    response: Response, start_response: StartResponse, request_id: str, done: Callable[[int], None] = _nothing
) -> Iterable[bytes]:
    """Hands an answer to the WSGI server: status and headers before the iterable, always with Content-Length.

    `done` is called once, with how many bytes of the body went to the WSGI server.
    """
    body = response.body
    size = len(body) if isinstance(body, bytes) else response.size
    if size is None:
        raise RuntimeError("an answer that is streamed must say its size")
    headers = {
        "Content-Type": response.content_type,
        "Content-Length": str(size),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Request-Id": request_id,
        **response.headers,
    }
    for name, value in (*response.headers.items(), ("Content-Type", response.content_type)):
        is_plain = value.isascii() and value.isprintable()
        if not _is_header_name(name) or not (is_plain or _HEADER_VALUE.fullmatch(value)):
            raise RuntimeError(f"header {name!r} can't be sent")
    if response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        # https://www.rfc-editor.org/rfc/rfc9110#section-8.6
        del headers["Content-Length"], headers["Content-Type"]
    start_response(_STATUS_LINES[response.status], list(headers.items()))
    if isinstance(body, bytes):
        if size <= CHUNK_BYTES:
            # Granian's one-shot path wants a list; everything else goes chunk by chunk.
            done(size)
            return [body]
        # Who doesn't take it keeps a place: else granian would hold any number of them.
        body = _pieces(body)
    return _Counted(body, size, done)
