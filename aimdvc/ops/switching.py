"""`switch`: HEAD goes to a branch, and files, index and lock with it. Local changes elsewhere are kept, as in Git."""

from dataclasses import dataclass, replace

from aimdvc.errors import Refused, UnknownRevision, UsageError
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.ops.blobs import Means
from aimdvc.ops.branch import HEADS, local_branches, new_branch
from aimdvc.ops.checkout import CheckedOut, Destination, switch
from aimdvc.ops.lockfile import sync_lock
from aimdvc.ops.merging import require_no_merge
from aimdvc.ops.revisions import described, resolve, tracking_ref
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

PREVIOUS = "-"
"""Instead of a branch's name: the one before."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Where to switch to: a branch; with `start` a new one that begins there; with `is_detached` a revision alone."""

    target: str
    start: str | None = None
    is_new: bool = False
    is_detached: bool = False
    force: bool = False


def switch_to(workspace: Workspace, name: str, goal: Goal, means: Means) -> CheckedOut:
    """Switches the artifact, and returns what was done. A branch that only the remote has is made here, too.

    Raises LocalChange before anything is touched, UnknownRevision, UsageError for what is no branch, InvalidName,
    Refused while a merge is in progress.
    """
    head = settle(workspace, name)
    require_no_merge(workspace, head, "switch")
    if goal.target == PREVIOUS:
        goal = replace(goal, target=_previous(workspace, head))
    to, advance = _destination(workspace, head, goal)
    done = switch(workspace, head, to, goal.force, means, advance, "switch")
    sync_lock(workspace, moved={name})
    return done


def _previous(workspace: Workspace, head: Head) -> str:
    """Returns the branch that HEAD was on before it came to where it is."""
    known = workspace.history(head.name).refs(HEADS)
    for move in workspace.state.moves.newest(head.id):
        # One that was deleted or renamed since is no place to go to.
        if move.old_branch in known and move.old_branch != head.branch:
            return str(move.old_branch).removeprefix(HEADS)
    raise UsageError(f"HEAD of '{head.name}' was on no other branch yet", hint="name the branch to switch to")


def _destination(workspace: Workspace, head: Head, goal: Goal) -> tuple[Destination, RefUpdate | None]:
    """Returns where HEAD goes, and the branch to make on the way."""
    history = workspace.history(head.name)
    if goal.is_detached:
        return Destination(resolve(workspace, head, goal.target), None), None
    ref = HEADS + goal.target
    if goal.is_new:
        if head.commit is None and goal.start is None:
            raise Refused(f"artifact '{head.name}' has no version yet", hint="run `aimdvc commit` first")
        commit = resolve(workspace, head, goal.start or "HEAD")
        return Destination(commit, ref), new_branch(history, head.name, goal.target, commit)
    tip = local_branches(history).get(goal.target)
    if tip is not None:
        return Destination(tip, ref), None
    theirs = history.ref(tracking_ref(head, ref))
    if theirs is not None:
        return Destination(theirs, ref), new_branch(history, head.name, goal.target, theirs)
    try:
        resolve(workspace, head, goal.target)
    except UnknownRevision as error:
        error.hint = f"`aimdvc branch -a {head.name}` lists the branches; `aimdvc switch -c {goal.target}` makes it"
        raise
    raise UsageError(
        f"a branch is expected, and '{goal.target}' of '{head.name}' is {_kind(history, goal.target)}",
        hint=f"run `aimdvc switch --detach {head.name}@{goal.target}`, or `-c NAME` to begin a branch there",
    )


def _kind(history: History, revision: str) -> str:
    kind = described(history, revision).partition(" '")[0]
    return f"{'an' if kind == 'alias' else 'a'} {kind}"
