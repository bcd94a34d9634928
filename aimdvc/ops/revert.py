"""`revert`: a new commit that undoes what an earlier one changed, by path, on top of all that came since."""

from aimdvc.errors import ShallowHistory, UsageError
from aimdvc.model.commits import Commit
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.selector import parse_revision
from aimdvc.ops.blobs import Means
from aimdvc.ops.join import Incoming, join
from aimdvc.ops.lockfile import sync_lock
from aimdvc.ops.merge import Merged, catch_up, require_branch
from aimdvc.ops.merging import require_no_merge
from aimdvc.ops.revisions import label, resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head


def revert(workspace: Workspace, name: str, revision: str, mainline: int | None, means: Means) -> Merged:
    """Undoes the changes that a revision made from its parent; of a merge, from the parent that `mainline` counts.

    Raises MergeConflict after it was kept what is to settle, UsageError, Refused, LocalChange.
    """
    head = settle(workspace, name)
    require_no_merge(workspace, head, "revert")
    require_branch(head)
    history = workspace.history(name)
    commit = _meant(workspace, head, revision)
    head = catch_up(workspace, head, means)
    assert head.commit is not None, "a revision was found, so there is one"
    if commit.id in history.shallow:
        raise ShallowHistory(f"revert {name}@{revision}", f"run `aimdvc fetch --unshallow {name}`")
    number = _parent_number(name, revision, commit, mainline)
    parent = history.commit(commit.parents[number - 1])
    incoming = Incoming(
        "revert",
        label(history, commit.id),
        commit.tree,
        parent.tree,
        (head.commit,),
        _message(commit, parent.id),
    )
    done = join(workspace, head, incoming, None, means)
    sync_lock(workspace, moved={name})
    assert done.commit is not None, "a revert ends at a commit"
    how = "revert" if done.commit != head.commit else "up-to-date"
    return Merged(name, how, done.version, head.commit, done.commit, done.written, done.deleted)


def _meant(workspace: Workspace, head: Head, revision: str) -> Commit:
    """Returns the commit that was meant when this was run first: a revert that was cut is not to be undone.

    It has moved the branch and not HEAD yet, so HEAD is asked for before it follows; so is the branch by its name, when
    its tip is the revert of what it was then.
    """
    history = workspace.history(head.name)
    tip = history.ref(head.branch) if head.branch is not None else None
    base = parse_revision(revision).base
    is_current = head.branch is not None and (MAIN if base == "latest" else f"refs/heads/{base}") == head.branch
    if is_current and tip is not None and head.commit is not None and tip != head.commit:
        before = history.commit(resolve(workspace, head, "HEAD" + revision[len(base) :]))
        made = history.commit(tip)
        if made.parents == (head.commit,) and made.message.startswith(_beginning(before)):
            return before
    return history.commit(resolve(workspace, head, revision))


def _parent_number(name: str, revision: str, commit: Commit, mainline: int | None) -> int:
    """Returns which parent to go back to, counted from 1. Raises UsageError when that is not clear."""
    count = len(commit.parents)
    if count == 0:
        raise UsageError(f"'{revision}' is the first version of '{name}': there is nothing before it")
    if count > 1 and mainline is None:
        raise UsageError(
            f"'{revision}' is a merge: which of its {count} parents is to come back is not clear",
            hint="give `-m N`, 1 being the first parent; `aimdvc show` lists them",
        )
    if mainline is not None and (count == 1 or mainline > count):
        what = "no merge" if count == 1 else f"a merge of {count} parents"
        raise UsageError(f"'{revision}' is {what}: it has no mainline {mainline}")
    return mainline or 1


def _message(commit: Commit, parent: GitId) -> str:
    reversing = "" if len(commit.parents) == 1 else f", reversing\nchanges made to {parent}"
    return f"{_beginning(commit)}{reversing}.\n"


def _beginning(commit: Commit) -> str:
    return f'Revert "{commit.subject}"\n\nThis reverts commit {commit.id}'
