"""Bounds how many calls to an object storage run at once in this process. Wraps any kind of Objects.

A call that finds no free place within a minute fails as Busy, which is answered with 503: better than a queue that
grows without end behind a slow storage.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from aimdvc.errors import Busy
from aimdvc.server.objects import Content, Listed, Objects


class Limited:
    """An object storage of which at most `places` calls run at once."""

    def __init__(self, inner: Objects, places: int, patience_s: float = 60) -> None:
        self._inner = inner
        self._free = threading.BoundedSemaphore(places)
        self._patience_s = patience_s

    def put(self, key: str, content: Content) -> None:
        """See Objects."""
        with self._place():
            self._inner.put(key, content)

    def begin(self, key: str) -> str:
        """See Objects."""
        with self._place():
            return self._inner.begin(key)

    def put_part(self, key: str, upload: str, number: int, content: Content) -> str:
        """See Objects."""
        with self._place():
            return self._inner.put_part(key, upload, number, content)

    def complete(self, key: str, upload: str, tags: Sequence[str]) -> None:
        """See Objects."""
        with self._place():
            self._inner.complete(key, upload, tags)

    def abort(self, key: str, upload: str) -> None:
        """See Objects."""
        with self._place():
            self._inner.abort(key, upload)

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Objects. Its place is taken until the last byte was read, or the reading was given up."""
        with self._place():
            yield from self._inner.get(key, start, end)

    def size(self, key: str) -> int | None:
        """See Objects."""
        with self._place():
            return self._inner.size(key)

    def copy(self, source: str, target: str) -> None:
        """See Objects."""
        with self._place():
            self._inner.copy(source, target)

    def delete(self, keys: Iterable[str]) -> None:
        """See Objects."""
        with self._place():
            self._inner.delete(keys)

    def iter_keys(self, prefix: str) -> Iterator[Listed]:
        """See Objects. A listing is maintenance, one at a time, and takes no place."""
        return self._inner.iter_keys(prefix)

    def iter_begun(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """See Objects. A listing takes no place."""
        return self._inner.iter_begun(prefix)

    def href(self, method: str, key: str, size: int, lifetime_s: int) -> str:
        """See Objects. Asks nobody."""
        return self._inner.href(method, key, size, lifetime_s)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._free.acquire(timeout=self._patience_s):
            raise Busy("the server's object storage")
        try:
            yield
        finally:
            self._free.release()
