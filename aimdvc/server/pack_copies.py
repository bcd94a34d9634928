"""The copies of git packs that one machine holds of a bucket: which are in use, and which go when there are too many.

    copies/<aa>/<artifact>.git, .lock      the packs of an artifact; whoever works on them shares its lock
    copies/evicted-…                       what is being deleted

What was used longest ago goes first, whole artifacts at a time, and none that is in use. Several processes may do it.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import AimdvcError, Busy
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers, temporary_name
from aimdvc.fs.locks import exclusive

COPIES_BYTES = 10 << 30
"""What a machine's copies may have together."""
_PART = 16
"""After so much of the bound was brought here, a sixteenth, copies are counted again."""
_UNUSED_S = 7 * 86_400
_WAIT_S = 60
_EVICTED = "evicted-"


class _Copy(NamedTuple):
    used_s: float
    size: int
    directory: Path


class PackCopies:
    """The directory of one machine's copies."""

    def __init__(self, directory: Path, disk: Disk, bound: int = COPIES_BYTES) -> None:
        self._directory = directory
        self._disk = disk
        self._bound = bound
        self._brought = 0
        self._counting = threading.Lock()

    def use(self, artifact: str) -> tuple[Path, ExitStack]:
        """Returns where an artifact's copies lie, and what to close when they are no longer in use."""
        parent = self._directory / artifact[:2]
        self._disk.make_directory(parent)
        directory = parent / f"{artifact}.git"
        using = ExitStack()
        using.enter_context(exclusive(_lock_of(directory), "the copies of git packs", _WAIT_S, is_shared=True))
        return directory, using

    def grew(self, size: int) -> None:
        """Notes that so many bytes were brought here."""
        with self._counting:
            self._brought += size

    def settle(self) -> None:
        """Evicts, if much was brought here since the last time. Called when a request is done with its packs."""
        with self._counting:
            if self._brought < self._bound // _PART:
                return
            self._brought = 0
        # Whoever's request it was is done, and what is wrong here is none of theirs.
        with suppress(AimdvcError, OSError):
            self.evict()

    def evict(self) -> None:
        """Deletes copies until they have little enough, and what was not used for a week. Nothing where others do."""
        self._disk.make_directory(self._directory)
        with suppress(Busy), exclusive(self._directory / "evict.lock", "the copies of git packs", 0):
            remove_leftovers(self._directory, (_EVICTED,))
            found = sorted(self._iter_copies())
            size = sum(copy.size for copy in found)
            for copy in found:
                if size <= self._bound and time.time() - copy.used_s <= _UNUSED_S:
                    return
                if self._drop(copy):
                    size -= copy.size

    def drop(self, artifact: str) -> None:
        """Deletes the copies of an artifact that is gone; what somebody uses now goes when it is old."""
        directory = self._directory / artifact[:2] / f"{artifact}.git"
        with suppress(FileNotFoundError):
            self._drop(_Copy(directory.stat().st_mtime, 0, directory))

    def _iter_copies(self) -> Iterator[_Copy]:
        for directory in self._directory.glob("*/*.git"):
            # Its packs come and go meanwhile.
            with suppress(FileNotFoundError):
                used_s = directory.stat().st_mtime
                with os.scandir(directory / "objects" / "pack") as entries:
                    yield _Copy(used_s, sum(entry.stat().st_size for entry in entries), directory)

    def _drop(self, copy: _Copy) -> bool:
        """Deletes a copy, unless somebody uses it or has done so by now."""
        with suppress(Busy, FileNotFoundError), exclusive(_lock_of(copy.directory), "copies in use", 0):
            if copy.directory.stat().st_mtime > copy.used_s:
                return False
            # By one rename: a pack without its index would be taken for damage.
            away = self._directory / temporary_name(_EVICTED)
            with mapped(away):
                copy.directory.rename(away)
            shutil.rmtree(away, ignore_errors=True)
            return True
        return False


def _lock_of(directory: Path) -> Path:
    return directory.with_suffix(".lock")
