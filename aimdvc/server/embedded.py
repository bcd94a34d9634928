"""A server inside this process, in threads: what tests start and stop within milliseconds."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from aimdvc.fs.disk import Disk
from aimdvc.server.app import Application
from aimdvc.server.granian_backend import GranianBackend
from aimdvc.server.limits import Limits
from aimdvc.server.site import Location, Site, open_site

_THREADS = 16


class Backend(Protocol):
    """A running WSGI server."""

    @property
    def port(self) -> int:
        """The port that it listens on."""
        ...

    def stop(self) -> None:
        """Ends it, after the running requests. Safe to repeat."""
        ...


StartBackend = Callable[[Application, str, int, int], Backend]
"""Starts a server of the application on (host, port, threads); port 0 takes a free one."""


class EmbeddedServer:
    """Serves a directory on a free port of the loopback interface while its `with` lasts."""

    def __init__(
        self,
        directory: Path,
        backend: StartBackend = GranianBackend,
        limits: Limits | None = None,
        disk: Disk | None = None,
        database_url: str | None = None,
        storage_url: str | None = None,
    ) -> None:
        self._site: Site = open_site(Location(directory, database_url, storage_url), limits, disk)
        self.admin_key = self._site.accounts.first_start()
        """The administrator's key, or None when the directory had been served before."""
        self._application = Application(self._site)
        self._backend = backend(self._application, "127.0.0.1", 0, _THREADS)
        self.url = f"http://127.0.0.1:{self._backend.port}"

    @property
    def site(self) -> Site:
        """What the server works with."""
        return self._site

    def close(self) -> None:
        """Stops the server, after the running requests."""
        self._backend.stop()
        self._application.close()

    def __enter__(self) -> "EmbeddedServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
