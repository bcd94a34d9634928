"""Reads many small blobs out of a bucket: neighbours in a pack by one request, several requests at a time.

A request to an object storage takes some ten milliseconds, whatever it gets. So runs are read ahead, as far as all that
this process reads ahead together allows: a slow client that reads alone, and a hundred of them, hold little.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from aimdvc.server.bucket_index import Place
from aimdvc.server.objects import Objects

_RUN_BYTES = 1 << 20
_GAP_BYTES = 128 << 10
_AHEAD = 4
_AHEAD_BYTES = 32 << 20

Run = list[Place]


class Ahead:
    """How many bytes the requests of one process may have read ahead together. Safe to use from several threads."""

    def __init__(self, size: int = _AHEAD_BYTES) -> None:
        self._lock = threading.Lock()
        self.left = size

    def take(self, size: int) -> bool:
        """Returns whether there was room for so many bytes, which are taken then."""
        with self._lock:
            if size > self.left:
                return False
            self.left -= size
            return True

    def give_back(self, size: int) -> None:
        """Ends that so many bytes are taken."""
        with self._lock:
            self.left += size


def iter_contents(objects: Objects, places: Iterable[Place], ahead: Ahead) -> Iterator[tuple[Place, bytes | None]]:
    """Yields each blob with its bytes, unchecked, in the order of key and offset; None where its key is gone.

    Holds one run of 1 MiB, and what of others there is room for.
    """
    runs = deque(_runs(places))
    reading: deque[tuple[Run, Future[bytes | None]]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        try:
            while runs or reading:
                while runs and len(reading) < _AHEAD and ahead.take(_length(runs[0])):
                    reading.append((runs[0], pool.submit(_read, objects, runs.popleft())))
                yield from _next(objects, runs, reading, ahead)
        finally:
            for run, future in reading:
                future.cancel()
                ahead.give_back(_length(run))


def _next(
    objects: Objects, runs: deque[Run], reading: deque[tuple[Run, Future[bytes | None]]], ahead: Ahead
) -> Iterator[tuple[Place, bytes | None]]:
    """Yields the blobs of the next run; where there was no room to read it ahead, reads it now."""
    if reading:
        run, future = reading[0]
        content = future.result()
        reading.popleft()
        ahead.give_back(_length(run))
    else:
        run = runs.popleft()
        content = _read(objects, run)
    begin = run[0].offset or 0
    for place in run:
        at = (place.offset or 0) - begin
        yield place, None if content is None else content[at : at + place.size]


def _runs(places: Iterable[Place]) -> Iterator[Run]:
    """Yields groups of blobs that lie near to each other."""
    run: Run = []
    for place in sorted(places, key=lambda place: (place.key, place.offset or 0)):
        if run and not _joins(run, place):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _joins(run: Run, place: Place) -> bool:
    last = run[-1]
    if place.key != last.key or place.offset is None or last.offset is None:
        return False
    gap = place.offset - last.offset - last.size
    return gap <= _GAP_BYTES and place.offset + place.size - (run[0].offset or 0) <= _RUN_BYTES


def _length(run: Run) -> int:
    return (run[-1].offset or 0) + run[-1].size - (run[0].offset or 0)


def _read(objects: Objects, run: Run) -> bytes | None:
    begin = run[0].offset or 0
    try:
        return b"".join(objects.get(run[0].key, begin, begin + _length(run)))
    except KeyError:
        return None
