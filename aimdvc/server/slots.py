"""How much runs at once in one process: over that a request is refused at once (429), and nothing waits without end.

A WSGI server has so many threads, and lets what comes beyond them wait in silence. So fewer requests run than there are
threads: the rest answers who asks whether the server is alive, and refuses. Costly ones (uploads, downloads, packs) are
fewer still, and of either one user has no more than half.
"""

import random
import threading

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits

_BUSY = "the server is busy, try again"


class Slots:
    """Counts what runs. Safe to use from several threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._running = 0
        self._of: dict[str, int] = {}
        self._costly: dict[str, int] = {}
        self._costly_in_all = 0

    def enter(self) -> "Slot":
        """Returns the place of one more request. Raises HttpError (429) where there is none."""
        with self._lock:
            if self._running >= self._limits.running:
                raise self._refusal(_BUSY)
            self._running += 1
        return Slot(self)

    def take(self, user: str, is_costly: bool) -> None:
        """Counts a request as a user's. Raises HttpError (429)."""
        limits = self._limits
        with self._lock:
            running, costly = self._of.get(user, 0), self._costly.get(user, 0)
            if is_costly and self._costly_in_all >= limits.costly:
                raise self._refusal(_BUSY)
            if running >= limits.running_of_one or (is_costly and costly >= limits.costly_of_one):
                raise self._refusal("too many of your requests are running, try again")
            self._of[user] = running + 1
            if is_costly:
                self._costly[user] = costly + 1
                self._costly_in_all += 1

    def leave(self, user: str | None, is_costly: bool) -> None:
        """Counts a request as done; one that was no user's yet has None."""
        with self._lock:
            self._running -= 1
            if user is not None:
                _count_down(self._of, user)
                if is_costly:
                    _count_down(self._costly, user)
                    self._costly_in_all -= 1

    def _refusal(self, message: str) -> HttpError:
        # Those that are refused together don't come back together.
        latest = self._limits.again_s
        return HttpError(429, message, {"Retry-After": str(random.randint(min(1, latest), latest))})


class Slot:
    """The place of one request. Leave it when the answer is sent."""

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots
        self._user: str | None = None
        self._is_costly = False

    def take(self, user: str, is_costly: bool) -> None:
        """Makes it the place of a user's request. Raises HttpError (429)."""
        if self._slots is not None:
            self._slots.take(user, is_costly)
            self._user, self._is_costly = user, is_costly

    def leave(self) -> None:
        """Gives it back. Safe to repeat."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.leave(self._user, self._is_costly)


def _count_down(counts: dict[str, int], user: str) -> None:
    left = counts[user] - 1
    if left:
        counts[user] = left
    else:
        del counts[user]
