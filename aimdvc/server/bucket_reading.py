"""Reads many small blobs out of a bucket: neighbours in a pack by one request, several requests at a time.

A request to an object storage takes some ten milliseconds, whatever it gets.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from aimdvc.server.bucket_index import Place
from aimdvc.server.objects import Objects

_RUN_BYTES = 4 << 20
_GAP_BYTES = 128 << 10
_AHEAD = 8
_AHEAD_BYTES = 8 << 20

Run = list[Place]


def iter_contents(objects: Objects, places: Iterable[Place]) -> Iterator[tuple[Place, bytes | None]]:
    """Yields each blob with its bytes, unchecked, in the order of key and offset; None where its key is gone.

    Holds some 12 MiB at most.
    """
    runs = iter(_runs(places))
    reading: deque[tuple[Run, Future[bytes | None]]] = deque()
    ahead = 0
    with ThreadPoolExecutor(_AHEAD) as pool:
        while True:
            while len(reading) < _AHEAD and ahead < _AHEAD_BYTES and (run := next(runs, None)) is not None:
                reading.append((run, pool.submit(_read, objects, run)))
                ahead += _length(run)
            if not reading:
                return
            run, future = reading.popleft()
            content = future.result()
            ahead -= _length(run)
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
