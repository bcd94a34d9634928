"""Stores small blobs that come one by one, those that come at the same time together: one pack, and one sync, for all.

Whoever comes while a group is written waits, and is in the next one. A blob is durable when its own call returns.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aimdvc.errors import Busy
from aimdvc.model.pointer import Pointer


@dataclass(slots=True)
class _Waiting:
    pointer: Pointer
    content: bytes
    is_done: bool = False
    error: BaseException | None = None


Write = Callable[[Sequence[tuple[Pointer, bytes]]], None]
"""Makes blobs durable, all of them, or raises."""


class GroupCommit:
    """The queue of one process; safe to use from several threads."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Waiting] = []

    def store(self, pointer: Pointer, content: bytes) -> None:
        """Stores a blob whose bytes were hashed.

        Raises what the writing of its group raised, Busy where that was interrupted before it began.
        """
        mine = _Waiting(pointer, content)
        with self._lock:
            self._waiting.append(mine)
        with self._turn:
            if not mine.is_done:
                self._write_group()
        if mine.error is not None:
            raise mine.error
        if not mine.is_done:
            raise Busy("the blob store")

    def _write_group(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting, []
        error: BaseException | None = None
        try:
            self._write([(one.pointer, one.content) for one in group])
        except (
            BaseException
        ) as failure:  # Whatever it is, an interrupt too: nobody in the group may take it for stored.
            error = failure
        for one in group:
            one.is_done, one.error = True, error
