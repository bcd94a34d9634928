"""Blobs that a verb needs on this machine: those missing are fetched, all at once, before anything is written."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

FetchBlobs = Callable[[Workspace, Head, Sequence[Pointer], Progress], None]
"""Brings blobs into the store, verified and durable, or raises. What needs no network never loads one."""


class Means(NamedTuple):
    """What a verb works with beside the workspace: how to fetch blobs, where to show progress, the user's settings."""

    fetch: FetchBlobs
    progress: Progress
    user_config: Path | None = None


def ensure_blobs(workspace: Workspace, head: Head, pointers: Sequence[Pointer], means: Means) -> None:
    """Fetches those of the blobs that the store lacks. Raises MissingBlob or what the remote raises."""
    if not pointers:
        return
    missing = workspace.blobs.claim(pointer.oid for pointer in pointers)
    if missing:
        wanted = list({pointer.oid: pointer for pointer in pointers if pointer.oid in missing}.values())
        means.fetch(workspace, head, wanted, means.progress)
