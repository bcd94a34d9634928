"""The WSGI servers that can carry the application inside this process: granian, and cheroot where granian has no wheel.

Both start on a port of their own choice, stop on request, and let running requests finish. Granian's worker is driven
through its private classes, as its own process server does; the pin `granian==2.8.*` and a contract test guard that.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

from cheroot import wsgi
from granian import _futures, _granian
from granian.http import HTTP1Settings
from granian.wsgi import _callback_wrapper

from aimdvc.server.app import Application

BACKLOG = 1024
# Granian's private parts have no types, or wrong ones.
_native: Any = _granian
_scheduler: Any = _futures._new_cbscheduler
_NO_TLS: tuple[object, ...] = (False, None, None, None, "tls1.3", None, [], False)


class Backend(Protocol):
    """A running server."""

    @property
    def port(self) -> int: ...

    def stop(self) -> None:
        """Ends it, after the running requests. Safe to repeat."""


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 takes a free one. From here on connections queue up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        sock.set_inheritable(True)
    except OSError:
        sock.close()
        raise
    return sock


class GranianBackend:
    """One granian worker in a thread of this process: no fork, no signals."""

    def __init__(self, application: Application, host: str, port: int, threads: int) -> None:
        listening = listen(host, port)
        self.port = int(listening.getsockname()[1])
        self._signal = _native.WorkerSignal()
        self._loop = asyncio.new_event_loop()
        # The holder owns the descriptor and closes it when the worker ends.
        holder = _native.SocketHolder(listening.detach(), False, BACKLOG)
        sockets = (None, holder)
        worker = _native.WSGIWorker(
            1, sockets, None, 1, 512, threads, 30, BACKLOG, "1", HTTP1Settings(), None, None, *_NO_TLS, (None, None)
        )
        scheduler = _scheduler(self._loop, _callback_wrapper(application, {}, None))
        self._thread = threading.Thread(
            target=worker.serve_mtr, args=(scheduler, self._loop, self._signal), name="aimdvc-granian", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends it, after the running requests. Safe to repeat."""
        self._signal.set()
        self._thread.join(timeout=30)
        self._loop.close()


class CherootBackend:
    """A cheroot server in a thread of this process; pure Python."""

    def __init__(self, application: Application, host: str, port: int, threads: int) -> None:
        self._server = wsgi.Server((host, port), application, numthreads=threads, request_queue_size=128)
        self._server.expiration_interval = 0.05  # how long `stop` waits for the loop to look up
        self._server.prepare()
        self.port = int(self._server.bind_addr[1])
        self._thread = threading.Thread(target=self._server.serve, name="aimdvc-cheroot", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it, after the running requests. Safe to repeat."""
        self._server.stop()
        self._thread.join(timeout=30)


BACKENDS: dict[str, Callable[[Application, str, int, int], Backend]] = {
    "granian": GranianBackend,
    "cheroot": CherootBackend,
}
