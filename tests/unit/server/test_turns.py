"""Large messages wait for each other, small ones for nobody."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits
from aimdvc.server.turns import Turns

LARGE = Limits().large_bytes


def test_a_large_message_waits_until_one_before_it_is_done_and_a_small_one_does_not() -> None:
    turns = Turns(Limits(large=1))
    is_done = Event()

    def work() -> bool:
        with turns.take(LARGE):
            return is_done.is_set()

    with ThreadPoolExecutor(1) as pool:
        with turns.take(LARGE):
            waiting = pool.submit(work)
            with turns.take(LARGE - 1), turns.take(0):
                assert not waiting.done()
            is_done.set()
        assert waiting.result(20)


def test_who_waits_too_long_is_told_to_come_again_and_took_nothing() -> None:
    turns = Turns(Limits(large=1), patience_s=0.01)
    with turns.take(LARGE), pytest.raises(HttpError, match="busy") as error, turns.take(LARGE):
        pass
    assert (error.value.status, error.value.headers) == (429, {"Retry-After": "3"})
    with turns.take(LARGE):
        pass


def test_a_message_that_fails_gives_its_turn_back() -> None:
    turns = Turns(Limits(large=1), patience_s=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="no message"), turns.take(LARGE):
            raise ValueError("no message")
