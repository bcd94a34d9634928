"""What references name, looked at and read: http(s) without any key of ours, files below roots that the user allows.

Asked for by name only: no verb but `ref check` and `ref fetch` comes here.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from aimdvc.errors import ReferenceChanged, RemoteError, RemoteRefused, StorageError, UnsafeUrl
from aimdvc.fs.faults import mapped
from aimdvc.fs.system import open_any
from aimdvc.model.progress import Progress
from aimdvc.model.references import Reference, References, can_read, scheme_of
from aimdvc.remote.urls import shown

if TYPE_CHECKING:
    # Loaded by whoever opens the session: what lists references has no need of it.
    from aimdvc.remote.session import Reply, Session

_CHUNK = 1 << 20
_GONE = (404, 410)
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """What a URI leads to now: bytes, and the server's tag; None is what isn't told."""

    size: int | None
    etag: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a URI leads to, and its bytes from `start` on."""

    found: Found
    start: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Checked:
    """How a reference stands: `state` is unchanged, changed, missing, unchecked or failed; `reason` says what differs.

    `exit_code` is 0 where nothing is wrong: 3 for what changed or is missing, that of the error for what failed.
    """

    reference: Reference
    state: str
    reason: str = ""
    exit_code: int = 0


@dataclass(slots=True)
class Sources:
    """Where URIs are read: `open_session` is called when the first one is http(s), `roots` may be read as files."""

    open_session: "Callable[[], Session]"
    roots: Sequence[Path] = ()
    _session: "Session | None" = None

    def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            self._session.close()

    def look(self, uri: str) -> Found | None:
        """Returns what a URI leads to, None where nothing is. Raises UnsafeUrl, RemoteError, StorageError."""
        if scheme_of(uri) == "file":
            descriptor = self._open_file(uri)
            if descriptor is None:
                return None
            try:
                return Found(os.fstat(descriptor).st_size, None)
            finally:
                os.close(descriptor)
        reply = self._get(uri)
        if reply is None:
            return None
        reply.close()
        return _found(reply)

    def read(self, uri: str, start: int = 0, etag: str = "") -> Opened | None:
        """Returns what a URI leads to, with its bytes in chunks; None where nothing is. Raises as `look`.

        With `start` and the tag of what is here of it, only the rest comes, where the server has the same and can.
        """
        if scheme_of(uri) == "file":
            descriptor = self._open_file(uri)
            if descriptor is None:
                return None
            return Opened(Found(os.fstat(descriptor).st_size, None), 0, _file_chunks(descriptor))
        reply = self._get(uri, {"Range": f"bytes={start}-", "If-Range": etag} if start else {})
        if reply is not None and start and reply.status in (206, 416):
            rest = _rest(reply, start, etag)
            if rest is not None:
                return rest
            reply.close()
            reply = self._get(uri)
        if reply is None:
            return None
        if reply.status == 206:
            reply.close()
            raise RemoteRefused(shown(uri), "it sent a part, and all of it was asked for")
        return Opened(_found(reply), 0, _reply_chunks(reply))

    def _get(self, uri: str, headers: Mapping[str, str] = _NO_HEADERS) -> "Reply | None":
        if self._session is None:
            self._session = self.open_session()
        url = uri.partition("#")[0]
        reply = self._session.send("GET", url, headers, with_key=False)
        if reply.status in _GONE:
            reply.message()
            return None
        if not 200 <= reply.status < 300 and not (headers and reply.status == 416):
            raise RemoteRefused(shown(url), f"{reply.status} {reply.message()}".strip())
        return reply

    def _open_file(self, uri: str) -> int | None:
        parts = urlsplit(uri)
        path = unquote(parts.path, errors="surrogateescape")
        if parts.netloc not in ("", "localhost") or "\0" in path or not path.startswith("/"):
            raise UnsafeUrl(shown(uri), "a file URI names no host, and an absolute path")
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(os.path.realpath(root)) for root in self.roots):
            raise UnsafeUrl(
                shown(uri),
                "names a file of this machine, and its directory was not allowed",
                hint="if you trust it, name a directory above it with `--allow-root DIR`",
            )
        with mapped(real):
            try:
                descriptor = open_any(str(real))
            except FileNotFoundError:
                return None
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise UnsafeUrl(shown(uri), "is no regular file")
            return descriptor


