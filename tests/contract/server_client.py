"""A bare HTTP client for the server's contract tests: what a client may send, and what it may not."""

import http.client
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from aimdvc.model.frames import MAGIC, end_frame, frame_header
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer, encode_pointer
from tests.contract.git_packs import Made

LFS = "application/vnd.git-lfs+json"
MAIN = "refs/heads/main"
BLOB = b"some content that is kept outside Git\n" * 3


@dataclass(frozen=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speaks to one server with one key."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.key = key
        self.timeout_s = 20

    def request(
        self,
        method: str,
        url: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        chunked: bool = False,
        key: bool = True,
    ) -> Reply:
        parts = urlsplit(url if url.startswith("http") else self.url + url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = dict(headers or {})
        if key and self.key is not None:
            sent.setdefault("Authorization", "Basic " + b64encode(f"x:{self.key}".encode()).decode())
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout_s)
        try:
            # The server may answer before it has read all of the body.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, target, body, sent, encode_chunked=chunked)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def batch(self, artifact: str, operation: str, pointers: Iterable[Pointer], *transfers: str) -> Reply:
        message = {
            "operation": operation,
            "transfers": list(transfers) or ["basic"],
            "objects": [{"oid": oid, "size": size} for oid, size in pointers],
        }
        url = f"/{artifact}.git/info/lfs/objects/batch"
        return self.request("POST", url, json.dumps(message).encode(), {"Content-Type": LFS, "Accept": LFS})

    def upload(self, artifact: str, *contents: bytes) -> list[Pointer]:
        """Uploads blobs by basic transfers, as stock git-lfs does."""
        pointers = [pointer_of(content) for content in contents]
        by_oid = dict(zip((pointer.oid for pointer in pointers), contents, strict=True))
        for blob in self.batch(artifact, "upload", pointers).json()["objects"]:
            if "actions" in blob:
                reply = self.request("PUT", blob["actions"]["upload"]["href"], by_oid[blob["oid"]], key=False)
                assert reply.status == 200, reply.body
                told = json.dumps({"oid": blob["oid"], "size": len(by_oid[blob["oid"]])}).encode()
                verify = blob["actions"]["verify"]["href"]
                reply = self.request("POST", verify, told, {"Content-Type": LFS}, key=False)
                assert reply.status == 200, reply.body
        return pointers

    def refs(self, artifact: str, service: str = "git-upload-pack") -> dict[str, str]:
        reply = self.request("GET", f"/{artifact}.git/info/refs?service={service}")
        assert reply.status == 200, reply.body
        found = {}
        for line in lines_of(reply.body)[2:]:
            if line and not line.startswith(b"0" * 40):
                git_id, _, rest = line.partition(b" ")
                found[rest.partition(b"\0")[0].strip().decode()] = git_id.decode()
        return found

    def push(
        self, artifact: str, updates: Iterable[tuple[str | None, str | None, str]], pack: bytes, caps: str = ""
    ) -> Reply:
        return self.request(
            "POST",
            f"/{artifact}.git/git-receive-pack",
            push_body(updates, pack, caps),
            {"Content-Type": "application/x-git-receive-pack-request"},
        )


def push_body(updates: Iterable[tuple[str | None, str | None, str]], pack: bytes, caps: str = "") -> bytes:
    """Returns the body of a push: commands, flush, pack."""
    parts = []
    for position, (old, new, ref) in enumerate(updates):
        line = f"{old or '0' * 40} {new or '0' * 40} {ref}".encode()
        parts.append(pkt(line + (b"\0 report-status " + caps.encode() if position == 0 else b"")))
    return b"".join([*parts, b"0000", pack])


def report_of(reply: Reply) -> list[str]:
    """Returns the lines of a push's report (no side band)."""
    assert reply.status == 200, reply.body
    return [line.decode().strip() for line in lines_of(reply.body) if line]


def lines_of(raw: bytes) -> list[bytes]:
    """Returns the pkt-lines; b"" for a flush."""
    found, position = [], 0
    while position < len(raw):
        length = int(raw[position : position + 4], 16)
        found.append(raw[position + 4 : position + length] if length else b"")
        position += length or 4
    return found


def pkt(line: bytes) -> bytes:
    return b"%04x" % (len(line) + 4) + line


def pointer_of(content: bytes) -> Pointer:
    return Pointer(Oid(sha256(content).hexdigest()), len(content))


def aimd_pack(*contents: bytes) -> bytes:
    """Returns an aimd-pack stream."""
    frames = [frame_header(pointer_of(content).oid, len(content)) + content for content in contents]
    return b"".join([MAGIC, *frames, end_frame(len(contents))])


def version_with(made: Made, *pointers: Pointer, parents: tuple[str, ...] = ()) -> str:
    """Adds a commit whose tree holds these pointers to a pack in the making; returns the commit's id."""
    entries = [(b"100644", f"f{n:04}".encode(), made.blob(encode_pointer(p))) for n, p in enumerate(pointers)]
    return made.commit(made.tree(entries), parents)


def first_version(client: Client, artifact: str = "a") -> str:
    """Pushes one version with one blob to an artifact, and returns its commit."""
    made = Made()
    commit = version_with(made, *client.upload(artifact, BLOB))
    assert report_of(client.push(artifact, [(None, commit, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
    return commit
