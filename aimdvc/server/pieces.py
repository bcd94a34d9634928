"""How large the pieces are in which one process sends or takes in blobs: large while they are few, small when many.

Behind a WSGI server a client that takes nothing holds some eight pieces, one that sends some six. So all that goes at
once holds a bounded amount, whoever is slow; and one who transfers alone is faster (docs/decisions/0023).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aimdvc.server.limits import CHUNK_BYTES

LARGEST_BYTES = 1 << 20


class Pieces:
    """Counts what a process sends, or what it takes in. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0

    @contextmanager
    def sized(self) -> Iterator[int]:
        """Is one more transfer; gives the bytes of its pieces: half those of the one before it, 128 KiB at least."""
        with self._lock:
            size = max(CHUNK_BYTES, LARGEST_BYTES >> self._running)
            self._running += 1
        try:
            yield size
        finally:
            with self._lock:
                self._running -= 1
