"""`branch`: the lines of versions of an artifact. Only main is numbered; all of them are pushed and pulled alike.

Refs and HEAD alone: no file changes. Each verb is safe to repeat.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aimdvc.errors import Refused, UnknownRevision, UsageError
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import MAIN, check_branch_name
from aimdvc.model.oid import GitId
from aimdvc.ops.revisions import aliases, label, labels, resolve, short_branch, tracking_ref
from aimdvc.ops.settle import settle
from aimdvc.ops.status import count_beyond
from aimdvc.ops.workspace import Workspace
from aimdvc.store.roots import branches_elsewhere

HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class BranchLine:
    """One branch: its tip, and how many commits it is ahead of and behind the remote's; None where that has none."""

    branch: str
    is_current: bool
    is_remote: bool
    version: str
    commit: GitId
    subject: str
    ahead: int | None = None
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of an artifact, by name. `detached` is what a detached HEAD is at, else None."""

    artifact: str
    detached: str | None
    branches: list[BranchLine]


@dataclass(frozen=True, slots=True)
class BranchMove:
    """A branch that was made, renamed or deleted: where it stands, or stood. `old` is its name before."""

    artifact: str
    branch: str
    version: str
    commit: GitId
    old: str | None = None


def list_branches(workspace: Workspace, name: str, local: bool, remote: bool, with_counts: bool) -> Branches:
    """Returns an artifact's own branches, the remotes' as last fetched, or both; counting walks histories."""
    head = settle(workspace, name)
    history = workspace.history(name)
    named = labels(history)
    lines = []
    for branch, tip in local_branches(history).items() if local else ():
        commit = history.commit(tip)
        ref = HEADS + branch
        theirs = history.ref(tracking_ref(head, ref)) if with_counts else None
        ahead, behind = (None, None)
        if theirs is not None:
            ahead, behind = count_beyond(history, commit.id, theirs), count_beyond(history, theirs, commit.id)
        version = named.get(commit.id, "")
        lines.append(BranchLine(branch, ref == head.branch, False, version, commit.id, commit.subject, ahead, behind))
    for branch, tip in remote_branches(history).items() if remote else ():
        commit = history.commit(tip)
        lines.append(BranchLine(branch, False, True, named.get(commit.id, ""), commit.id, commit.subject))
    detached = label(history, head.commit) if head.branch is None and head.commit is not None else None
    return Branches(name, detached, lines)


def local_branches(history: History) -> dict[str, GitId]:
    """Returns the branches of the artifact's own repository, by name."""
    found = ((ref[len(HEADS) :], history.peel(git_id)) for ref, git_id in history.refs(HEADS).items())
    return {branch: commit for branch, commit in found if commit is not None}


def remote_branches(history: History) -> dict[str, GitId]:
    """Returns what the remotes' branches were when last fetched, as `origin/main`."""
    found = {}
    for ref, git_id in history.refs("refs/remotes/").items():
        remote, kind, branch = ref.removeprefix("refs/remotes/").split("/", 2)
        commit = history.peel(git_id) if kind == "heads" else None
        if commit is not None:
            found[f"{remote}/{branch}"] = commit
    return found


def create_branch(workspace: Workspace, name: str, branch: str, revision: str | None) -> BranchMove:
    """Makes a branch at a revision, HEAD by default. One that is there already, at that commit, is left as it is."""
    head = settle(workspace, name)
    history = workspace.history(name)
    commit = resolve(workspace, head, revision or "HEAD")
    update = new_branch(history, name, branch, commit)
    if update is not None:
        what = revision or short_branch(head.branch) or "HEAD"
        history.move_refs([update], f"branch: Created from {what}", workspace.actor())
    return BranchMove(name, branch, label(history, commit), commit)


def new_branch(history: History, artifact: str, branch: str, commit: GitId) -> RefUpdate | None:
    """Returns what makes a branch at a commit; None when it is there already. Raises UsageError for a name taken."""
    known = local_branches(history)
    if known.get(branch) == commit:
        return None
    _require_free(history, artifact, branch, known)
    check_branch_name(branch, known, aliases(history))
    return RefUpdate(HEADS + branch, None, commit)


