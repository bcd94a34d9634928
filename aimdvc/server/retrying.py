"""Tries again what an object storage failed at, with growing pauses. Wraps any kind of Objects.

All calls are safe to repeat: a `complete` or `abort` whose answer was lost finds its work done. What is read goes on
at the byte where it broke off.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from aimdvc.server.objects import Content, Listed, Objects, Unavailable

TRIES = 5
_FIRST_PAUSE_S = 0.1
_T = TypeVar("_T")


class Retrying:
    """An object storage that is asked again."""

    def __init__(self, inner: Objects, sleep: Callable[[float], None] = time.sleep) -> None:
        self._inner = inner
        self._sleep = sleep

    def put(self, key: str, content: Content) -> None:
        """See Objects."""
        self._again(lambda: self._inner.put(key, content))

    def begin(self, key: str) -> str:
        """See Objects. One that was begun in vain is aborted by `gc`."""
        return self._again(lambda: self._inner.begin(key))

    def put_part(self, key: str, upload: str, number: int, content: Content) -> str:
        """See Objects."""
        return self._again(lambda: self._inner.put_part(key, upload, number, content))

    def complete(self, key: str, upload: str, tags: Sequence[str]) -> None:
        """See Objects. Where the answer was lost, what it made is there: nobody else writes to a key of ours."""
        failed = False
        for attempt in range(TRIES):
            if failed and self.size(key) is not None:
                return
            try:
                self._inner.complete(key, upload, tags)
                return
            except Unavailable as error:
                failed = True
                self._pause(attempt, error)

    def abort(self, key: str, upload: str) -> None:
        """See Objects."""
        self._again(lambda: self._inner.abort(key, upload))

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Objects."""
        position = start
        attempt = 0
        while True:
            try:
                for chunk in self._inner.get(key, position, end):
                    attempt = 0
                    position += len(chunk)
                    yield chunk
                return
            except Unavailable as error:
                self._pause(attempt, error)
                attempt += 1

    def size(self, key: str) -> int | None:
        """See Objects."""
        return self._again(lambda: self._inner.size(key))

    def copy(self, source: str, target: str) -> None:
        """See Objects."""
        self._again(lambda: self._inner.copy(source, target))

    def delete(self, keys: Iterable[str]) -> None:
        """See Objects."""
        kept = list(keys)
        self._again(lambda: self._inner.delete(kept))

    def iter_keys(self, prefix: str) -> Iterator[Listed]:
        """See Objects. A listing that fails begins again after the key that it came to."""
        last = ""
        attempt = 0
        while True:
            try:
                for one in self._inner.iter_keys(prefix):
                    if one.key > last:
                        attempt, last = 0, one.key
                        yield one
                return
            except Unavailable as error:
                self._pause(attempt, error)
                attempt += 1

    def iter_begun(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """See Objects."""
        yield from self._again(lambda: list(self._inner.iter_begun(prefix)))

    def href(self, method: str, key: str, size: int, lifetime_s: int) -> str:
        """See Objects."""
        return self._inner.href(method, key, size, lifetime_s)

    def _again(self, call: Callable[[], _T]) -> _T:
        attempt = 0
        while True:
            try:
                return call()
            except Unavailable as error:
                self._pause(attempt, error)
                attempt += 1

    def _pause(self, attempt: int, error: Unavailable) -> None:
        """Waits before the next try. Raises the error where there is none."""
        if attempt >= TRIES - 1:
            raise error
        self._sleep(_FIRST_PAUSE_S * 2**attempt * random.uniform(0.5, 1.5))
