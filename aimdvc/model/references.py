"""`.aimd/references`: the entries of a version that name a URI instead of holding bytes (docs/protocol.md).

A line each, sorted by the bytes of its key: key, URI, and what is known of `size=`, `etag=` and `sha256=`.
Keys and values are percent-escaped where they hold a space, `%`, a control or a byte beyond ASCII, so a line stays one
line and whatever bytes a key has come back. Fields of a later aimdvc are kept as they are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes, urlsplit

from aimdvc.errors import CorruptRepository, UnsafePath, UnsafeUrl
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.own import REFERENCES
from aimdvc.model.paths import check_entry_path

URI_LIMIT = 8192
"""Bytes of one URI."""

_URI = re.compile(r"[a-z][a-z0-9+.-]*:[\x21-\x7e]+", re.IGNORECASE)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELD = re.compile(r"[a-z0-9_-]+=[\x21-\x7e]*")


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference: `size` is in bytes; None is what is not known. `other` are fields of a later aimdvc."""

    key: str
    uri: str
    size: int | None = None
    etag: str | None = None
    sha256: str | None = None
    other: tuple[str, ...] = ()


References = dict[str, Reference]


def check_reference(reference: Reference) -> Reference:
    """Returns the reference. Raises UnsafePath for its key, UnsafeUrl for its URI or what is recorded of it."""
    check_entry_path(reference.key)
    uri = reference.uri
    if len(uri) > URI_LIMIT or not _URI.fullmatch(uri):
        raise UnsafeUrl(_shown(uri), "is no absolute URI of printable ASCII", hint="escape other bytes as %XX")
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise UnsafeUrl(_shown(uri), "is not a URI") from error
    user, at, _ = parts.netloc.rpartition("@")
    # Of http a user alone may be a token; elsewhere one names a container (abfss://container@account).
    if at and (":" in user or parts.scheme.lower() in ("http", "https")):
        raise UnsafeUrl(
            _shown(uri), "carries a user or password", hint="leave it out: everyone who has the artifact reads it"
        )
    if reference.size is not None and not 0 <= reference.size < 1 << 63:
        raise UnsafeUrl(_shown(uri), f"size is {reference.size}, expected a number of bytes")
    if reference.sha256 is not None and not _SHA256.fullmatch(reference.sha256):
        raise UnsafeUrl(_shown(uri), "sha256 is not 64 lower-case hex digits")
    return reference


def scheme_of(uri: str) -> str:
    """Returns a URI's scheme, in lower case."""
    return uri.partition(":")[0].lower()


def can_read(uri: str) -> bool:
    """Returns whether a URI's scheme is one that aimdvc reads; all others are recorded only."""
    return scheme_of(uri) in ("http", "https", "file")


def parse_references(raw: bytes) -> References:
    """Returns the references by key. Raises CorruptRepository for a line that is none, UnsafePath, UnsafeUrl."""
    found: References = {}
    last = b""
    if raw and not raw.endswith(b"\n"):
        raise CorruptRepository(REFERENCES, "does not end with a line's end")
    for number, line in enumerate(raw.split(b"\n")[:-1], 1):
        reference = _parse_line(line, number)
        key = path_bytes(reference.key)
        if found and key <= last:
            raise CorruptRepository(REFERENCES, f"line {number}: keys are not in order, or one is there twice")
        found[reference.key] = reference
        last = key
    return found


def _parse_line(line: bytes, number: int) -> Reference:
    fields = line.decode("ascii", "replace").split(" ")
    if len(fields) < 2 or not all(fields) or "\ufffd" in "".join(fields):
        raise CorruptRepository(REFERENCES, f"line {number}: expected a key, a URI and fields, one space between")
    known: dict[str, str] = {}
    other = []
    for one in fields[2:]:
        name, _, value = one.partition("=")
        if not _FIELD.fullmatch(one) or name in known:
            raise CorruptRepository(REFERENCES, f"line {number}: a field is not NAME=VALUE, or is there twice")
        if name in ("size", "etag", "sha256"):
            known[name] = value
        else:
            other.append(one)
    if "size" in known and not _NUMBER.fullmatch(known["size"]):
        raise CorruptRepository(REFERENCES, f"line {number}: size is no whole number")
    key, etag = _unescaped(fields[0]), known.get("etag")
    reference = Reference(
        key,
        fields[1],
        int(known["size"]) if "size" in known else None,
        _unescaped(etag) if etag is not None else None,
        known.get("sha256"),
        tuple(other),
    )
    if _dump(reference) != line:
        raise CorruptRepository(REFERENCES, f"line {number}: is not written as aimdvc writes it")
    return check_reference(reference)


def dump_references(references: Mapping[str, Reference]) -> bytes:
    """Returns the file."""
    ordered = sorted(references.values(), key=lambda reference: path_bytes(reference.key))
    return b"".join(_dump(reference) + b"\n" for reference in ordered)


def _dump(reference: Reference) -> bytes:
    fields = [_escaped(reference.key), reference.uri.encode("ascii", "replace")]
    if reference.size is not None:
        fields.append(b"size=%d" % reference.size)
    if reference.etag is not None:
        fields.append(b"etag=" + _escaped(reference.etag))
    if reference.sha256 is not None:
        fields.append(b"sha256=" + reference.sha256.encode("ascii", "replace"))
    return b" ".join([*fields, *(one.encode("ascii", "replace") for one in reference.other)])


def _escaped(text: str) -> bytes:
    return b"".join(
        b"%c" % byte if 0x21 <= byte < 0x7F and byte != 0x25 else b"%%%02X" % byte for byte in path_bytes(text)
    )


def _unescaped(text: str) -> str:
    return path_text(unquote_to_bytes(text))


def _shown(uri: str) -> str:
    clean = "".join(char if char.isprintable() else "?" for char in uri[:200])
    scheme, mark, rest = clean.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else clean


def clash(key: str, paths: Iterable[str]) -> str | None:
    """Returns the path that can't stand beside a key: the same, or one of them inside the other; None for none."""
    for path in paths:
        if path == key or path.startswith(key + "/") or key.startswith(path + "/"):
            return path
    return None


def require_free(key: str, paths: Iterable[str]) -> None:
    """Raises UnsafePath when a path stands where a reference's key is: a key is a file or a reference, never both."""
    other = clash(key, paths)
    if other is not None:
        raise taken(other)


def taken(path: str) -> UnsafePath:
    """Returns the error for a path at which a file and a reference meet."""
    return UnsafePath(path, "is a reference's and a file's place, and can be one of them only", hint="remove one first")


def merge_references(
    base: Mapping[str, Reference], ours: Mapping[str, Reference], theirs: Mapping[str, Reference]
) -> tuple[References, list[str]]:
    """Returns what both sides made of the references, by key, and the keys that both changed otherwise (ours stays)."""
    merged: References = {}
    conflicts = []
    for key in sorted(base.keys() | ours.keys() | theirs.keys(), key=path_bytes):
        was, our, their = base.get(key), ours.get(key), theirs.get(key)
        chosen = their if our == was else our
        if our not in (was, their) and their != was:
            conflicts.append(key)
        if chosen is not None:
            merged[key] = chosen
    return merged, conflicts


def with_known(reference: Reference, size: int | None, etag: str | None, sha256: str | None) -> Reference:
    """Returns the reference with what was found out; what wasn't stays as it was recorded."""
    return replace(
        reference,
        size=reference.size if size is None else size,
        etag=reference.etag if etag is None else etag,
        sha256=reference.sha256 if sha256 is None else sha256,
    )
