"""`pull --rebase`: local commits are made anew on the remote's tip, by path, each with its author and message.

All of it happens among git objects; files, branch and index move once, at the end. A conflict changes nothing.
"""

import os
import re

from aimdvc.errors import MergeConflict, Refused
from aimdvc.git.codelocks import iter_locks
from aimdvc.git.history import History
from aimdvc.model.commits import Commit, CommitDraft, RefUpdate
from aimdvc.model.oid import GitId
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import Destination, switch
from aimdvc.ops.join import Trees, join_trees, require_nothing_staged
from aimdvc.ops.merge import Merged, require_branch
from aimdvc.ops.revisions import label, version_numbers
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

_GIT_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")


def rebase(workspace: Workspace, head: Head, theirs: GitId, means: Means) -> Merged:
    """Makes the current branch the remote's tip and, on it, the commits that only it has; the lock is the caller's.

    Raises Refused when one of them is a merge, is published, or is pinned by a commit of the code repository;
    MergeConflict and LocalChange: nothing was changed then.
    """
    history = workspace.history(head.name)
    branch = require_branch(head)
    ours = head.commit
    assert ours is not None, "what has no version has nothing to make anew"
    if history.is_ancestor(theirs, ours):
        return Merged(head.name, "up-to-date", label(history, ours), ours, ours)
    require_nothing_staged(workspace, head, "rebase")
    local = history.new_commits([ours], [theirs], is_exact=True)[::-1]
    _require_rewritable(workspace, head, history, local)
    tip = theirs
    for commit in local:
        tip = _replay(workspace, head, commit, tip, means)
    advance = RefUpdate(branch, ours, tip)
    done = switch(workspace, head, Destination(tip, branch), False, means, advance, "pull --rebase")
    how = "rebase" if local else "fast-forward"
    return Merged(head.name, how, done.version, ours, tip, done.written, done.deleted)


def _require_rewritable(workspace: Workspace, head: Head, history: History, local: list[Commit]) -> None:
    if not local:
        return
    published = [ref for ref in history.refs("refs/remotes/").values() if history.peel(ref) is not None]
    unpublished = {commit.id for commit in history.new_commits([local[-1].id], published, is_exact=True)}
    numbered = version_numbers(history)
    pinned = _pinned_by_code(workspace)
    for commit in local:
        named = f"{label(history, commit.id)} ('{commit.subject[:60]}')"
        if commit.id in pinned:
            reason = "a commit of the code repository pins it in aimdvc.lock"
        elif commit.id in numbered or commit.id not in unpublished:
            reason = "it is published"
        elif len(commit.parents) > 1:
            reason = "it is a merge"
        else:
            continue
        raise Refused(
            f"'{head.name}' can't be rebased: {named} would be made anew, and {reason}",
            hint=f"run `aimdvc pull {head.name}`, which merges",
        )


def _pinned_by_code(workspace: Workspace) -> set[GitId]:
    places = workspace.places
    if places.git_common_dir is None or places.work_tree is None:
        return set()
    lock = os.path.relpath(workspace.lock_path, places.work_tree)
    return {GitId(raw.decode()) for text in iter_locks(places.git_common_dir, [lock]) for raw in _GIT_ID.findall(text)}


def _replay(workspace: Workspace, head: Head, commit: Commit, onto: GitId, means: Means) -> GitId:
    """Returns a commit's changes as a commit on another; that other itself when they are in it already."""
    history = workspace.history(head.name)
    before = history.commit(commit.parents[0]).tree if commit.parents else None
    tree = history.commit(onto).tree
    joined = join_trees(workspace, head, Trees(before, tree, commit.tree), None, means)
    if joined.conflicts:
        raise MergeConflict(
            head.name,
            {conflict.path: conflict.kind for conflict in joined.conflicts},
            hint=f"nothing was changed; run `aimdvc pull {head.name}` to merge instead, and settle them there",
        )
    if joined.tree == tree:
        return onto
    with history.writer() as writer:
        return writer.commit(CommitDraft(joined.tree, (onto,), commit.author, workspace.author(), commit.message))
