"""The processes of `aimdvc serve`, as far as granian's own parent would do otherwise."""

from types import SimpleNamespace
from typing import Any

from aimdvc.server.run import _OwnSocketServer


def test_workers_that_end_once_the_parent_was_told_to_stop_are_no_failure() -> None:
    """Service managers tell all processes at once. In real ones which is first is chance: 3 of 16 times an error."""
    server = _OwnSocketServer("aimdvc.server.run:serve")
    workers: Any = [SimpleNamespace(interrupt_by_parent=False) for _ in range(2)]
    server.wrks = workers
    server.signal_handler_interrupt()
    assert [worker.interrupt_by_parent for worker in workers] == [True, True]
    assert server.main_loop_interrupt.is_set()
