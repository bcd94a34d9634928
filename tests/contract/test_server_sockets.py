"""Case S07: requests that no HTTP client would send, byte by byte over a socket; on granian and on cheroot."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.granian_backend import GranianBackend
from tests.contract.server_client import LFS, Client, pointer_of

LINKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
"""What somebody would have answered in another's name."""


@pytest.fixture(scope="module", params=[GranianBackend, CherootBackend])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path_factory.mktemp("sockets") / "srv", backend=request.param) as running:
        yield running


def spoken(server: EmbeddedServer, raw: bytes, wait_s: float = 0.5) -> bytes:
    """Sends bytes, and returns whatever comes until the server has nothing more to say."""
    with connected(server) as sock:
        sock.sendall(raw)
        sock.settimeout(wait_s)
        parts = []
        try:
            while part := sock.recv(1 << 16):
                parts.append(part)
        except (TimeoutError, ConnectionResetError):
            pass
        return b"".join(parts)


def connected(server: EmbeddedServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def post(server: EmbeddedServer, headers: str, body: bytes, path: str = "/api/v1/groups") -> bytes:
    key = f"Host: x\r\nAuthorization: Bearer {server.admin_key}\r\nContent-Type: application/json\r\n"
    return f"POST {path} HTTP/1.1\r\n{key}{headers}\r\n".encode() + body


def cut(server: EmbeddedServer, raw: bytes) -> list[int]:
    """Sends bytes and then nothing more; returns the status that comes of it, none where the connection is closed."""
    with connected(server) as sock:
        try:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
            return statuses(sock.recv(1 << 16))
        except OSError:
            return []


def statuses(answer: bytes) -> list[int]:
    """Returns the status of each answer on a connection."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


CHUNKED, GROUP = "Transfer-Encoding: chunked\r\n", b'{"name": "%s"}'
FRAMINGS = {
    "both, length first": (f"Content-Length: 5\r\n{CHUNKED}", b"0\r\n\r\n" + LINKED),
    "both, chunks first": (f"{CHUNKED}Content-Length: 4\r\n", b"0\r\n\r\n" + LINKED),
    "unknown encoding": ("Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n", b"{}" + LINKED),
    "two encodings": (f"{CHUNKED}Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "a list of encodings": ("Transfer-Encoding: identity, chunked\r\n", b'e\r\n{"name": "u8"}\r\n0\r\n\r\n'),
    "an underscore": ("Transfer_Encoding: chunked\r\nContent-Length: 14\r\n", GROUP % b"u9"),
    "two lengths": ("Content-Length: 14\r\nContent-Length: 0\r\n", GROUP % b"u1"),
    "a length with a sign": ("Content-Length: +14\r\n", GROUP % b"u1"),
    "a negative length": ("Content-Length: -1\r\n", GROUP % b"u1"),
    "a list of lengths": ("Content-Length: 14, 14\r\n", GROUP % b"u1"),
    "a length in hex": ("Content-Length: 0xe\r\n", GROUP % b"u1"),
    "a folded header": ("X-A: b\r\n Content-Length: 14\r\n", GROUP % b"u1"),
    "a negative chunk": (CHUNKED, b"-1\r\n\r\n"),
    "a chunk without end": (CHUNKED, b"f" * 18 + b"\r\n{}"),
    "a chunk that is short": (CHUNKED, b"ff\r\n{}\r\n0\r\n\r\n"),
}
"""Ways to say where a body ends that two servers in a row might read differently."""


def test_where_a_body_ends_is_said_in_one_way(shared: EmbeddedServer) -> None:
    for what, (headers, body) in FRAMINGS.items():
        first = cut(shared, post(shared, headers, body))
        assert not first or first[0] in (400, 413, 501), (what, first)
    assert shared.site.accounts.list_groups() == []


def test_a_connection_with_two_lengths_answers_nobody_else(shared: EmbeddedServer) -> None:
    """Granian closes it. Cheroot does not, and is for tests and for machines without granian alone."""
    for what in ("both, length first", "both, chunks first"):
        told = statuses(spoken(shared, post(shared, *FRAMINGS[what])))
        assert told[0] == 400
        assert len(told) == 1 or "cheroot" in type(shared._backend).__module__


def test_chunks_are_read_with_their_extensions_and_trailers(shared: EmbeddedServer) -> None:
    for number, (start, end) in enumerate([(b"e", b"\r\n"), (b'e;a=b;c="d"', b"\r\n"), (b"e", b"X-Evil: 1\r\n\r\n")]):
        body = start + b'\r\n{"name": "v%d"}\r\n0\r\n' % number + end
        assert statuses(spoken(shared, post(shared, CHUNKED, body), 0.2))[0] == 201
    long = post(shared, CHUNKED, b"e;a=" + b"x" * 1_000_000 + b'\r\n{"name": "v9"}\r\n0\r\n\r\n')
    assert all(status < 500 for status in statuses(spoken(shared, long, 0.2)))
    assert Client(shared.url, None).request("GET", "/healthz").status == 200


def test_a_length_that_is_a_lie_keeps_nothing(shared: EmbeddedServer) -> None:
    content = b"content that is cut\n" * 5000
    client = Client(shared.url, shared.admin_key)
    pointer = pointer_of(content)
    for length, sent in ((len(content), content[:-1]), (len(content) + 5, content + b"12345"), (10**18, content)):
        actions = client.batch("a", "upload", [pointer]).json()["objects"][0]["actions"]
        href = urlsplit(actions["upload"]["href"])
        head = f"PUT {href.path}?{href.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        assert cut(shared, head.encode() + sent) in ([400], [422], [])
    assert "upload" in client.batch("a", "upload", [pointer]).json()["objects"][0]["actions"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_compressed_bomb_is_counted_as_it_inflates(shared: EmbeddedServer, times: int) -> None:
    bomb = b" " * (100 << 20)
    for _ in range(times):
        bomb = gzip.compress(bomb, 9)
    client = Client(shared.url, shared.admin_key)
    kind = {"Content-Encoding": "gzip"}
    started_s = time.process_time()
    for url, media in (
        ("/a/info/lfs/objects/batch", LFS),
        ("/a/git-receive-pack", "application/x-git-receive-pack-request"),
        ("/a/git-upload-pack", "application/x-git-upload-pack-request"),
        ("/api/v1/groups", "application/json"),
    ):
        assert client.request("POST", url, bomb, {**kind, "Content-Type": media}).status in (400, 413)
    assert time.process_time() - started_s < 5


def test_connections_that_say_nothing_hold_nobody_up(shared: EmbeddedServer) -> None:
    """Heads that don't end wait outside of the threads; bodies of who may not ask are not waited for."""
    is_cheroot = "cheroot" in type(shared._backend).__module__
    with ExitStack() as held:
        for number in range(8 if is_cheroot else 200):
            sock = held.enter_context(connected(shared))
            if number % 2 or is_cheroot:
                sock.sendall(b"POST /api/v1/groups HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Slow: ")
            else:
                sock.sendall(b"POST /api/v1/groups HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
        started_s = time.monotonic()
        client = Client(shared.url, shared.admin_key)
        for _ in range(5):
            assert client.request("GET", "/api/v1/whoami").status == 200
        assert time.monotonic() - started_s < 10


def test_headers_are_bounded(shared: EmbeddedServer) -> None:
    client = Client(shared.url, shared.admin_key)
    assert client.request("GET", "/api/v1/whoami", headers={"Accept": "x" * 50_000}).status in (400, 413, 431)
    many = "".join(f"X-{number}: 1\r\n" for number in range(5000))
    told = statuses(spoken(shared, f"GET /healthz HTTP/1.1\r\nHost: x\r\n{many}\r\n".encode()))
    assert not told or told[0] in (200, 400, 413, 431)
    long = statuses(spoken(shared, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert not long or 400 <= long[0] < 500
    assert json.loads(client.request("GET", "/api/v1/whoami").body)["user"] == "admin"