def _require_free(history: History, artifact: str, branch: str, known: Mapping[str, GitId]) -> None:
    if branch in known:
        raise UsageError(
            f"'{artifact}' has a branch '{branch}' already, at {label(history, known[branch])}",
            hint=f"run `aimdvc switch {artifact}@{branch}` to go there, or take another name",
        )


def delete_branch(workspace: Workspace, name: str, branch: str, force: bool) -> BranchMove:
    """Removes a branch; its reflog stays. Raises Refused for the current one, for main, and without `force` for one
    that neither HEAD nor the remote's same branch reaches.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    ref = HEADS + branch
    commit = local_branches(history).get(branch)
    if commit is None:
        raise UnknownRevision(name, branch, hint=f"`aimdvc branch {name}` lists the branches")
    if ref == head.branch:
        raise Refused(f"branch '{branch}' of '{name}' is the current one", hint="switch to another one first")
    _require_not_main(name, ref)
    _require_nowhere_else(workspace, name, ref)
    reaching = [one for one in (head.commit, history.ref(tracking_ref(head, ref))) if one is not None]
    if not force and not any(history.is_ancestor(commit, one) for one in reaching):
        raise Refused(
            f"branch '{branch}' of '{name}' is not merged: versions of it would be on no branch",
            hint=f"run `aimdvc merge {name}@{branch}` first, or delete it by -D",
        )
    history.move_refs([RefUpdate(ref, history.ref(ref), None)], f"branch: deleted {branch}", workspace.actor())
    return BranchMove(name, branch, label(history, commit), commit)


def rename_branch(workspace: Workspace, name: str, old: str | None, new: str) -> BranchMove:
    """Gives a branch, the current one by default, another name.

    Raises Refused for main, UnknownRevision, and UsageError for a name that is taken.
    """
    head = settle(workspace, name)
    history = workspace.history(name)
    before = old or short_branch(head.branch)
    if before is None:
        raise Refused(f"HEAD of '{name}' is detached: it is on no branch", hint="name the branch to rename, too")
    ref = HEADS + before
    _require_not_main(name, ref)
    _require_nowhere_else(workspace, name, ref)
    known = local_branches(history)
    # A rename that was cut has moved the refs, or one of them, and not HEAD.
    commit = known.get(before) or (known.get(new) if ref == head.branch and known.get(new) == head.commit else None)
    if commit is None:
        raise UnknownRevision(name, before, hint=f"`aimdvc branch {name}` lists the branches")
    who, why = workspace.actor(), f"branch: renamed {ref} to {HEADS}{new}"
    was_cut = known.get(new) == commit and any(line.message == why for line in history.reflog(HEADS + new)[-1:])
    if not was_cut:
        _require_free(history, name, new, known)
        others = [branch for branch in known if branch != before]
        check_branch_name(new, others, aliases(history))
    updates = [
        RefUpdate(one, history.ref(one), wanted)
        for one, wanted in ((HEADS + new, commit), (ref, None))
        if history.ref(one) != wanted
    ]
    if updates:
        history.move_refs(updates, why, who)
    if ref == head.branch:
        with workspace.state.transaction():
            workspace.state.move_head(head, HEADS + new, head.commit, head.tree, who, why)
    return BranchMove(name, new, label(history, commit), commit, before)


def _require_nowhere_else(workspace: Workspace, name: str, ref: str) -> None:
    """Raises Refused for a branch that another workspace of the store is on: its HEAD would be on none."""
    place = branches_elsewhere(workspace.places, name).get(ref)
    if place is not None:
        raise Refused(
            f"branch '{short_branch(ref)}' of '{name}' is checked out in '{place}'",
            hint="switch to another one there first; `git worktree prune` forgets worktrees that are gone",
        )


def _require_not_main(name: str, ref: str) -> None:
    if ref == MAIN:
        raise Refused(f"main of '{name}' stays: it is the branch whose commits are numbered")
