"""What is kept of each request once it is answered: the counters, and a line in the access log."""

import re
import time
from dataclasses import dataclass, field

from aimdvc.server.access_log import AccessLog
from aimdvc.server.metrics import Metrics
from aimdvc.server.rights import ANONYMOUS, Caller
from aimdvc.server.routes import ROUTES
from aimdvc.server.routing import Route
from aimdvc.server.slots import Slot

_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""What has the form of a key, wherever somebody put it."""

_PLACES = {(route.method, route.path): at for at, route in enumerate(ROUTES)}


@dataclass(slots=True)
class Trace:
    """One request on its way: what is known of it so far. `received` counts the bytes of its body, inflated.

    `slot` is its place among those that run.
    """

    id: str
    method: str
    path: str
    route: Route | None = None
    caller: Caller = ANONYMOUS
    status: int = 500
    received: int = 0
    started_s: float = field(default_factory=time.monotonic)
    slot: Slot | None = None


class Observer:
    """Counts and logs requests. Close it."""

    def __init__(self, metrics: Metrics | None = None, log: AccessLog | None = None) -> None:
        self.metrics = metrics or new_metrics()
        self._log = log

    def begin(self) -> None:
        """A request came."""
        self.metrics.begin()

    def end(self, trace: Trace, sent: int) -> None:
        """A request is answered, or broke off, after so many bytes of an answer."""
        if trace.slot is not None:
            trace.slot.leave()
        seconds = time.monotonic() - trace.started_s
        place = _PLACES[trace.route.method, trace.route.path] if trace.route is not None else None
        self.metrics.end(place, trace.status, seconds, trace.received, sent)
        if self._log is None:
            return
        self._log.write(
            request=trace.id,
            method=trace.method[:20],
            path=(_KEY.sub("(key)", trace.path) if "-" in trace.path else trace.path)[:4096],
            route=trace.route.path if trace.route is not None else None,
            status=trace.status,
            seconds=seconds,
            received=trace.received,
            sent=sent,
            user=trace.caller.name or None,
            key=trace.caller.key or None,
        )

    def close(self) -> None:
        """Closes the log."""
        self.metrics.close()
        if self._log is not None:
            self._log.close()


def new_metrics(processes: int = 1) -> Metrics:
    """Returns counters for all routes, for so many processes."""
    return Metrics([(route.method, route.path) for route in ROUTES], processes)
