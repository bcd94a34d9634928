"""Gives a remote blobs that it lost: it is asked for what its versions need, and sent what is here and not there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.connect import Connection
from aimdvc.ops.workspace import Workspace

_GROUP = 1000


@dataclass(frozen=True, slots=True)
class Healed:
    """How many blobs, of `size` bytes together, the remote has again; `lost` are neither there nor here."""

    blobs: int
    size: int
    lost: int


def heal_blobs(workspace: Workspace, connection: Connection, pointers: Iterable[Pointer], progress: Progress) -> Healed:
    """Sends those of the blobs that the remote lacks. Safe to repeat; one that is damaged here is not sent."""
    absent: list[Pointer] = []
    sent = connection.blobs.upload(_here(workspace, pointers, absent), workspace.blobs, progress)
    lost = len(absent) - len(connection.blobs.present(absent, progress)) if absent else 0
    return Healed(sent.blobs, sent.size_bytes, lost)


def _here(workspace: Workspace, pointers: Iterable[Pointer], absent: list[Pointer]) -> Iterator[Pointer]:
    """Yields the blobs that are in the store, and collects the others."""
    left = iter(pointers)
    while group := list(islice(left, _GROUP)):
        missing = workspace.blobs.missing(pointer.oid for pointer in group)
        for pointer in group:
            if pointer.oid in missing:
                absent.append(pointer)
            else:
                yield pointer
