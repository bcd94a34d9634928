"""`why`: which commits, branches and tags of the code pin a version. Reads the code's history; no git process runs."""

from collections.abc import Set
from dataclasses import dataclass

from aimdvc.errors import AimdvcError
from aimdvc.git.codehistory import CodeHistory, iter_blobs, read_code_history
from aimdvc.model.commits import Commit
from aimdvc.model.lock import parse_lock
from aimdvc.model.oid import GitId
from aimdvc.ops.codeplace import code_place
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.revisions import label, resolve
from aimdvc.ops.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CodeRef:
    """A ref of the code, in full, whose history pins the version; `is_tip` where the commit it is at does."""

    ref: str
    commit: GitId
    is_tip: bool


@dataclass(frozen=True, slots=True)
class Why:
    """Which code uses a version: `commits` oldest first, `is_on_disk` for the lock as it lies in the workspace.

    `unread` are code commits whose lock can't be read: whether they pin it nobody knows.
    """

    artifact: str
    version: str
    commit: GitId
    commits: list[Commit]
    refs: list[CodeRef]
    is_on_disk: bool
    unread: list[GitId]


def why(workspace: Workspace, name: str, revision: str | None) -> Why:
    """Returns which code pins a version, HEAD where no revision is given. Raises UsageError, UnknownRevision."""
    place = code_place(workspace)
    commit = resolve(workspace, workspace.head(name), revision or "HEAD")
    code = read_code_history(place.git_dir, place.common_dir, place.lock)
    locks = iter_blobs(place.common_dir, set(code.locks.values()))
    states = {git_id: _pins(content, name, commit) for git_id, content in locks}
    pinning = {one.id for one in code.commits if states.get(code.locks.get(one.id, GitId("")))}
    unread = [one.id for one in code.commits if one.id in code.locks and states[code.locks[one.id]] is None]
    pin = read_pins(workspace).get(name)
    return Why(
        artifact=name,
        version=label(workspace.history(name), commit),
        commit=commit,
        commits=[one for one in code.commits if one.id in pinning],
        refs=_refs(code, pinning),
        is_on_disk=pin is not None and pin.commit == commit,
        unread=unread,
    )


def _pins(lock: bytes, name: str, commit: GitId) -> bool | None:
    """Returns whether a lock pins the commit, None for one that can't be read, as after a merge that was left."""
    try:
        pin = parse_lock(lock).get(name)
    except AimdvcError:
        return None
    return pin is not None and pin.commit == commit


def _refs(code: CodeHistory, pinning: Set[GitId]) -> list[CodeRef]:
    """Returns the refs that reach a commit of these; parents come before children, so one pass tells."""
    reaching = set(pinning)
    for commit in code.commits:
        if any(parent in reaching for parent in commit.parents):
            reaching.add(commit.id)
    found = [CodeRef(ref, tip, tip in pinning) for ref, tip in code.tips.items() if tip in reaching]
    return sorted(found, key=lambda one: (not one.is_tip, one.ref))