def check_all(references: References, sources: Sources, is_hashing: bool, progress: Progress) -> Iterator[Checked]:
    """Yields how each reference stands against what is recorded of it; one that can't be read does not hide others."""
    progress.start("check", len(references), "files")
    for reference in references.values():
        try:
            yield _check(reference, sources, is_hashing)
        except (UnsafeUrl, RemoteError, StorageError) as error:
            yield Checked(reference, "failed", error.message, error.exit_code)
        progress.advance(1)
    progress.finish()


def _check(reference: Reference, sources: Sources, is_hashing: bool) -> Checked:
    if not can_read(reference.uri):
        return Checked(reference, "unchecked", f"'{scheme_of(reference.uri)}' is not read by aimdvc")
    if not is_hashing:
        found = sources.look(reference.uri)
        if found is None:
            return _drifted(reference, "missing", "nothing is there")
        differing = drift(reference, found, None)
        return (
            _drifted(reference, "changed", differing) if differing else Checked(reference, *_unknown(reference, found))
        )
    opened = sources.read(reference.uri)
    if opened is None:
        return _drifted(reference, "missing", "nothing is there")
    size, sha256 = _hashed(opened.chunks)
    differing = drift(reference, Found(size, opened.found.etag), sha256)
    if differing:
        return _drifted(reference, "changed", differing)
    if (reference.size, reference.sha256) == (None, None):
        return Checked(reference, "unchecked", f"nothing is recorded of it; its sha256 is {sha256}")
    return Checked(reference, "unchanged")


def _drifted(reference: Reference, state: str, reason: str) -> Checked:
    return Checked(reference, state, reason, ReferenceChanged.exit_code)


def _unknown(reference: Reference, found: Found) -> tuple[str, str]:
    compared = [
        one for one, other in ((reference.size, found.size), (reference.etag, found.etag)) if None not in (one, other)
    ]
    return ("unchanged", "") if compared else ("unchecked", "nothing that is recorded can be compared; try --hash")


def drift(reference: Reference, found: Found, sha256: str | None) -> str:
    """Returns in words how what was found differs from what is recorded; "" when nothing does."""
    pairs = (
        ("size", reference.size, found.size),
        ("etag", reference.etag, found.etag),
        ("sha256", reference.sha256, sha256),
    )
    return "; ".join(
        f"{name} is {there}, recorded is {known}"
        for name, known, there in pairs
        if None not in (known, there) and known != there
    )


def _hashed(chunks: Iterator[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def hash_file(path: Path) -> tuple[int, str]:
    """Returns a file's size in bytes and its sha256."""
    with mapped(path):
        return _hashed(_file_chunks(open_any(str(path))))


def _rest(reply: "Reply", start: int, etag: str) -> Opened | None:
    """Returns what is left of a download that was begun, None when the answer is not of that."""
    if reply.headers.get("etag", etag) != etag:
        return None
    place = reply.headers.get("content-range", "")
    if reply.status == 416:
        if place != f"bytes */{start}":
            return None
        reply.message()
        return Opened(Found(start, etag), start, iter(()))
    match = _CONTENT_RANGE.fullmatch(place)
    if match is None or int(match[1]) != start:
        return None
    return Opened(Found(int(match[2]) if match[2] != "*" else None, etag), start, _reply_chunks(reply))


def _found(reply: "Reply") -> Found:
    length = reply.headers.get("content-length", "")
    is_size = len(length) <= 18 and length.isascii() and length.isdecimal()
    return Found(int(length) if is_size else None, reply.headers.get("etag"))


def _reply_chunks(reply: "Reply") -> Iterator[bytes]:
    try:
        while chunk := reply.read(_CHUNK):
            yield chunk
    finally:
        reply.close()


def _file_chunks(descriptor: int) -> Iterator[bytes]:
    try:
        while chunk := os.read(descriptor, _CHUNK):
            yield chunk
    finally:
        os.close(descriptor)
