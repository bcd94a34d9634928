"""`diff --code`: what two commits of the code pin differently, and what that changes in each artifact.

Reads the lock files of the code commits, and the artifacts' histories from the store; blobs are not needed. Where a
history isn't here, as after a clone of the code, the artifact says so; ops/codehistories.py brings it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aimdvc.git.history import History
from aimdvc.model.changes import Change, with_renames
from aimdvc.model.entries import Entry, path_bytes
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.model.own import ATTRIBUTES, is_own
from aimdvc.ops.codepins import pins_of, resolve_in
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace

LARGEST = 10
"""So many of the changed files are told of by name."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One changed file; sizes in bytes, None on the side that doesn't have it."""

    kind: str
    path: str
    old_path: str | None
    old_size: int | None
    new_size: int | None

    @property
    def weight(self) -> int:
        """How much there is to look at, in bytes."""
        return max(self.old_size or 0, self.new_size or 0)


@dataclass(slots=True)
class ArtifactDiff:
    """How the pin of one artifact differs: `kind` is added, removed, moved, or relocated when only its path does.

    `old` and `new` are what the versions are called. `lacking` are the commits whose history isn't here: then nothing
    is known of the files. `size_change` is in bytes. `summary` has lines on the content, where a reader knows some.
    """

    artifact: str
    kind: str
    old: str | None
    new: str | None
    old_path: str | None
    new_path: str | None
    lacking: list[GitId] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    modified: int = 0
    renamed: int = 0
    size_change: int = 0
    largest: list[FileChange] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CodeDiff:
    """The artifacts that two code commits pin differently; `new` is None for the lock on disk."""

    old: GitId
    new: GitId | None
    artifacts: list[ArtifactDiff]


@dataclass(frozen=True, slots=True)
class TwoLocks:
    """What two code commits pin; `new` None is the lock on disk."""

    old: GitId
    new: GitId | None
    old_pins: Mapping[str, Pin]
    new_pins: Mapping[str, Pin]


def two_locks(workspace: Workspace, revisions: Sequence[str]) -> TwoLocks:
    """Returns what the code pins at one revision and at another, or on disk. Raises UsageError for no commit."""
    commits = [resolve_in(workspace, revision) for revision in revisions]
    old = pins_of(workspace, commits[0])
    if len(commits) == 1:
        return TwoLocks(commits[0], None, old, read_pins(workspace))
    return TwoLocks(commits[0], commits[1], old, pins_of(workspace, commits[1]))


def differing_pins(locks: TwoLocks) -> list[tuple[str, tuple[Pin | None, Pin | None]]]:
    """Returns the artifacts that two locks pin differently, by name."""
    names = sorted(locks.old_pins.keys() | locks.new_pins.keys())
    pairs = [(name, (locks.old_pins.get(name), locks.new_pins.get(name))) for name in names]
    return [(name, pair) for name, pair in pairs if pair[0] != pair[1]]


def diff_code(workspace: Workspace, revisions: Sequence[str]) -> CodeDiff:
    """Returns what differs from one code revision to another, or to the lock on disk. Raises UsageError."""
    locks = two_locks(workspace, revisions)
    found = [_artifact(workspace, name, *pair) for name, pair in differing_pins(locks)]
    return CodeDiff(locks.old, locks.new, found)


def _artifact(workspace: Workspace, name: str, before: Pin | None, after: Pin | None) -> ArtifactDiff:
    history = workspace.history(name) if workspace.repository_path(name).exists() else None
    lacking = [pin.commit for pin in (before, after) if pin and (history is None or not history.has(pin.commit))]
    found = ArtifactDiff(
        name,
        _kind(before, after),
        _called(history, before),
        _called(history, after),
        before.path if before is not None else None,
        after.path if after is not None else None,
        lacking,
    )
    if history is not None and not lacking:
        _count(history, found, before, after)
    return found


def _kind(before: Pin | None, after: Pin | None) -> str:
    if before is None or after is None:
        return "added" if before is None else "removed"
    return "moved" if before.commit != after.commit else "relocated"


def _called(history: History | None, pin: Pin | None) -> str | None:
    if pin is None:
        return None
    return label(history, pin.commit) if history is not None and history.has(pin.commit) else pin.commit[:12]


def _count(history: History, found: ArtifactDiff, before: Pin | None, after: Pin | None) -> None:
    trees = [history.commit(pin.commit).tree if pin is not None else None for pin in (before, after)]
    changes = with_renames(pair for pair in history.tree_changes(*trees) if not _is_hidden(pair))
    files = [_file(history, change) for change in changes]
    counts = {
        kind: sum(1 for file in files if file.kind == kind) for kind in ("added", "deleted", "modified", "renamed")
    }
    found.added, found.removed = counts["added"], counts["deleted"]
    found.modified, found.renamed = counts["modified"], counts["renamed"]
    found.size_change = sum((file.new_size or 0) - (file.old_size or 0) for file in files)
    found.largest = sorted(files, key=lambda file: (-file.weight, path_bytes(file.path)))[:LARGEST]


def _is_hidden(pair: tuple[Entry | None, Entry | None]) -> bool:
    path = (pair[1] or pair[0]).path  # type: ignore[union-attr]
    return is_own(path) or path == ATTRIBUTES


def _file(history: History, change: Change) -> FileChange:
    old_path = change.old.path if change.kind == "renamed" and change.old is not None else None
    return FileChange(change.kind, change.path, old_path, _size(history, change.old), _size(history, change.new))


def _size(history: History, entry: Entry | None) -> int | None:
    if entry is None:
        return None
    if entry.pointer is not None:
        return entry.pointer.size
    return history.blob_size(entry.git_id) if history.has(entry.git_id) else 0
