"""Granian inside this process: one worker in a thread, on a port of its own choice.

Its worker is driven through its private classes, as its own process server does; the pin `granian==2.8.*` and the
contract tests guard that.
"""

import asyncio
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from granian import _futures, _granian
from granian.http import HTTP1Settings
from granian.wsgi import _callback_wrapper

from aimdvc.server.app import Application
from aimdvc.server.guard import StartResponse
from aimdvc.server.listening import BACKLOG, listen

# Granian's private parts have no types, or wrong ones.
_native: Any = _granian
_scheduler: Any = _futures._new_cbscheduler
_NO_TLS: tuple[object, ...] = (False, None, None, None, "tls1.3", None, [], False)


class _Held:
    """The application as granian has it: it never lets go of what it was given, this does at the end."""

    # No __dict__: granian wraps it by functools.wraps, which would keep a copy of that.
    __slots__ = ("application",)

    def __init__(self, application: Application) -> None:
        self.application: Application | None = application

    def __call__(self, environ: Mapping[str, object], start_response: StartResponse) -> Iterable[bytes]:
        if self.application is None:
            raise RuntimeError("the server was stopped")
        return self.application(environ, start_response)


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
        self._held = _Held(application)
        scheduler = _scheduler(self._loop, _callback_wrapper(self._held, {}, None))
        self._thread = threading.Thread(
            target=worker.serve_mtr, args=(scheduler, self._loop, self._signal), name="aimdvc-granian", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends it, after the running requests. Safe to repeat."""
        self._signal.set()
        self._thread.join(timeout=30)
        self._loop.close()
        if not self._thread.is_alive():
            self._held.application = None
