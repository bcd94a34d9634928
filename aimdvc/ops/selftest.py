"""`selftest`: whether a directory's file system keeps what aimdvc promises there; with processes that are killed."""

import hashlib
import itertools
import os
import random
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aimdvc.errors import AimdvcError, UsageError
from aimdvc.fs import system
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import remove_leftovers, temporary_name
from aimdvc.fs.probes import Probe, probe
from aimdvc.model.oid import Oid
from aimdvc.store.blobs import BlobStore

_PREFIX = ".aimdvc-selftest-"
_KILLS = 12
_LONGEST_S = 0.15


@dataclass(frozen=True, slots=True)
class Tested:
    """What was found of a directory. `is_safe` says that no promise is broken there."""

    directory: str
    probes: list[Probe]

    @property
    def is_safe(self) -> bool:
        """Whether nothing failed."""
        return all(one.outcome != "failed" for one in self.probes)


def try_durability(directory: Path, disk: Disk) -> Tested:
    """Tries a directory's file system; leaves nothing behind. Raises UsageError, StorageError."""
    if not system.HAS_FORK:
        raise UsageError("the self-test tries several processes at once, in a way that this system hasn't")
    if not directory.is_dir():
        raise UsageError(f"'{directory}' is no directory")
    remove_leftovers(directory, (_PREFIX,))
    place = directory / temporary_name(_PREFIX)
    with mapped(place):
        place.mkdir(0o700)
    try:
        found = list(probe(place, disk))
        found.append(_kill(place / "store", disk))
        return Tested(str(directory), found)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _kill(root: Path, disk: Disk) -> Probe:
    """Kills processes while they store blobs: what they said was stored is there, and nothing else is in its place."""
    said: set[Oid] = set()
    chance = random.Random(0)
    for number in range(_KILLS):
        said |= _stored_until_killed(root, number, chance.uniform(0, _LONGEST_S), disk)
    try:
        with BlobStore(root, disk) as store:
            lost = store.missing(said)
            wrong = [pointer.oid for pointer in store.iter_pointers() if not store.is_whole(pointer.oid)]
    except AimdvcError as error:
        return Probe("kill", "failed", error.message)
    if lost or wrong:
        return Probe("kill", "failed", f"{len(lost)} blobs lost and {len(wrong)} damaged of {len(said)} stored")
    return Probe(
        "kill", "ok", f"{_KILLS} processes killed while they wrote; all {len(said)} blobs that they stored are whole"
    )


def _stored_until_killed(root: Path, number: int, after_s: float, disk: Disk) -> set[Oid]:
    """Returns what a process said to be durable before it was killed."""
    reading, writing = os.pipe()
    child = system.go_on_apart(partial(_store_for_ever, root, number, writing, disk))
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        first = said.read(64)  # It has begun: a kill before that would try nothing.
        time.sleep(after_s)
        system.wait_for(child, is_killed=True)
        rest = said.read()
    raw = (first + rest).decode("ascii")
    return {Oid(raw[start : start + 64]) for start in range(0, len(raw) - len(raw) % 64, 64)}


def _store_for_ever(root: Path, number: int, said: int, disk: Disk) -> int:
    """Stores small and large blobs, and says which are durable, until it is killed."""
    with BlobStore(root, disk) as store:
        for count in itertools.count():
            with store.writer() as writer:
                contents = [b"%d %d " % (number, count) * length for length in (1, 200, 20_000)]
                for content in contents:
                    writer.add_bytes(content)
            names = (hashlib.sha256(content).hexdigest() for content in contents)
            os.write(said, "".join(names).encode())
    return 1
