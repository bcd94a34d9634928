"""`commit`: the index becomes a commit of the artifact's branch.

Order: git objects durable, then the ref by compare-and-set, then the index, then lock := HEAD. Cut anywhere, the next
command finishes it (ops/settle.py). One writer at a time; nothing here waits for a network.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aimdvc.errors import CorruptBlob, RefMoved, Refused, UsageError
from aimdvc.git.history import History
from aimdvc.git.writer import HistoryWriter
from aimdvc.model.commits import CommitDraft, RefUpdate, Signature
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import Pointer, encode_pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.add import Added, AddOptions, stage_part
from aimdvc.ops.inplace import require_unedited
from aimdvc.ops.lockfile import require_readable, sync_lock
from aimdvc.ops.maintain import tidy
from aimdvc.ops.merging import require_settled
from aimdvc.ops.references import require_distinct
from aimdvc.ops.revisions import label, short_branch
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle, tree_edits
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Row


@dataclass(frozen=True, slots=True)
class Committed:
    """One commit made. `changes` counts the entries that differ from the parent's."""

    artifact: str
    commit: GitId
    version: str
    subject: str
    changes: int


@dataclass(frozen=True, slots=True)
class CommitOptions:
    """`all_changes` first stages what changed of tracked files; `allow_empty` commits even when nothing did.

    Without a `message` only a merge in progress can be committed: it has one.
    """

    message: str | None
    author: Signature
    all_changes: bool = False
    allow_empty: bool = False


def commit(workspace: Workspace, names: Iterable[str], options: CommitOptions, progress: Progress) -> list[Committed]:
    """Commits the staged changes of the named artifacts, or of all that have any, and returns what was committed.

    Finishes a merge in progress. Raises MergeConflict while one has conflicts that are not settled, Refused on a
    detached HEAD that is not main's tip, RefMoved when the branch moved in another worktree.
    """
    require_readable(workspace)
    wanted = list(names) or [head.name for head in workspace.state.heads()]
    heads = [settle(workspace, name) for name in wanted]
    for head in heads:
        _require_ready(workspace, head, options)
    made = []
    try:
        for head in heads:
            if options.all_changes:
                _stage_changes(workspace, head, progress)
            require_unedited(workspace, head)
            committed = _commit_one(workspace, head.name, options)
            if committed is not None:
                made.append(committed)
    finally:
        sync_lock(workspace, moved={committed.artifact for committed in made})
    tidy(workspace, [committed.artifact for committed in made])
    return made


def _stage_changes(workspace: Workspace, head: Head, progress: Progress) -> None:
    """Stages what changed of tracked files. Raises CorruptBlob, after that, when one was a blob edited in place."""
    added = Added(head.name, head.path, False)
    stage_part(workspace, head, "", AddOptions(update=True), added, progress)
    for edited in added.edited:
        error = CorruptBlob(edited.oid, f"edited in place, through '{edited.path}', and set aside")
        error.hint = "run `aimdvc fsck --repair` to bring back what it was, then commit again"
        raise error


def _require_ready(workspace: Workspace, head: Head, options: CommitOptions) -> None:
    """Raises before any artifact is touched, when this one has something and can't be committed."""
    is_merging = workspace.state.merges.get(head.id) is not None
    if is_merging and not options.all_changes:
        require_settled(workspace, head)
    if options.message is None and not is_merging and any(True for _ in workspace.state.staged(head)):
        raise UsageError(
            f"no message was given for '{head.name}', which has no merge in progress",
            hint='run `aimdvc commit -m "MESSAGE"`',
        )
    try:
        _require_branch(workspace, head)
    except (Refused, RefMoved):
        has_staged = any(True for _ in workspace.state.staged(head))
        if has_staged or options.allow_empty or (options.all_changes and _has_changes(workspace, head)):
            raise


def _require_branch(workspace: Workspace, head: Head) -> None:
    history = workspace.history(head.name)
    try:
        branch_to_commit_on(history, head)
    except RefMoved:
        # Another commit of this workspace may have moved both since HEAD was read: looked at when none can.
        with workspace.state.transaction():
            branch_to_commit_on(history, workspace.head(head.name))


def _has_changes(workspace: Workspace, head: Head) -> bool:
    found = scan(workspace, head)
    return bool(found.deleted or changed_suspects(workspace, head, found))


def _commit_one(workspace: Workspace, name: str, options: CommitOptions) -> Committed | None:
    history = workspace.history(name)
    with workspace.state.transaction():
        head = workspace.head(name)
        edits = tree_edits(workspace.state.staged(head))
        merging = workspace.state.merges.get(head.id)
        if not edits and merging is None and not (options.allow_empty and head.commit):
            return None
        require_settled(workspace, head)
        message = options.message or (merging.message if merging is not None else "")
        branch = branch_to_commit_on(history, head)
        with history.writer() as writer:
            _write_blobs(workspace, writer, head)
            tree = writer.tree(head.tree, edits)
            parents = merging.parents if merging is not None else tuple(filter(None, [head.commit]))
            draft = CommitDraft(tree, parents, options.author, options.author, message)
            new = writer.commit(draft)
        require_distinct(history, tree)
        subject = message.partition("\n")[0]
        kind = "commit (initial)" if head.commit is None else "commit (merge)" if len(parents) > 1 else "commit"
        why = f"{kind}: {subject}"
        history.move_refs([RefUpdate(branch, head.commit, new)], why, options.author)
        workspace.state.mark_committed(head)
        workspace.state.move_head(head, branch, new, tree, options.author, why)
        workspace.state.merges.end(head.id)
    return Committed(name, new, label(history, new), subject, len(edits))


def branch_to_commit_on(history: History, head: Head) -> str:
    """Returns the branch that a commit on this HEAD moves. Raises Refused when detached, RefMoved when it moved."""
    branch = head.branch or MAIN
    tip = history.ref(branch)
    if tip == head.commit:
        return branch
    if head.branch is None:
        raise Refused(
            f"artifact '{head.name}' is at {label(history, head.commit)}, not at the tip of main",
            hint=(
                f"run `aimdvc reset {head.name}@main` to have these files as changes of main's tip, then commit;"
                f" or `aimdvc switch -c {head.name}@BRANCH` to go on from this version on a branch of its own"
            ),
        )
    if tip is None:
        short = short_branch(branch)
        raise RefMoved(
            branch,
            "another workspace deleted it",
            hint=f"run `aimdvc branch {head.name}@{short} {head.commit}` to make it again, then commit",
        )
    raise RefMoved(
        branch,
        "another workspace moved it",
        hint=(
            f"run `aimdvc switch -c {head.name}@NEW` and commit there, then"
            f" `aimdvc switch {head.name}@{short_branch(branch)}` and `aimdvc merge NEW`"
        ),
    )


def _write_blobs(workspace: Workspace, writer: HistoryWriter, head: Head) -> None:
    inline: list[Row] = []
    for row in workspace.state.staged(head):
        if row.is_pointer and row.oid is not None:
            writer.blob(encode_pointer(Pointer(row.oid, row.size)))
        elif row.mode and row.git_id is not None:
            inline.append(row)
    for row in inline:
        if row.oid is not None:
            writer.blob(workspace.blobs.read(row.oid))
        elif row.size == 0:
            writer.blob(b"")
