"""Finds the MD5 of blobs that nobody computed when they came: in a thread of its own, at a bounded rate.

Wanted is what a listing for AIMD clients could not say. So a server that none of them uses reads nothing for it, and a
listing waits for nothing: the next one says it. What a process that ends leaves undone is wanted again by then.
"""

import logging
import threading
from collections.abc import Callable, Iterable

from aimdvc.errors import AimdvcError, CorruptBlob, MissingBlob
from aimdvc.model.pointer import Pointer
from aimdvc.server.checksums import Md5, note_md5
from aimdvc.server.database import Database
from aimdvc.server.scrub import Pace
from aimdvc.server.storage import BlobStorage

logger = logging.getLogger(__name__)

_RATE = 200 << 20
"""Bytes a second: a third of what one core computes."""
_MOST = 500_000
"""How many blobs are remembered as wanted, some 100 MiB; the others are wanted again."""
_GROUP = 200
_GROUP_BYTES = 256 << 20
"""After so many blobs, or bytes, what is known is kept."""


class Checksummer:
    """What one process has still to find. Safe to use from several threads. Close it."""

    def __init__(self, database: Database, blobs: BlobStorage, rate: int = _RATE) -> None:
        self._database = database
        self._blobs = blobs
        self._rate = rate
        self._lock = threading.Lock()
        self._wanted: dict[Pointer, None] = {}
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    def want(self, pointers: Iterable[Pointer]) -> None:
        """Notes blobs whose MD5 is to be found. Returns at once."""
        with self._lock:
            for pointer in pointers:
                if len(self._wanted) >= _MOST:
                    break
                self._wanted[pointer] = None
            if self._wanted and self._thread is None and not self._ends.is_set():
                # None lives where nothing is wanted: most processes that open a site never list anything.
                self._thread = threading.Thread(target=self._run, name="checksums", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Ends the work within a chunk or two."""
        self._ends.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        pace = Pace(self._rate, self._wait)
        while group := self._next():
            try:
                self._find(group, pace.advance)
            except AimdvcError as error:
                # The database or the storage does not answer: whoever lists them then wants them again.
                logger.warning("checksums: %s", error.message)
                with self._lock:
                    self._wanted.clear()
            except Exception:  # the thread's own boundary: logged, and the next listing begins another one
                logger.exception("checksums failed")
                with self._lock:
                    self._wanted.clear()

    def _wait(self, seconds: float) -> None:
        self._ends.wait(seconds)

    def _next(self) -> list[Pointer]:
        """Returns the blobs to read next; none where there are none, and the thread ends then."""
        with self._lock:
            group: list[Pointer] = []
            size = 0
            while self._wanted and len(group) < _GROUP and size < _GROUP_BYTES and not self._ends.is_set():
                pointer = next(iter(self._wanted))
                del self._wanted[pointer]
                group.append(pointer)
                size += pointer.size
            if not group:
                self._thread = None
            return group

    def _find(self, group: list[Pointer], advance: Callable[[int], None]) -> None:
        found: dict[Pointer, bytes] = {}
        for pointer in group:
            md5 = Md5()
            try:
                for chunk in md5.passing(self._blobs.iter_blob(pointer)):
                    advance(len(chunk))
                    if self._ends.is_set():
                        return
            except (MissingBlob, CorruptBlob):
                # Whoever asks for it is told; one that comes back is wanted again.
                continue
            found[pointer] = md5.digest
        with self._database.write("checksums") as connection:
            for pointer, digest in found.items():
                note_md5(connection, pointer.oid, digest)
