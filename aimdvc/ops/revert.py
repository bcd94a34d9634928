"""`revert`: a new commit that undoes what an earlier one changed, by path, on top of all that came since."""

from aimdvc.errors import ShallowHistory, UsageError
from aimdvc.model.commits import Commit
from aimdvc.model.oid import GitId
from aimdvc.ops.blobs import Means
from aimdvc.ops.join import Incoming, join
from aimdvc.ops.lockfile import sync_lock
from aimdvc.ops.merge import Merged, catch_up, require_branch
from aimdvc.ops.merging import require_no_merge
from aimdvc.ops.revisions import label, resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.workspace import Workspace


def revert(workspace: Workspace, name: str, revision: str, mainline: int | None, means: Means) -> Merged:
    """Undoes the changes that a revision made from its parent; of a merge, from the parent that `mainline` counts.

    Raises MergeConflict after it was kept what is to settle, UsageError, Refused, LocalChange.
    """
    head = settle(workspace, name)
    require_no_merge(workspace, head, "revert")
    require_branch(head)
    history = workspace.history(name)
    # HEAD is asked for before it follows its branch: a revert that was cut has moved that, and is not to be undone.
    commit = history.commit(resolve(history, name, revision, head.commit))
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
    if len(commit.parents) == 1:
        what = f"This reverts commit {commit.id}."
    else:
        what = f"This reverts commit {commit.id}, reversing\nchanges made to {parent}."
    return f'Revert "{commit.subject}"\n\n{what}\n'
