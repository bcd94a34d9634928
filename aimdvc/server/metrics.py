"""What a server has done, counted for Prometheus, by all of its processes together.

The counters lie in memory that the processes share: each adds to a part of its own, and whoever is asked sums up all.
Text format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

import mmap
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from aimdvc.version import __version__

BOUNDS_S = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
"""The upper bounds of the buckets of a request's duration, in seconds; a last one has no bound."""

_STATUSES = (
    *(200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 406, 409, 413, 415, 416, 422),
    *(429, 431, 500, 502, 503, 507),
)
_STATUS_PLACES = {status: place for place, status in enumerate(_STATUSES)}
_PER_ROUTE = len(_STATUSES) + 1 + len(BOUNDS_S) + 1 + 1
_TOTALS = 3
_CELL = 8


class Metrics:
    """The counters of the routes with these names, and of what has none. Make it before forking; then `join`."""

    def __init__(self, routes: Sequence[tuple[str, str]], processes: int = 1) -> None:
        self._names = [*routes, ("", "none")]
        self._cells = len(self._names) * _PER_ROUTE + _TOTALS
        self._memory = mmap.mmap(-1, self._cells * _CELL * processes)
        self._counters = memoryview(self._memory).cast("q")
        self._processes = processes
        self._free, end = os.pipe()
        os.write(end, bytes(range(processes)))
        os.close(end)
        self._lock = threading.Lock()
        self._base = 0

    def join(self) -> None:
        """Takes a part for this process; one that comes when all are taken shares the last."""
        taken = os.read(self._free, 1)
        self._base = (taken[0] if taken else self._processes - 1) * self._cells

    def close(self) -> None:
        """Gives the memory back."""
        os.close(self._free)
        self._counters.release()
        self._memory.close()

    def begin(self) -> None:
        """Counts a request as running."""
        self._add((len(self._names) * _PER_ROUTE + 2, 1))

    def end(self, route: int | None, status: int, seconds: float, received: int, sent: int) -> None:
        """Counts a request of a route, by its place in the table, as done."""
        start = (route if route is not None else len(self._names) - 1) * _PER_ROUTE
        place = _STATUS_PLACES.get(status, len(_STATUSES))
        bucket = bisect_left(BOUNDS_S, seconds)
        totals = len(self._names) * _PER_ROUTE
        first = start + len(_STATUSES) + 1
        self._add(
            (start + place, 1),
            (first + bucket, 1),
            (first + len(BOUNDS_S) + 1, round(seconds * 1e6)),
            (totals, received),
            (totals + 1, sent),
            (totals + 2, -1),
        )

    def _add(self, *changes: tuple[int, int]) -> None:
        with self._lock:
            for cell, amount in changes:
                self._counters[self._base + cell] += amount

    def _sum(self, cell: int) -> int:
        return sum(self._counters[place] for place in range(cell, self._processes * self._cells, self._cells))

    def text(self) -> str:
        """Returns all of it, as Prometheus reads it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield "# TYPE aimdvc_build_info gauge"
        yield f'aimdvc_build_info{{version="{__version__}"}} 1'
        totals = len(self._names) * _PER_ROUTE
        for at, (name, kind) in enumerate(
            (("received_bytes_total", "counter"), ("sent_bytes_total", "counter"), ("running_requests", "gauge"))
        ):
            yield f"# TYPE aimdvc_{name} {kind}"
            yield f"aimdvc_{name} {self._sum(totals + at)}"
        yield "# TYPE aimdvc_requests_total counter"
        for number, (method, route) in enumerate(self._names):
            for at, status in enumerate((*_STATUSES, "other")):
                if count := self._sum(number * _PER_ROUTE + at):
                    yield f'aimdvc_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
        yield "# TYPE aimdvc_request_seconds histogram"
        for number, (method, route) in enumerate(self._names):
            yield from self._histogram(f'method="{method}",route="{route}"', number * _PER_ROUTE + len(_STATUSES) + 1)

    def _histogram(self, labels: str, first: int) -> Iterator[str]:
        counts = [self._sum(first + at) for at in range(len(BOUNDS_S) + 1)]
        if not any(counts):
            return
        for at, bound in enumerate((*BOUNDS_S, "+Inf")):
            yield f'aimdvc_request_seconds_bucket{{{labels},le="{bound}"}} {sum(counts[: at + 1])}'
        yield f"aimdvc_request_seconds_sum{{{labels}}} {self._sum(first + len(BOUNDS_S) + 1) / 1e6:.6f}"
        yield f"aimdvc_request_seconds_count{{{labels}}} {sum(counts)}"
