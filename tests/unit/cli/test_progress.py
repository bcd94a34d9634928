"""The progress bar: silent at first, one line then, and gone at the end."""

import io
import time

import pytest

from aimdvc.ops.progressbar import Bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved by hand."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "200")
    return now


def test_nothing_is_shown_for_the_first_second(clock: list[float]) -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.start("add", 100, "bytes")
    clock[0] += 0.9
    bar.advance(50)
    bar.finish()
    assert out.getvalue() == ""


def test_a_task_of_known_size_shows_its_part_and_the_time_that_is_left(clock: list[float]) -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.start("add", 4 << 20, "bytes")
    clock[0] += 2
    bar.advance(1 << 20)
    assert out.getvalue() == "\radd [██████··················]  25% of 4.0 MiB, 6 s left, 512.0 KiB/s\033[K"
    bar.advance(1 << 20)
    assert out.getvalue().count("\r") == 1, "redrawn too soon"
    clock[0] += 0.2
    bar.advance(1 << 20)
    assert out.getvalue().count("\r") == 2
    bar.finish()
    assert out.getvalue().endswith("\r\033[K")
    bar.finish()
    assert out.getvalue().count("\r") == 3


def test_a_task_of_unknown_size_shows_what_is_done(clock: list[float]) -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.start("copy history", None, "files")
    clock[0] += 2
    bar.advance(3000)
    assert out.getvalue() == "\rcopy history: 3,000, 1,500/s\033[K"
    bar.start("next", None, "files")
    assert out.getvalue().endswith("\r\033[K")
