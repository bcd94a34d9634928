"""What changed between two trees, with renames found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aimdvc.model.entries import Entry, path_bytes

Kind = Literal["added", "deleted", "modified", "renamed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `old` is None for what was added, `new` for what was deleted."""

    kind: Kind
    old: Entry | None
    new: Entry | None

    @property
    def path(self) -> str:
        """Where the entry is now, or was."""
        entry = self.new or self.old
        assert entry is not None
        return entry.path


def with_renames(pairs: Iterable[tuple[Entry | None, Entry | None]]) -> list[Change]:
    """Returns the changes of these pairs by path; the same content gone from one path and new at another is a rename.

    When several paths had the content, the one whose name is the same, else the first, is taken.
    """
    changes: list[Change] = []
    added: list[Entry] = []
    deleted: dict[tuple[str, int], list[Entry]] = {}
    for old, new in pairs:
        if old is not None and new is not None:
            changes.append(Change("modified", old, new))
        elif new is not None:
            added.append(new)
        elif old is not None:
            deleted.setdefault((old.git_id, old.mode), []).append(old)
    for new in added:
        candidates = deleted.get((new.git_id, new.mode), [])
        name = new.path.rpartition("/")[2]
        same = [old for old in candidates if old.path.rpartition("/")[2] == name]
        source = next(iter(same or candidates), None)
        if source is None:
            changes.append(Change("added", None, new))
        else:
            candidates.remove(source)
            changes.append(Change("renamed", source, new))
    changes += [Change("deleted", old, None) for left in deleted.values() for old in left]
    return sorted(changes, key=lambda change: path_bytes(change.path))
