"""SHA-256 of content as it passes: what is large is hashed in a thread of its own, beside reading and writing it."""

import hashlib
import threading
from collections.abc import Iterable
from queue import Queue
from types import TracebackType

from aimdvc.errors import CorruptBlob
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer

_LARGE = 8 << 20
"""Bytes; from here on a second thread pays."""
_PART = 256 << 10
"""Bytes that are handed over at once, or one chunk where that is larger."""
_AHEAD = 2
"""Parts that wait to be hashed; as many more are with who reads and who hashes."""


class Sha256:
    """Hashes the chunks it is given, in their order; a context manager, for the thread to end with."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._part: list[bytes] = []
        self._part_bytes = 0
        self._waiting: Queue[list[bytes]] = Queue(_AHEAD)
        self._thread: threading.Thread | None = None

    def update(self, chunk: bytes) -> None:
        """Takes the next bytes, and waits where too many aren't hashed yet."""
        self.size_bytes += len(chunk)
        if self._thread is None and (self.size_bytes < _LARGE or not self._begin()):
            self._digest.update(chunk)
            return
        self._part.append(chunk)
        self._part_bytes += len(chunk)
        if self._part_bytes >= _PART:
            self._hand_over()

    def _begin(self) -> bool:
        thread = threading.Thread(target=self._hash, name="sha256", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False  # The system has no more threads to give, or no memory for one: it goes on without.
        self._thread = thread
        return True

    def _hand_over(self) -> None:
        self._waiting.put(self._part)
        self._part, self._part_bytes = [], 0

    def hexdigest(self) -> str:
        """Returns the hash of all that was given, when it is done."""
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """Ends the thread; what waits is hashed first."""
        if self._thread is not None:
            if self._part:
                self._hand_over()
            self._waiting.put([])
            self._thread.join()
            self._thread = None

    def _hash(self) -> None:
        while part := self._waiting.get():
            for chunk in part:
                self._digest.update(chunk)

    def __enter__(self) -> "Sha256":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hashed(chunks: Iterable[bytes], expected: Pointer | None) -> Pointer:
    """Reads all the chunks; returns their pointer. Raises CorruptBlob when they aren't the blob that was expected."""
    with Sha256() as digest:
        for chunk in chunks:
            digest.update(chunk)
            if expected is not None and digest.size_bytes > expected.size:
                raise CorruptBlob(expected.oid, f"more than {expected.size} bytes arrived")
        pointer = Pointer(Oid(digest.hexdigest()), digest.size_bytes)
    if expected is not None and pointer != expected:
        raise CorruptBlob(expected.oid, f"{pointer.size} other bytes arrived")
    return pointer
