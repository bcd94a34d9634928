"""`du`: how much room artifacts and the store take."""

from collections.abc import Iterator
from dataclasses import dataclass

from aimdvc.model.oid import Oid
from aimdvc.ops.roots import used_oids
from aimdvc.ops.workspace import Workspace


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
    """Room on disk, in bytes: `on_disk` is the whole blob store, each blob counted once; `trash` is beside it.

    `spare` is the part of the store that no index, HEAD or pin of now names: what `prune` could take at most.
    """

    artifacts: list[Usage]
    on_disk: int
    spare: int
    trash: int


def du(workspace: Workspace) -> StoreUsage:
    """Returns how much room the artifacts and the store take."""
    used = used_oids(workspace)
    spare = sum(pointer.size for pointer in workspace.blobs.iter_pointers() if bytes.fromhex(pointer.oid) not in used)
    trash = sum(batch.size for batch in workspace.blobs.trash.batches())
    return StoreUsage(list(_usages(workspace)), workspace.blobs.size_on_disk(), spare, trash)


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
