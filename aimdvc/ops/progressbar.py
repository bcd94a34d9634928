"""The progress bar: one line on a terminal, for whatever takes over a second, gone when it is done."""

import shutil
import time
from typing import Literal, TextIO

from aimdvc.model.sizes import size_text

_SHOWN_AFTER_S = 1.0
_BETWEEN_S = 0.1
_WIDTH = 24


class Bar:
    """Shows a task's progress on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._label = ""
        self._total: int | None = None
        self._unit = "bytes"
        self._done = 0
        self._start_s = 0.0
        self._next_s = 0.0
        self._is_shown = False

    def start(self, label: str, total: int | None, unit: Literal["bytes", "files"]) -> None:
        """Begins a task; nothing is shown for its first second."""
        self.finish()
        self._label, self._total, self._unit, self._done = label, total, unit, 0
        self._start_s = time.monotonic()
        self._next_s = self._start_s + _SHOWN_AFTER_S

    def advance(self, amount: int) -> None:
        """Adds to what is done, and redraws at most ten times a second."""
        self._done += amount
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _BETWEEN_S
            self._draw(now_s - self._start_s)

    def finish(self) -> None:
        """Clears the line."""
        if self._is_shown:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._is_shown = False

    def _draw(self, elapsed_s: float) -> None:
        rate = self._done / elapsed_s if elapsed_s else 0.0
        text = f"{self._label}: {self._amount(self._done)}"
        if self._total:
            part = min(self._done / self._total, 1.0)
            filled = int(part * _WIDTH)
            bar = "█" * filled + "·" * (_WIDTH - filled)
            left_s = (self._total - self._done) / rate if rate else 0.0
            text = f"{self._label} [{bar}] {part:4.0%} of {self._amount(self._total)}, {max(left_s, 0):.0f} s left"
        text += f", {self._amount(int(rate))}/s"
        self._stream.write("\r" + text[: shutil.get_terminal_size().columns - 1] + "\033[K")
        self._stream.flush()
        self._is_shown = True

    def _amount(self, amount: int) -> str:
        return size_text(amount) if self._unit == "bytes" else f"{amount:,}"
