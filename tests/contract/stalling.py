"""A server kept busy: uploads that stall, and who is refused meanwhile."""

import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from select import select
from threading import Event
from urllib.parse import urlsplit

from tests.contract.server_client import LFS, Client, Reply, pointer_of

BLOB = b"x" * 1000


class Stall:
    """An upload that never ends."""

    def __init__(self, href: str, size: int) -> None:
        self._parts = urlsplit(href)
        self._size = size
        self._connection = self._begun()

    def _begun(self) -> socket.socket:
        parts = self._parts
        connection = socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20)
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {self._size}\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        # Granian sends it when a handler reads the body; cheroot before it calls one.
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        return connection

    def hold(self) -> None:
        """Begins it anew where it has ended: under cheroot another request may have come before it.

        Then it was refused itself; cheroot waits ten seconds for its body before it lets go.
        """
        if select([self._connection], [], [], 0)[0]:
            self.end()
            self._connection = self._begun()

    def end(self) -> None:
        self._connection.close()


@contextmanager
def stalled(href: str, size: int) -> Iterator[Stall]:
    """Sends an upload that never ends, while the `with` lasts."""
    stall = Stall(href, size)
    try:
        yield stall
    finally:
        stall.end()


@contextmanager
def unread(client: Client, path: str, body: bytes) -> Iterator[None]:
    """Asks for something in JSON whose answer has begun, and is never read, while the `with` lasts."""
    parts = urlsplit(client.url)
    with socket.socket() as connection:
        connection.settimeout(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((str(parts.hostname), parts.port or 80))
        head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {client.key}\r\n"
        kind = f"Content-Type: {LFS}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall((head + kind).encode() + body)
        assert connection.recv(12) == b"HTTP/1.1 200"
        yield


def upload_href(client: Client, artifact: str = "a") -> str:
    reply = client.batch(artifact, "upload", [pointer_of(BLOB)])
    assert reply.status == 200, reply.body
    return str(reply.json()["objects"][0]["actions"]["upload"]["href"])


def is_refused(reply: Reply) -> bool:
    if reply.status == 429:
        assert 0 <= int(reply.headers["retry-after"]) <= 60
    return reply.status == 429


def refusal(held: Sequence[Stall], client: Client, method: str, url: str, body: bytes | None = None) -> Reply:
    """Asks until it is refused because of what is held: that may not have begun yet."""
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        reply = client.request(method, url, body)
        if is_refused(reply):
            return reply
        for stall in held:
            stall.hold()
        time.sleep(0.01)
    raise AssertionError(f"{url} was not refused")


def settle(client: Client, held: int = 0) -> None:
    """Waits until only `held` requests run: one counts until the server has noticed that its answer was sent."""
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        text = client.request("GET", "/metrics").body.decode()
        # The question itself runs, too.
        if f"\naimdvc_running_requests {held + 1}\n" in text:
            return
        time.sleep(0.01)
    raise AssertionError(f"other than {held} requests run")


def refusals(client: Client) -> int:
    """Returns how many requests were refused so far."""
    text = client.request("GET", "/metrics").body.decode()
    return sum(map(int, re.findall(r'status="429"} ([0-9]+)', text)))


@contextmanager
def busy(client: Client, times: int = 1) -> Iterator[None]:
    """Takes all that may run of a user whose limit is one, until others were refused so often; so they have to be."""
    href, is_held = upload_href(client), Event()

    def hold() -> bool:
        with stalled(href, len(BLOB)) as stall:
            refusal([stall], client, "GET", "/api/v1/objects/admin/a")
            before = refusals(client)
            is_held.set()
            for _ in range(400):
                if refusals(client) >= before + times:
                    return True
                time.sleep(0.02)
        return False

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert is_held.wait(20)
        yield
        assert held.result(), "nobody was refused"
