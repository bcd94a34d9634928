"""A clock that goes a second each time it is read, so that commits are the same whenever a run is replayed."""

import time as real
from time import struct_time

_BEGIN_S = 1_700_000_000.0


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self._now_s = _BEGIN_S

    def restart(self) -> None:
        """Goes back to the beginning."""
        self._now_s = _BEGIN_S

    def time(self) -> float:
        """Returns the time, a second later than before."""
        self._now_s += 1
        return self._now_s

    def localtime(self, time_s: float) -> struct_time:
        """Returns the time in UTC."""
        return real.gmtime(time_s)
