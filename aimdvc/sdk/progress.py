"""Progress of what takes long: a bar on a terminal, or a function of the caller's."""

import sys
from collections.abc import Callable
from typing import Literal

from aimdvc.model.progress import Progress, Silent
from aimdvc.ops.progressbar import Bar

OnProgress = Callable[[str, int, int | None, str], None]
"""Is told (what is done, how much of it, of how much or None, "bytes" or "files") again and again."""


class Told:
    """Tells a function how far each task is."""

    def __init__(self, tell: OnProgress) -> None:
        self._tell = tell
        self._label, self._unit = "", "bytes"
        self._done = 0
        self._total: int | None = None

    def start(self, label: str, total: int | None, unit: Literal["bytes", "files"]) -> None:
        """Begins a task."""
        self._label, self._done, self._total, self._unit = label, 0, total, unit
        self._tell(label, 0, total, unit)

    def advance(self, amount: int) -> None:
        """Adds to what is done."""
        self._done += amount
        self._tell(self._label, self._done, self._total, self._unit)

    def finish(self) -> None:
        """Ends the task."""


def progress_of(tell: OnProgress | None) -> Progress:
    """Returns what shows progress: the caller's function, else a bar where stderr is a terminal, else nothing."""
    if tell is not None:
        if not callable(tell):
            raise TypeError(f"progress is {type(tell).__name__}, expected a function")
        return Told(tell)
    return Bar(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else Silent()
