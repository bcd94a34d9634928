"""Blobs that come at the same time are written together, and each caller is told of its own."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from aimdvc.errors import Busy, DiskFull
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.group_commit import GroupCommit

Group = Sequence[tuple[Pointer, bytes]]


def pointer(number: int) -> Pointer:
    return Pointer(Oid(f"{number:064x}"), number)


def test_what_comes_while_a_group_is_written_is_written_together() -> None:
    groups: list[list[int]] = []
    begun, may_end = threading.Event(), threading.Event()

    def write(group: Group) -> None:
        groups.append([one.size for one, _ in group])
        if len(groups) == 1:
            begun.set()
            assert may_end.wait(10)

    queue = GroupCommit(write)
    threads = [threading.Thread(target=queue.store, args=(pointer(number), b"")) for number in range(9)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(queue._waiting) < 8:
        pass
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert groups[0] == [0] and sorted(groups[1]) == list(range(1, 9)) and len(groups) == 2


def test_all_of_a_group_that_failed_are_told_and_the_next_one_is_written() -> None:
    is_full = True

    def write(group: Group) -> None:
        if is_full:
            raise DiskFull("disk", "no space left")

    queue = GroupCommit(write)
    with pytest.raises(DiskFull):
        queue.store(pointer(1), b"x")
    is_full = False
    queue.store(pointer(1), b"x")


def test_nobody_takes_for_stored_what_was_interrupted() -> None:
    begun, may_end = threading.Event(), threading.Event()
    told: list[str] = []

    def write(group: Group) -> None:
        if not begun.is_set():
            begun.set()
            assert may_end.wait(10)
        elif group:
            raise KeyboardInterrupt

    queue = GroupCommit(write)

    def store(number: int) -> None:
        try:
            queue.store(pointer(number), b"")
            told.append("stored")
        except KeyboardInterrupt:
            told.append("interrupted")

    threads = [threading.Thread(target=store, args=(number,)) for number in range(3)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(queue._waiting) < 2:
        pass
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert sorted(told) == ["interrupted", "interrupted", "stored"]


def test_one_whose_group_nobody_wrote_is_not_told_that_it_is_stored() -> None:
    queue = GroupCommit(lambda group: None)
    # As where an interrupt meets whoever took the queue, before anything of it is written.
    queue._waiting = _Forgetful()
    with pytest.raises(Busy):
        queue.store(pointer(1), b"x")


class _Forgetful(list[Any]):
    """A queue out of which somebody else took all."""

    def append(self, waiting: object) -> None:
        pass
