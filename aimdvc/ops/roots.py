"""What keeps blobs in the store: of every artifact, workspace and version of the code. Read before anything is taken.

What a root names and can't be read stops the caller: nobody knows what it keeps. Indexes are read before refs: a commit
made meanwhile was in an index then, or its blobs were noted as wanted since (store/catalog.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aimdvc.errors import CorruptRepository
from aimdvc.fs.faults import mapped
from aimdvc.git.codelocks import iter_all_locks, worktree_roots
from aimdvc.git.history import History
from aimdvc.git.reach import Walk, newest_move, tips
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.maintain import artifact_names
from aimdvc.ops.workspace import Workspace
from aimdvc.store.roots import StateRoots, read_roots, state_directories, workspace_path

LOCK = "aimdvc.lock"
_GIT_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


@dataclass(slots=True)
class Roots:
    """What is needed, as raw oids. `used` is what an index, a HEAD or a pin of now names; the rest is history.

    `reached` is by artifact what its refs, reflogs, HEADs and pins reach. `origins` are (artifact, remote, path).
    """

    used: set[bytes] = field(default_factory=set)
    reached: dict[str, dict[bytes, int]] = field(default_factory=dict)
    origins: set[tuple[str, str, str]] = field(default_factory=set)
    newest_s: int = 0

    def is_reached(self, oid: bytes) -> bool:
        """Returns whether anything needs a blob."""
        return oid in self.used or any(oid in sizes for sizes in self.reached.values())


def read_all_roots(workspace: Workspace, progress: Progress) -> Roots:
    """Reads every root of the workspace's store. Raises what keeps one from being read, with what it is a root of."""
    states = StateRoots()
    directories = state_directories(workspace.places)
    for directory in directories:
        read_roots(directory, states)
    roots = Roots(used=states.oids, origins=states.origins)
    current = set(_current_locks(workspace, directories))
    pinned = {GitId(raw.decode()) for lock in current for raw in _GIT_ID.findall(lock)}
    anytime = {GitId(raw.decode()) for lock in _past_locks(workspace, directories) for raw in _GIT_ID.findall(lock)}
    progress.start("roots", None, "files")
    names = artifact_names(workspace)
    for artifact, commit in sorted(states.heads):
        if artifact not in names:
            raise CorruptRepository(str(workspace.repository_path(artifact)), f"is gone, and a HEAD is at {commit}")
    for name in names:
        heads = {commit for artifact, commit in states.heads if artifact == name}
        _reach(workspace, name, heads, (pinned, anytime | states.git_ids), roots, progress)
    progress.finish()
    return roots


def used_oids(workspace: Workspace) -> set[bytes]:
    """Returns the raw oids that an index or a HEAD of any workspace of the store names. Raises as `read_all_roots`."""
    states = StateRoots()
    for directory in state_directories(workspace.places):
        read_roots(directory, states)
    return states.oids


def _reach(
    workspace: Workspace,
    name: str,
    heads: set[GitId],
    named: tuple[set[GitId], set[GitId]],
    roots: Roots,
    progress: Progress,
) -> None:
    history = workspace.history(name)
    pinned, anytime = ({git_id for git_id in some if history.has(git_id)} for some in named)
    sizes: dict[bytes, int] = {}
    walk = Walk(history)
    for pointer in walk.iter_pointers(tips(history) | heads | pinned | anytime):
        sizes[bytes.fromhex(pointer.oid)] = pointer.size
        progress.advance(1)
    # An index names all that its HEAD holds.
    for tree in _trees(history, pinned - heads):
        roots.used.update(bytes.fromhex(pointer.oid) for pointer in Walk(history).iter_pointers([tree]))
    roots.reached[name] = sizes
    roots.newest_s = max(roots.newest_s, newest_move(history))


def _trees(history: History, commits: set[GitId]) -> set[GitId]:
    return {history.commit(commit).tree for commit in commits if history.peel(commit) is not None}


def _lock_paths(workspace: Workspace, directories: list[Path]) -> set[str]:
    inside = {path for directory in directories if (path := workspace_path(directory)) is not None}
    return {LOCK if path == "." else f"{path}/{LOCK}" for path in inside}


def _current_locks(workspace: Workspace, directories: list[Path]) -> Iterator[bytes]:
    """Yields the locks that lie in work trees now."""
    places = {workspace.lock_path}
    if workspace.places.git_common_dir is not None:
        for root in worktree_roots(workspace.places.git_common_dir):
            places |= {root / path for path in _lock_paths(workspace, directories)}
    for path in sorted(places):
        if path.is_file():
            with mapped(path):
                yield path.read_bytes()


def _past_locks(workspace: Workspace, directories: list[Path]) -> Iterator[bytes]:
    if workspace.places.git_common_dir is not None:
        yield from iter_all_locks(workspace.places.git_common_dir, _lock_paths(workspace, directories))
