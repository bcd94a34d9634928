"""What differs between two artifacts, by key; their contents are compared by their names, and none is read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter

from aimdvc.model.entries import path_bytes
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.objects import iter_references, iter_sources
from aimdvc.sdk.record import Record

State = tuple[bytes, str, tuple[object, ...]]
"""(key in bytes, key, what there is at it): two are the same when the last are equal."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The keys that one artifact has and the other lacks, and those at which they hold something else, in order."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def iter_states(workspace: Workspace, record: Record) -> Iterator[State]:
    """Yields what an artifact holds, in the order of the keys."""
    references = (
        (path_bytes(one.key), one.key, (one.uri, one.size, one.sha256)) for one in iter_references(workspace, record)
    )
    files = ((path_bytes(one.key), one.key, (one.mode, one.pointer.oid)) for one in iter_sources(workspace, record))
    yield from merge(files, references, key=itemgetter(0))


def compare(old: Iterator[State], new: Iterator[State]) -> Difference:
    """Returns what is new, gone and changed from one to the other; holds one object of each side at a time."""
    found = Difference()
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before[0] < after[0]):
            found.removed.append(before[1] if before is not None else "")
            before = next(old, None)
        elif before is None or after[0] < before[0]:
            found.added.append(after[1])
            after = next(new, None)
        else:
            if before[2] != after[2]:
                found.changed.append(after[1])
            before, after = next(old, None), next(new, None)
    return found
