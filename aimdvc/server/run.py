"""`aimdvc serve`: the server as processes of its own, on granian, with listening sockets that are ours.

We bind and listen before any worker exists, so the port is known and connections queue up from the first moment. The
database is made here and closed again before forking; every worker opens its own. Nothing granian says goes to stdout.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian import _granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from aimdvc.fs.system import allow_open_files
from aimdvc.server.access_log import AccessLog
from aimdvc.server.app import Application
from aimdvc.server.backup import check_restored
from aimdvc.server.listening import BACKLOG, listen_apart
from aimdvc.server.metrics import Metrics
from aimdvc.server.observing import Observer, new_metrics
from aimdvc.server.site import Location, open_site

_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8
_HEAPS = 2
_HELD = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_THREADS = 64
_MAX_WORKERS = 4
_KILL_TIMEOUT_S = 30
_OPEN_FILES = 16_384
_LOGGING: dict[str, object] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"generic": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"}},
    "loggers": {
        "_granian": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "granian.access": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """`access_log` is a file, `-` standard error; `url` what clients call the server, where a proxy is in between."""

    access_log: Path | None = None
    url: str | None = None


Ready = Callable[[str, str | None], None]
"""Takes the server's URL and, at the first start, the administrator's key."""


def serve(
    location: Location,
    host: str,
    port: int,
    ready: Ready,
    options: ServeOptions = ServeOptions(),
    kill_timeout_s: int = _KILL_TIMEOUT_S,
) -> None:
    """Serves what lies at a location until SIGTERM, SIGINT, or a SIGHUP that isn't ignored; call it in the main thread.

    Running requests get `kill_timeout_s` to finish. `ready` is called once, when connections are taken already.
    """
    if options.access_log is not None:
        # The workers open it, and could tell nobody what is wrong with it.
        AccessLog(options.access_log).close()
    # Systems give 1,024 unless asked; connections, and the packs that are kept open, each take one.
    allow_open_files(_OPEN_FILES)
    workers = min(os.cpu_count() or 1, _MAX_WORKERS)
    # The key is told once: where the port is taken it must not have been made yet.
    sockets = listen_apart(host, port, workers)
    try:
        admin_key = _first_start(location)
    except BaseException:  # Whatever stopped it, an interrupt too, frees the port.
        for sock in sockets:
            sock.close()
        raise
    port = sockets[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    # Whoever reads what `ready` says may stop us at once: the signal waits until the workers can take it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    ready(f"http://{shown}:{port}", admin_key)
    server = _OwnSocketServer(
        "aimdvc.server.run:serve",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=_THREADS,
        blocking_threads_idle_timeout=30,
        backlog=BACKLOG,
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
        workers_kill_timeout=kill_timeout_s,
    )
    server.own_sockets = sockets
    server.ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    parent = os.getpid()
    # In memory that the workers share; so they have to be forked, which is what Python 3.14 no longer does unasked.
    multiprocessing.set_start_method("fork", force=True)
    metrics = new_metrics(workers)
    # What is loaded stays to the end: no worker stops to look through it, nor writes to the pages that they share.
    gc.freeze()
    server.serve(target_loader=lambda: _application(location, options, metrics, parent), wrap_loader=False)


def _first_start(location: Location) -> str | None:
    site = open_site(location)
    try:
        check_restored(site.database)
        return site.accounts.first_start()
    finally:
        site.close()


class _OwnSocketServer(MPServer):
    """Granian's process server with our sockets instead of its own; private, hence the pin and a contract test."""

    own_sockets: list[socket.socket]
    ignores_hangup: bool
    """As it was at the start: `nohup` has it so. Else a hangup stops the server as SIGTERM does."""

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        untyped: Any = super()
        untyped._spawn_workers(spawn_target, target_loader)
        # Granian's own handler would start the workers anew.
        signal.signal(signal.SIGHUP, signal.SIG_IGN if self.ignores_hangup else self.signal_handler_interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)

    def signal_handler_interrupt(self, *arguments: Any, **named: Any) -> None:
        # Who tells all processes at once, as service managers do, ends workers that we have not told yet: no failure.
        for worker in self.wrks:
            worker.interrupt_by_parent = True
        untyped: Any = super()
        untyped.signal_handler_interrupt(*arguments, **named)

    def _init_shared_socket(self) -> None:
        self._take(0)

    def _spawn_worker(self, idx: Any, *arguments: Any, **named: Any) -> Any:
        self._take(idx)
        untyped: Any = super()
        return untyped._spawn_worker(idx, *arguments, **named)

    def _take(self, worker: int) -> None:
        """Makes a worker's socket, or the one of all, the one that is handed on."""
        native: Any = _granian
        sock = self.own_sockets[worker % len(self.own_sockets)]
        # What granian itself does on systems without SO_REUSEPORT.
        state: Any = self
        state._ssp = None
        state._shd = native.SocketHolder(sock.fileno(), False, self.backlog)
        state._sfd = sock.fileno()
        state._sso = sock


def _application(location: Location, options: ServeOptions, metrics: Metrics, parent: int) -> Application:
    """Opens the site in a worker, after the fork."""
    # Until granian takes the signals here, too, they end the worker: the parent's handlers would swallow them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    # A terminal tells all of its processes; ours ends the workers, or doesn't.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    _die_with(parent)
    _keep_few_heaps()
    metrics.join()
    log = AccessLog(options.access_log) if options.access_log is not None else None
    return Application(open_site(location), Observer(metrics, log), options.url)


def _die_with(parent: int) -> None:
    """A killed parent leaves no worker behind that would go on serving the port."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def _keep_few_heaps() -> None:
    """Has glibc's malloc share two heaps between all threads.

    It makes up to eight a core, and what was freed in one is of no use to the threads of others: of 64 threads that
    each had a large batch once, 20 MiB stayed. Elsewhere there is nothing to set.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, _HEAPS)
