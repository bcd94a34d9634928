"""Locks between processes of one machine. They save work and keep verbs apart; no blob's safety depends on them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimdvc.errors import Busy
from aimdvc.fs import system
from aimdvc.fs.faults import mapped

_POLL_S = 0.02


@contextmanager
def exclusive(path: Path, what: str, wait_s: float, is_shared: bool = False) -> Iterator[None]:
    """Holds a lock file while the `with` lasts; the kernel lets go of it when the process dies.

    With `is_shared` others may share it, and who wants it alone waits. Raises Busy when another process holds it for
    longer than `wait_s` seconds.
    """
    with mapped(path):
        descriptor = os.open(path, system.WRITE, 0o666)
    try:
        lock(descriptor, what, wait_s, is_shared=is_shared)
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int, what: str, wait_s: float, is_shared: bool = False) -> None:
    """Locks an open file, until it is unlocked or closed. Raises Busy as `exclusive` does."""
    deadline = time.monotonic() + wait_s
    while not system.lock(descriptor, is_shared=is_shared):
        if time.monotonic() > deadline:
            raise Busy(what)
        time.sleep(_POLL_S)


@contextmanager
def locked(descriptor: int, what: str, wait_s: float) -> Iterator[None]:
    """Holds the lock of an open file while the `with` lasts. Raises Busy as `exclusive` does."""
    lock(descriptor, what, wait_s)
    try:
        yield
    finally:
        system.unlock(descriptor)
