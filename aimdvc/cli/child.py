"""Runs another program as a shell does: with our stdin, stdout and stderr, its exit code passed on, signals too."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from aimdvc.errors import UsageError

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP")


def run_child(arguments: Sequence[str], here: Path, output: int | None = None) -> int:
    """Runs a command to its end and returns its exit code, 128+n where signal n ended it, as a shell does.

    `output` is the descriptor that its stdout goes to, ours if None. What would stop us goes to the command, and we go
    on when it has ended. Raises UsageError for what is no command.
    """
    with _passing_on() as passed:
        try:
            passed.child = subprocess.Popen(arguments, cwd=here, stdout=output)
        except (OSError, ValueError) as error:
            raise _not_run(arguments[0], error) from error
        passed.send(*passed.early)
        code = passed.child.wait()
    return code if code >= 0 else 128 - code


class _Passed:
    """Where signals go: to the child once it is there, till then they are kept."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []

    def send(self, *numbers: int) -> None:
        for number in numbers:
            if self.child is None:
                self.early.append(number)
                continue
            with suppress(ProcessLookupError):
                self.child.send_signal(number)


def _not_run(name: str, error: OSError | ValueError) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    failed = UsageError(f"'{name}' can't be run: {why.lower()}", hint="give a program and its arguments after `--`")
    failed.exit_code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    return failed


@contextmanager
def _passing_on() -> Iterator[_Passed]:
    """Sends what would stop us to the child instead, while the `with` lasts."""
    passed = _Passed()

    def pass_on(number: int, frame: FrameType | None) -> None:
        # The terminal has sent it to a child that was there as well.
        if number != signal.SIGINT or passed.child is None or not _has_terminal():
            passed.send(number)

    numbers = [signal.Signals[name] for name in _PASSED_ON if name in signal.Signals.__members__]
    # What is ignored, as under nohup, stays so for the child.
    before = {number: handler for number in numbers if (handler := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, pass_on)
    try:
        yield passed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Returns whether a terminal sends its signals to our group of processes."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY)
    except (OSError, AttributeError):
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
