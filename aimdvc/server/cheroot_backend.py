"""Cheroot inside this process: a server in pure Python, for systems without a wheel of granian, and for the tests.

It differs from granian just where a WSGI application goes wrong, so the contract tests run over both. Needs the
package cheroot, which no extra but `test` brings.
"""

import threading

from cheroot import wsgi

from aimdvc.server.app import Application


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
        # Its threads, which may outlive it for a moment, let go of the application.
        self._server.wsgi_app = None
