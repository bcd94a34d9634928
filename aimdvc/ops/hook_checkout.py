"""What the hooks after a checkout, a merge or a rebase of the code do: the artifacts follow aimdvc.lock.

Only with what is here, or with what a remote has that the user has used before: who may be asked is the caller's to
say. No local change is lost, one artifact that stays doesn't keep the others, and all that stays is told. Files that
the user deleted stay deleted, as in a checkout of Git's. The rules, and why: docs/decisions/0030.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aimdvc.errors import AimdvcError, MissingBlob, NotAuthorised, RemoteError, UnknownRemote, UnknownRevision
from aimdvc.git.coderevs import read_at
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.ops.adopt import adopt
from aimdvc.ops.blobs import Means
from aimdvc.ops.bulk import Failure
from aimdvc.ops.check import check_lock
from aimdvc.ops.checkout import CheckedOut, follow_pin
from aimdvc.ops.lockfile import LockState, lock_state, read_pins, sync_lock
from aimdvc.ops.project import Project
from aimdvc.ops.relocate import relocate
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace

_STATES = ("rebase-merge", "rebase-apply")
_DISTANT = (RemoteError, NotAuthorised, UnknownRevision, UnknownRemote, MissingBlob)

BringHistory = Callable[[Workspace, str, Pin], None]
"""Fetches an artifact's history, where its remote may be asked; else it does nothing."""


@dataclass(slots=True)
class LockFollowed:
    """What moved, and what did not: `kept` for what is here, `distant` for what isn't.

    `missing` came into the lock and were never pulled here, `left` went out of it: their files stay as they are.
    """

    moved: list[CheckedOut] = field(default_factory=list)
    kept: list[Failure] = field(default_factory=list)
    distant: list[Failure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def is_in_between(project: Project) -> bool:
    """Returns whether a rebase goes on after this checkout of its own: what comes of it is followed at its end.

    Where it has nothing to apply, as after a fast-forward, Git calls no hook at its end.
    """
    for name in _STATES:
        if (project.git_dir / name).is_dir():
            todo = project.git_dir / name / "git-rebase-todo"
            lines = todo.read_text("utf-8", "replace").splitlines() if todo.is_file() else ["?"]
            return any(line.strip() and not line.startswith("#") and line.strip() != "noop" for line in lines)
    return False


def pins_before(project: Project, workspace: Workspace, commit: GitId | None) -> dict[str, Pin] | None:
    """Returns what the code commit pinned that was checked out before; None where that is not known."""
    if commit is None:
        return None
    try:
        raw = read_at(project.common_dir, commit, project.lock(workspace.root))
    except AimdvcError:
        return None  # It only says what need not be told.
    return check_lock(raw or b"")[0]


def follow_lock(
    workspace: Workspace, before: Mapping[str, Pin] | None, bring: BringHistory, means: Means
) -> LockFollowed:
    """Makes the artifacts of a workspace what aimdvc.lock pins, and returns what came of it. Safe to repeat.

    `before` is what was pinned, for what need not be told again. Raises ConfigSyntaxError, UnsafePath or InvalidName
    for a lock that can't be read, before anything moves.
    """
    pins = read_pins(workspace)
    result = LockFollowed()
    have = {head.name for head in workspace.state.heads()}
    for name, pin in pins.items():
        try:
            if name in have or _is_in_store(workspace, name, pin):
                moved = _follow(workspace, name, pin, bring, means)
                result.moved += [moved] if moved is not None else []
            elif before is None or name not in before:
                result.missing.append(name)
        except _DISTANT as error:
            result.distant.append(Failure(name, error))
        except AimdvcError as error:
            result.kept.append(Failure(name, error))
    if result.moved:
        sync_lock(workspace, moved={one.artifact for one in result.moved})
    result.left = [
        head.name
        for head in workspace.state.heads()
        if head.commit is not None and head.name not in pins and (before is None or head.name in before)
    ]
    return result


def _is_in_store(workspace: Workspace, name: str, pin: Pin) -> bool:
    return workspace.repository_path(name).exists() and workspace.history(name).has(pin.commit)


def _follow(workspace: Workspace, name: str, pin: Pin, bring: BringHistory, means: Means) -> CheckedOut | None:
    """Makes one artifact what its pin says; None where it is so."""
    if workspace.state.head(name) is None:
        return follow_pin(workspace, adopt(workspace, name, pin, is_known=True), pin, False, means)
    head = settle(workspace, name)
    state = lock_state(head, pin)
    if state in (LockState.SAME, LockState.BEHIND) and head.path == pin.path:
        return None
    if not workspace.history(name).has(pin.commit):
        bring(workspace, name, pin)
    if head.path != pin.path:
        relocate(workspace, head, pin.path)
        head = workspace.head(name)
    return follow_pin(workspace, head, pin, False, means)
