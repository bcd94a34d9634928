"""Lets few large messages be worked on at a time in one process; the others wait for their turn.

A batch of 1,000 objects is 100 KiB, and three MiB while it is read, answered and written. Sixty at once took 100 MiB,
and none of them was done earlier: they wait for the interpreter anyway. A turn is taken when the whole body is there,
so nobody slow has one; and small messages take none, so they wait for nobody.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits

_PATIENCE_S = 30


class Turns:
    """The turns of one process. Safe to use from several threads."""

    def __init__(self, limits: Limits, patience_s: float = _PATIENCE_S) -> None:
        self._large_bytes = limits.large_bytes
        self._free = threading.BoundedSemaphore(limits.large)
        self._patience_s = patience_s

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Is the turn of a message of so many bytes; waits for it. Raises HttpError (429) when it doesn't come."""
        if size < self._large_bytes:
            yield
            return
        if not self._free.acquire(timeout=self._patience_s):
            raise HttpError(429, "the server is busy, try again", {"Retry-After": "3"})
        try:
            yield
        finally:
            self._free.release()
