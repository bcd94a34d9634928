"""A blob on a server as a file that can be read anywhere: only the ranges that are asked for travel.

What is read so is not hash-checked, as a part of a blob has no hash; whoever wants that downloads it.
"""

import io
from collections.abc import Callable
from typing import BinaryIO

from aimdvc.errors import RemoteRefused, RemoteUnreachable
from aimdvc.model.pointer import Pointer
from aimdvc.remote.basic import Action, Expired, continues, refuse, send_action
from aimdvc.remote.session import TRIES, Session
from aimdvc.remote.urls import shown

_FIRST = 256 << 10
"""Bytes asked for at a new place; each that is read on from there asks for twice as many as the one before."""

_MOST = 16 << 20


def open_ranges(session: Session, base: str, pointer: Pointer, ask: Callable[[], Action]) -> BinaryIO:
    """Returns a blob as a seekable file; `ask` gives where it is now. Reading raises RemoteError."""
    return io.BufferedReader(RangedBlob(session, base, pointer, ask), _FIRST)


class RangedBlob(io.RawIOBase):
    """The bytes of a blob on a server. Holds the last range that came, of at most 16 MiB."""

    def __init__(self, session: Session, base: str, pointer: Pointer, ask: Callable[[], Action]) -> None:
        super().__init__()
        self._session = session
        self._base = base
        self._pointer = pointer
        self._ask = ask
        self._action: Action | None = None
        self._position = 0
        self._held = b""
        self._next = 0
        self._window = _FIRST

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Returns the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a position; asks for nothing."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._pointer.size}[whence]
        if start + offset < 0:
            raise ValueError(f"position {start + offset} is before the first byte")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Reads up to as many bytes as the buffer takes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._pointer.size - self._position)
        if wanted <= 0:
            return 0
        begin = self._position - self._next + len(self._held)
        if not (self._held and 0 <= begin < len(self._held)):
            self._fill(wanted)
            begin = 0
        piece = self._held[begin : begin + wanted]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _fill(self, wanted: int) -> None:
        """Holds the bytes from the position on: more of them the longer they are read one after the other."""
        self._window = min(self._window * 2, _MOST) if self._position == self._next else _FIRST
        size = min(max(wanted, self._window), self._pointer.size - self._position)
        self._held = self._fetch(self._position, min(size, _MOST))
        self._next = self._position + len(self._held)

    def _fetch(self, start: int, size: int) -> bytes:
        for attempt in range(TRIES):
            try:
                return self._fetch_once(start, size)
            except (Expired, RemoteUnreachable) as error:
                self._action = None
                if attempt == TRIES - 1:
                    raise (error.refusal if isinstance(error, Expired) else error) from error
                self._session.wait(attempt, error.headers if isinstance(error, Expired) else {})
        raise AssertionError("the last try returns or raises")

    def _fetch_once(self, start: int, size: int) -> bytes:
        if self._action is None:
            self._action = self._ask()
        headers = {"Range": f"bytes={start}-{start + size - 1}"}
        reply = send_action(self._session, self._base, "GET", self._action, headers)
        if not 200 <= reply.status < 300:
            raise refuse(self._session, self._action, reply)
        if not continues(reply, start, self._action):
            reply.close()
            raise RemoteRefused(shown(self._action.href), "it sends no ranges", hint="download the artifact instead")
        parts = []
        left = size
        while left and (chunk := reply.read(left)):
            parts.append(chunk)
            left -= len(chunk)
        reply.close()
        if left:
            raise RemoteUnreachable(shown(self._action.href), f"{left} of {size} bytes did not come")
        return b"".join(parts)
