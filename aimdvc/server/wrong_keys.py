"""Too many wrong keys from one address within a minute: then keys that this process hasn't met are not even looked up.

Behind a proxy all come from one address. So keys that were taken before go on, whatever others try; only failures are
counted, in as little memory as is said here. A key that was revoked is looked up, and refused, as ever.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits

_WINDOW_S = 60.0
_ADDRESSES = 10_000
_KEYS = 10_000


class WrongKeys:
    """Counts them by address. Safe to use from several threads."""

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limits.wrong_keys
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._taken: OrderedDict[bytes, None] = OrderedDict()

    def check(self, address: str, key: str) -> None:
        """Raises HttpError (429) where a key isn't looked up now."""
        with self._lock:
            since, count = self._failures.get(_place(address), (0.0, 0))
            left_s = since + _WINDOW_S - self._now()
            if count < self._limit or left_s <= 0 or _hash(key) in self._taken:
                return
        raise HttpError(429, "too many wrong keys, try again later", {"Retry-After": str(int(left_s) + 1)})

    def note(self, address: str, key: str, is_right: bool) -> None:
        """Notes what a look at a key said."""
        with self._lock:
            if is_right:
                self._taken[_hash(key)] = None
                self._taken.move_to_end(_hash(key))
                if len(self._taken) > _KEYS:
                    self._taken.popitem(last=False)
                return
            place = _place(address)
            since, count = self._failures.get(place, (0.0, 0))
            is_over = since + _WINDOW_S <= self._now() or not count
            self._failures[place] = (self._now(), 1) if is_over else (since, count + 1)
            self._failures.move_to_end(place)
            if len(self._failures) > _ADDRESSES:
                self._failures.popitem(last=False)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _place(address: str) -> str:
    """Returns what is counted together: of IPv6 a /64, which one host has as a whole."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    return address if found.version == 4 else str(ip_network((found, 64), strict=False))
