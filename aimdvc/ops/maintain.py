"""Keeps the store quick: joins what many small commits, fetches and adds leave behind.

`tidy` ends verbs that add to it, and does nothing until there is much to join; `maintain` is `aimdvc maintenance`.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from aimdvc.errors import AimdvcError
from aimdvc.fs.faults import mapped
from aimdvc.fs.locks import exclusive
from aimdvc.git.consolidate import consolidate, is_due
from aimdvc.ops.workspace import Workspace

_LOCK_WAIT_S = 60.0


@dataclass(slots=True)
class Maintained:
    """What was joined: git packs, loose objects and loose refs of all artifacts, and blob packs."""

    git_packs: int = 0
    loose_objects: int = 0
    loose_refs: int = 0
    blob_packs: int = 0


def maintain(workspace: Workspace) -> Maintained:
    """Joins all small packs and loose objects, and returns what was joined. Raises Busy, IntegrityError."""
    result = Maintained()
    for name in artifact_names(workspace):
        done = consolidate(workspace.repository_path(name), workspace.disk, is_forced=True)
        if done is not None:
            result.git_packs += done.packs
            result.loose_objects += done.loose
        result.loose_refs += workspace.history(name).pack_refs()
    with maintaining(workspace):
        sweeper = workspace.blobs.sweeper()
        if packs := sweeper.small_packs(2):
            sweeper.join(packs)
            result.blob_packs = len(packs)
    return result


def tidy(workspace: Workspace, names: Iterable[str]) -> None:
    """Joins what has become much: a second at most. Never fails: the verb before it is done."""
    # What is wrong here is of no concern to that verb's user; `fsck` and `maintenance` name it.
    with suppress(AimdvcError):
        for name in names:
            if is_due(workspace.repository_path(name)):
                consolidate(workspace.repository_path(name), workspace.disk)
            if workspace.history(name).has_many_loose_refs():
                workspace.history(name).pack_refs()
    with suppress(AimdvcError):
        sweeper = workspace.blobs.sweeper()
        if packs := sweeper.small_packs():
            with maintaining(workspace, 0):
                sweeper.join(packs)


def maintaining(workspace: Workspace, wait_s: float = _LOCK_WAIT_S) -> AbstractContextManager[None]:
    """Keeps other maintenance of the store away, to save work. Raises Busy."""
    workspace.disk.make_directory(workspace.places.store)
    return exclusive(workspace.places.store / "maintenance.lock", "the store's maintenance", wait_s)


def artifact_names(workspace: Workspace) -> list[str]:
    """Returns every artifact that the store has a history of, of all workspaces."""
    directory = workspace.places.store / "repos"
    if not directory.is_dir():
        return []
    with mapped(directory):
        return sorted(path.name.removesuffix(".git") for path in directory.iterdir() if path.name.endswith(".git"))
