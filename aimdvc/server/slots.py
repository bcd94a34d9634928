"""How much runs at once in one process: over that a request is refused at once (429), and nothing waits without end.

A WSGI server has so many threads, and lets what comes beyond them wait in silence. So fewer requests run than there are
threads: the rest answers who asks whether the server is alive, and refuses. Costly ones (uploads, downloads, packs) are
fewer still, and of either one user has no more than half.
"""

import random
import threading
from collections import Counter

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits

_BUSY = "the server is busy, try again"


class Slots:
    """Counts what runs. Safe to use from several threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._running = 0
        self._of: Counter[str] = Counter()
        self._costly: Counter[str] = Counter()

    def enter(self) -> "Slot":
        """Returns the place of one more request. Raises HttpError (429) where there is none."""
        with self._lock:
            if self._running >= self._limits.running:
                raise self._refusal(_BUSY)
            self._running += 1
        return Slot(self)

    def take(self, user: str, is_costly: bool) -> list[Counter[str]]:
        """Counts a request of a user's; returns where it is counted. Raises HttpError (429)."""
        limits = self._limits
        with self._lock:
            if is_costly and self._costly.total() >= limits.costly:
                raise self._refusal(_BUSY)
            if self._of[user] >= limits.running_of_one or (is_costly and self._costly[user] >= limits.costly_of_one):
                raise self._refusal("too many of your requests are running, try again")
            counted = [self._of, self._costly] if is_costly else [self._of]
            for counter in counted:
                counter[user] += 1
        return counted

    def leave(self, user: str, counted: list[Counter[str]]) -> None:
        """Counts a request as done."""
        with self._lock:
            self._running -= 1
            for counter in counted:
                counter[user] -= 1
                if not counter[user]:
                    del counter[user]

    def _refusal(self, message: str) -> HttpError:
        # Those that are refused together don't come back together.
        latest = self._limits.again_s
        return HttpError(429, message, {"Retry-After": str(random.randint(min(1, latest), latest))})


class Slot:
    """The place of one request. Leave it when the answer is sent."""

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots
        self._user = ""
        self._counted: list[Counter[str]] = []

    def take(self, user: str, is_costly: bool) -> None:
        """Makes it the place of a user's request. Raises HttpError (429)."""
        if self._slots is not None:
            self._user, self._counted = user, self._slots.take(user, is_costly)

    def leave(self) -> None:
        """Gives it back. Safe to repeat."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.leave(self._user, self._counted)
