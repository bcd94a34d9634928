"""A TCP proxy that breaks connections: each is shut after so many bytes, until it has broken enough of them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Forwards to a server; the first `breaks` connections die after `limit` bytes in the given direction."""

    def __init__(self, url: str, limit: int, breaks: int, is_upload: bool) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._limit = limit
        self._left = breaks
        self._is_upload = is_upload
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
        passed = 0
        try:
            while chunk := source.recv(16384):
                passed += len(chunk)
                if is_up is self._is_upload and passed > self._limit and self._take():
                    return
                sink.sendall(chunk)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _take(self) -> bool:
        with self._lock:
            if self._left == 0:
                return False
            self._left -= 1
            self.broken += 1
            return True


@contextmanager
def proxied(url: str, limit: int, breaks: int, is_upload: bool) -> Iterator[Proxy]:
    """Runs a proxy while the `with` lasts."""
    proxy = Proxy(url, limit, breaks, is_upload)
    try:
        yield proxy
    finally:
        proxy.close()
