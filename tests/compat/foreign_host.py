"""A host that is not ours: stock `git http-backend` and a plain LFS server, behind cheroot on a real port.

Written from Git's and git-lfs's documents (git-http-backend(1); docs/api/batch.md and basic-transfers.md), with nothing
of ours in it: no aimd-pack, no numbering. What such hosts are free to do is switched on by a test.
"""

import base64
import errno
import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cheroot import wsgi

Start = Callable[[str, list[tuple[str, str]]], object]
_MEDIA = "application/vnd.git-lfs+json"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `is_elsewhere` says that it came to the other origin."""

    method: str
    path: str
    headers: dict[str, str]
    is_elsewhere: bool


@dataclass
class Habits:
    """How this host goes about what the protocols leave open."""

    user: str = ""
    password: str = ""
    has_blobs_elsewhere: bool = False
    verifies: bool = False
    ignores_range: bool = False
    cut_at: int = 0
    """The next download that is longer than this breaks off here, once."""
    object_errors: dict[str, tuple[int, str]] = field(default_factory=dict)
    before_receive: Callable[[], object] | None = None
    """Called once, before a push is handled: what another pusher did meanwhile."""


class ForeignHost:
    """Serves the bare repositories of a folder, and the blobs of each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.habits = Habits()
        self.seen: list[Seen] = []
        self.verified: list[str] = []
        root.mkdir()
        self._servers = [self._serve(False), self._serve(True)]
        self.url, self._elsewhere = (f"http://127.0.0.1:{server.bind_addr[1]}" for server in self._servers)

    def create(self, name: str, branch: str = "main") -> Path:
        """Makes an empty repository whose HEAD is the branch, as its web page would."""
        place = self.root / f"{name}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", branch, str(place)], check=True)
        subprocess.run(["git", "config", "http.receivepack", "true"], cwd=place, check=True)
        return place

    def blob(self, name: str, content: bytes) -> Path:
        """Returns where a repository keeps a blob."""
        return self.root / f"{name}.lfs" / hashlib.sha256(content).hexdigest()

    def count(self, method: str, end: str) -> int:
        """Returns how many requests there were whose path ends so."""
        return sum(1 for seen in self.seen if seen.method == method and seen.path.endswith(end))

    def _serve(self, is_elsewhere: bool) -> Any:
        def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
            return self._answer(environ, start, is_elsewhere)

        server = wsgi.Server(("127.0.0.1", 0), answer, numthreads=4)
        server.expiration_interval = 0.05
        server.prepare()
        threading.Thread(target=server.serve, daemon=True).start()
        return server

    def close(self) -> None:
        """Stops both servers."""
        for server in self._servers:
            server.stop()

    def _answer(self, environ: dict[str, Any], start: Start, is_elsewhere: bool) -> Iterable[bytes]:
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.seen.append(Seen(method, path, headers, is_elsewhere))
        length = environ.get("CONTENT_LENGTH")
        body = environ["wsgi.input"].read(*([int(length)] if length else []))
        if not self._may(headers, is_elsewhere):
            challenge = [("WWW-Authenticate", 'Basic realm="foreign"')]
            return _reply(start, "401 Unauthorized", b'{"message":"who are you?"}', _MEDIA, challenge)
        lfs = re.fullmatch(r"/([^/]+?)(?:\.git)?/info/lfs/(.*)", path)
        if lfs is not None:
            return self._lfs(start, method, lfs[1], lfs[2], headers, body)
        return self._git(environ, start, body)

    def _may(self, headers: dict[str, str], is_elsewhere: bool) -> bool:
        if is_elsewhere:
            # As object storage does: a second permission beside the one in the action is an error.
            return "authorization" not in headers and headers.get("x-permit") == "granted"
        if not self.habits.user:
            return True
        pair = f"{self.habits.user}:{self.habits.password}".encode()
        return headers.get("authorization") == "Basic " + base64.b64encode(pair).decode()

    def _git(self, environ: dict[str, Any], start: Start, body: bytes) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/git-receive-pack") and self.habits.before_receive is not None:
            act, self.habits.before_receive = self.habits.before_receive, None
            act()
        passed = {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "CONTENT_LENGTH": str(len(body)),
        }
        for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "HTTP_CONTENT_ENCODING"):
            passed[name] = environ.get(name, "")
        if "HTTP_GIT_PROTOCOL" in environ:
            passed["GIT_PROTOCOL"] = environ["HTTP_GIT_PROTOCOL"]
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=passed, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = lines.pop("Status", "200 OK")
        return _reply(start, status, content, lines.pop("Content-Type", "text/plain"), list(lines.items()))

    def _lfs(
        self, start: Start, method: str, name: str, rest: str, headers: dict[str, str], body: bytes
    ) -> Iterable[bytes]:
        place = self.root / f"{name}.lfs"
        place.mkdir(exist_ok=True)
        if rest == "objects/batch" and method == "POST":
            return _reply(start, "200 OK", json.dumps(self._batch(name, json.loads(body))).encode(), _MEDIA)
        if rest == "verify" and method == "POST":
            told = json.loads(body)
            path = place / told["oid"]
            is_right = path.exists() and path.stat().st_size == told["size"]
            self.verified.append(told["oid"])
            return _reply(start, "200 OK" if is_right else "404 Not Found", b"{}", _MEDIA)
        path = place / rest.rpartition("/")[2]
        if rest.startswith("blobs/") and method == "PUT":
            if hashlib.sha256(body).hexdigest() != path.name:
                return _reply(start, "422 Unprocessable Entity", b'{"message":"other bytes"}', _MEDIA)
            path.write_bytes(body)
            return _reply(start, "200 OK", b"", "text/plain")
        if rest.startswith("blobs/") and method == "GET" and path.exists():
            return self._download(start, path.read_bytes(), headers.get("range", ""))
        return _reply(start, "404 Not Found", b'{"message":"no such thing"}', _MEDIA)

    def _batch(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        operation = request["operation"]
        objects = []
        for blob in request["objects"]:
            oid, known = blob["oid"], {"oid": blob["oid"], "size": blob["size"]}
            is_here = (self.root / f"{name}.lfs" / oid).exists()
            error = self.habits.object_errors.get(oid)
            if error is None and operation == "download" and not is_here:
                error = (404, "not here")
            if error is not None:
                known["error"] = {"code": error[0], "message": error[1]}
            elif operation == "download" or not is_here:
                known["actions"] = self._actions(name, oid, operation)
            objects.append(known)
        return {"objects": objects}

    def _actions(self, name: str, oid: str, operation: str) -> dict[str, Any]:
        api = f"{self.url}/{name}.git/info/lfs"
        store = f"{self._elsewhere}/{name}.git/info/lfs" if self.habits.has_blobs_elsewhere else api
        header = {"X-Permit": "granted"} if self.habits.has_blobs_elsewhere else {}
        actions: dict[str, Any] = {operation: {"href": f"{store}/blobs/{oid}", "header": header, "expires_in": 60}}
        if operation == "upload" and self.habits.verifies:
            actions["verify"] = {"href": f"{api}/verify"}
        return actions

    def _download(self, start: Start, content: bytes, wanted: str) -> Iterable[bytes]:
        status, more, first = "200 OK", [], 0
        match = re.fullmatch(r"bytes=([0-9]+)-[0-9]*", wanted)
        if match is not None and not self.habits.ignores_range:
            first = int(match[1])
            status, more = (
                "206 Partial Content",
                [("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")],
            )
        sent = content[first:]
        if 0 < self.habits.cut_at < len(sent):
            cut, self.habits.cut_at = self.habits.cut_at, 0
            start(status, [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(sent))), *more])
            return _cut(sent[:cut])
        return _reply(start, status, sent, "application/octet-stream", more)


def _cut(content: bytes) -> Iterator[bytes]:
    yield content
    raise ConnectionResetError(errno.ECONNRESET, "cut")


def _reply(start: Start, status: str, body: bytes, kind: str, more: Iterable[tuple[str, str]] = ()) -> Iterable[bytes]:
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *more])
    return [body]


@contextmanager
def foreign_host(root: Path) -> Iterator[ForeignHost]:
    """Runs a host while the `with` lasts."""
    made = ForeignHost(root)
    try:
        yield made
    finally:
        made.close()
