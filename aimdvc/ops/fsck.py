"""`fsck` and `du`: whether everything that history names is here and whole, and how much room it takes."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from aimdvc.errors import AimdvcError, CorruptBlob, CorruptRepository, MissingBlob
from aimdvc.model.oid import Oid
from aimdvc.model.progress import Progress
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.revisions import labels
from aimdvc.ops.workspace import Workspace


@dataclass(slots=True)
class Damage:
    """One damaged thing: a blob by its oid with the places that need it, or a file of a repository."""

    what: str
    reason: str
    needed_by: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Checked:
    """What `fsck` found. `not_fetched` counts blobs that history names and that were never brought here."""

    blobs: int = 0
    size: int = 0
    commits: int = 0
    not_fetched: int = 0
    damage: list[Damage] = field(default_factory=list)


def fsck(workspace: Workspace, is_quick: bool, progress: Progress) -> Checked:
    """Reads and hashes every blob, walks every commit and tree, and returns the damage. `is_quick` reads no blob."""
    result = Checked()
    damaged = _check_blobs(workspace, is_quick, result, progress)
    for head in workspace.state.heads():
        try:
            _check_history(workspace, head.name, damaged, result)
        except AimdvcError as error:
            result.damage.append(Damage(head.name, error.message))
    _check_index(workspace, damaged, result)
    _check_pins(workspace, result)
    result.damage.extend(damaged.values())
    return result


def _check_blobs(workspace: Workspace, is_quick: bool, result: Checked, progress: Progress) -> dict[Oid, Damage]:
    damaged: dict[Oid, Damage] = {}
    progress.start("fsck", None, "bytes")
    for pointer in workspace.blobs.iter_pointers():
        result.blobs += 1
        result.size += pointer.size
        if is_quick:
            continue
        try:
            workspace.blobs.verify(pointer.oid)
        except (CorruptBlob, MissingBlob) as error:
            damaged[pointer.oid] = Damage(pointer.oid, error.message)
        progress.advance(pointer.size)
    progress.finish()
    return damaged


def _check_history(workspace: Workspace, name: str, damaged: dict[Oid, Damage], result: Checked) -> None:
    history = workspace.history(name)
    named = labels(history)
    seen: set[Oid] = set()
    tips = sorted(set(history.refs().values()))
    visited: set[str] = set()
    for tip in tips:
        if not history.has(tip):
            raise CorruptRepository(str(workspace.repository_path(name)), f"commit {tip} is missing")
        for commit in history.iter_log(tip):
            if commit.id in visited:
                break
            visited.add(commit.id)
            result.commits += 1
            parent = history.commit(commit.parents[0]).tree if commit.parents else None
            version = named.get(commit.id, commit.id[:12])
            for _, new in history.tree_changes(parent, commit.tree):
                if new is None or new.pointer is None:
                    continue
                if new.pointer.oid in damaged:
                    damaged[new.pointer.oid].needed_by.append(f"{name}@{version}:{new.path}")
                seen.add(new.pointer.oid)
    result.not_fetched += len(workspace.blobs.missing(seen))


def _check_index(workspace: Workspace, damaged: dict[Oid, Damage], result: Checked) -> None:
    for head in workspace.state.heads():
        staged = {row.oid: row.path for row in workspace.state.staged(head) if row.oid is not None}
        for oid in workspace.blobs.missing(staged):
            result.damage.append(Damage(oid, "staged, but not in the store", [f"{head.name}:{staged[oid]}"]))
        for oid in staged.keys() & damaged.keys():
            damaged[oid].needed_by.append(f"{head.name}:{staged[oid]} (staged)")


def _check_pins(workspace: Workspace, result: Checked) -> None:
    have = {head.name for head in workspace.state.heads()}
    for name, pin in read_pins(workspace).items():
        if name in have and not workspace.history(name).has(pin.commit):
            result.damage.append(Damage(f"aimdvc.lock: {name}", f"pins commit {pin.commit}, which is not here"))


@dataclass(frozen=True, slots=True)
class Usage:
    """Room that one artifact takes: `size` of all its versions' blobs in bytes, `checked_out` of HEAD's alone."""

    artifact: str
    versions: int
    blobs: int
    size: int
    checked_out: int


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """Room on disk: `on_disk` is the whole blob store in bytes, each blob counted once."""

    artifacts: list[Usage]
    on_disk: int


def du(workspace: Workspace) -> StoreUsage:
    """Returns how much room the artifacts and the store take."""
    return StoreUsage(list(_usages(workspace)), workspace.blobs.size_on_disk())


def _usages(workspace: Workspace) -> Iterator[Usage]:
    for head in workspace.state.heads():
        history = workspace.history(head.name)
        sizes: dict[Oid, int] = {}
        commits = 0
        tip = history.ref("refs/heads/main")
        for commit in history.iter_log(tip) if tip else ():
            commits += 1
            parent = history.commit(commit.parents[0]).tree if commit.parents else None
            for _, new in history.tree_changes(parent, commit.tree):
                if new is not None and new.pointer is not None:
                    sizes[new.pointer.oid] = new.pointer.size
        current = sum(row.size for row in workspace.state.rows(head) if row.mode)
        yield Usage(head.name, commits, len(sizes), sum(sizes.values()), current)
