"""`merge`: another line of versions comes into the current branch, by fast-forward or by a merge of the trees.

`pull` brings in the remote's line by the same steps. Order: blobs, files, then the branch, then index and HEAD, then
lock := HEAD.
"""

from dataclasses import dataclass
from typing import Literal

from aimdvc.errors import Refused, ShallowHistory, UnknownRevision
from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import CheckedOut, Destination, switch
from aimdvc.ops.join import Favor, Incoming, join, require_nothing_staged
from aimdvc.ops.lockfile import sync_lock
from aimdvc.ops.merging import require_no_merge
from aimdvc.ops.revisions import described, label, resolve, short_branch, tracking_ref
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

FastForward = Literal["auto", "only", "never"]


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """`favor` settles every conflict with one side; `message` is for the merge commit, if there will be one.

    `is_unrelated_fine` merges lines that have no version in common.
    """

    favor: Favor | None = None
    fast_forward: FastForward = "auto"
    message: str | None = None
    is_unrelated_fine: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did: `how` is up-to-date, fast-forward or merge. Counts are of files on disk."""

    artifact: str
    how: str
    version: str
    old: GitId | None
    new: GitId
    written: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Tip:
    """What is brought in: a commit, and what it is in words. `is_published` says that it is the remote's same branch.

    Such a line stays the first: a merge has it as first parent, so that versions keep their order (decision 2).
    """

    kind: str
    commit: GitId
    title: str
    is_published: bool


def merge(workspace: Workspace, name: str, revision: str | None, options: MergeOptions, means: Means) -> Merged:
    """Merges a revision into the current branch; without one, the remote's same branch as last fetched.

    Raises MergeConflict after it was kept what is to settle; Refused on a detached HEAD, while another merge is in
    progress, or when a fast-forward alone was asked for and can't be; LocalChange before anything is touched.
    """
    head = settle(workspace, name)
    require_no_merge(workspace, head, "merge")
    branch = require_branch(head)
    head = catch_up(workspace, head, means)
    history = workspace.history(name)
    tracked = tracking_ref(head, branch)
    if revision is None:
        commit = history.ref(tracked)
        if commit is None:
            raise UnknownRevision(name, f"{head.origin[0]}/{short_branch(branch)}", hint="name what to merge: NAME@REV")
        title = f"remote-tracking branch '{head.origin[0]}/{short_branch(branch)}'"
    else:
        commit = resolve(workspace, head, revision)
        title = described(history, revision)
    done = bring_in(workspace, head, Tip("merge", commit, title, commit == history.ref(tracked)), options, means)
    sync_lock(workspace, moved={name})
    return done


def require_branch(head: Head) -> str:
    """Returns the branch that HEAD is on. Raises Refused when it is on none."""
    if head.branch is None:
        name = head.name
        raise Refused(
            f"HEAD of '{name}' is detached: it is on no branch",
            hint=f"run `aimdvc switch {name}@BRANCH` first, or `aimdvc switch -c {name}@BRANCH` to make one here",
        )
    return head.branch


def catch_up(workspace: Workspace, head: Head, means: Means) -> Head:
    """Returns HEAD after following its branch, which another worktree, or a verb that was cut, has moved."""
    history = workspace.history(head.name)
    tip = history.ref(head.branch) if head.branch is not None else None
    if tip is None or head.commit is None or tip == head.commit:
        return head
    switch(workspace, head, Destination(tip, head.branch), False, means)
    sync_lock(workspace, moved={head.name})
    return workspace.head(head.name)


def bring_in(workspace: Workspace, head: Head, tip: Tip, options: MergeOptions, means: Means) -> Merged:
    """Makes the current branch reach a commit; the lock is the caller's. Raises as `merge` does."""
    history = workspace.history(head.name)
    branch = require_branch(head)
    ours, theirs = head.commit, tip.commit
    if ours is not None and history.is_ancestor(theirs, ours):
        return Merged(head.name, "up-to-date", label(history, ours), ours, ours)
    if ours is None or (options.fast_forward != "never" and _is_forward(history, branch, ours, tip, options)):
        advance = RefUpdate(branch, history.ref(branch), theirs)
        why = f"{tip.kind} {tip.title}"
        return _merged(
            head, "fast-forward", switch(workspace, head, Destination(theirs, branch), False, means, advance, why)
        )
    if options.fast_forward == "only":
        raise Refused(
            f"artifact '{head.name}' can't be fast-forwarded to {tip.title}: both have versions of their own",
            hint="leave --ff-only out to merge them",
        )
    require_nothing_staged(workspace, head, tip.kind)
    base = history.merge_base(ours, theirs)
    if base is None and history.shallow:
        raise ShallowHistory(f"{tip.kind} {head.name}", f"run `aimdvc fetch --unshallow {head.name}`")
    if base is None and not options.is_unrelated_fine:
        raise Refused(
            f"'{head.name}' and {tip.title} have no version in common: they are different artifacts of one name",
            hint=(
                "clone that one elsewhere; if they are to become one, run"
                f" `aimdvc merge --allow-unrelated-histories {head.name}`"
            ),
        )
    into = "" if branch == MAIN else f" into {short_branch(branch)}"
    incoming = Incoming(
        tip.kind,
        tip.title,
        history.commit(base).tree if base is not None else None,
        history.commit(theirs).tree,
        (theirs, ours) if tip.is_published else (ours, theirs),
        options.message or f"Merge {tip.title}{into}\n",
    )
    return _merged(head, "merge", join(workspace, head, incoming, options.favor, means))


def _is_forward(history: History, branch: str, ours: GitId, tip: Tip, options: MergeOptions) -> bool:
    if not history.is_ancestor(ours, tip.commit):
        return False
    if branch != MAIN or tip.is_published or options.fast_forward == "only":
        return True
    # Versions are counted along main's first parents: a line that has main only as another parent would drop them.
    return any(commit.id == ours for commit in history.iter_line(tip.commit))


def _merged(head: Head, how: str, done: CheckedOut) -> Merged:
    assert done.commit is not None, "a merge ends at a commit"
    return Merged(head.name, how, done.version, head.commit, done.commit, done.written, done.deleted)
