"""A TCP proxy that counts bytes and breaks connections: each after so many, or all once so many have passed."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Forwards to a server; the first `breaks` connections die after `limit` bytes in the given direction.

    If the limit is one for all connections together, all die that go beyond it. `passed` counts what came through.
    """

    def __init__(self, url: str, limit: int, breaks: int, is_upload: bool, is_for_all: bool = False) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._limit = limit
        self._left = breaks
        self._is_upload = is_upload
        self._is_for_all = is_for_all
        self.passed = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.broken = 0
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Ends all connections and threads."""
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            for source, sink, is_up in ((client, server, True), (server, client, False)):
                self._start(self._pump, source, sink, is_up)

    def _pump(self, source: socket.socket, sink: socket.socket, is_up: bool) -> None:
        here = 0
        try:
            while chunk := source.recv(16384):
                if is_up is self._is_upload:
                    allowed = self._allowed(here, len(chunk))
                    here += allowed
                    sink.sendall(chunk[:allowed])
                    if allowed < len(chunk):
                        return
                else:
                    sink.sendall(chunk)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _allowed(self, here: int, size: int) -> int:
        """Returns how many of the next bytes of a connection, which had `here`, may pass."""
        with self._lock:
            allowed = size
            if self._is_for_all:
                allowed = max(0, min(size, self._limit - self.passed))
            elif here + size > self._limit and self._left > 0:
                self._left -= 1
                self.broken += 1
                allowed = 0
            self.passed += allowed
            return allowed


@contextmanager
def proxied(url: str, limit: int, breaks: int, is_upload: bool, is_for_all: bool = False) -> Iterator[Proxy]:
    """Runs a proxy while the `with` lasts."""
    proxy = Proxy(url, limit, breaks, is_upload, is_for_all)
    try:
        yield proxy
    finally:
        proxy.close()
