"""Runs another program as a shell does: with our stdin, stdout and stderr, its exit code passed on, signals too."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
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
            child = subprocess.Popen(arguments, cwd=here, stdout=output)
        except (OSError, ValueError) as error:
            raise _not_run(arguments[0], error) from error
        passed.append(child)
        code = child.wait()
    return code if code >= 0 else 128 - code


def _not_run(name: str, error: OSError | ValueError) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    failed = UsageError(f"'{name}' can't be run: {why.lower()}", hint="give a program and its arguments after `--`")
    failed.exit_code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
    return failed


@contextmanager
def _passing_on() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Sends the signals that would stop us to the child that is put into the list, while the `with` lasts."""
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        # The terminal has sent it to the child as well.
        if number == signal.SIGINT and _has_terminal():
            return
        if not children:
            early.append(number)
        for child in children:
            with suppress(ProcessLookupError):
                child.send_signal(number)

    before: Mapping[signal.Signals, object] = {
        number: signal.getsignal(number)
        for number in (signal.Signals[name] for name in _PASSED_ON if name in signal.Signals.__members__)
    }
    # What is ignored, as under nohup, stays so for the child.
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, pass_on)
    try:
        yield children
    finally:
        for number in handled:
            signal.signal(number, before[number])  # type: ignore[arg-type]
    for early_number in early:
        os.kill(os.getpid(), early_number)


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
