"""The one mechanism behind merge, pull and revert: changes between two trees are applied to HEAD's, by path.

Without a conflict the result becomes a commit. With one it stops as Git does: what does not conflict is written and
staged, conflicting paths keep ours, and `state.db` holds the rest (ops/merging.py). Order: git objects, blobs, files,
then the index and the merge in one transaction. Cut before that, running it again finishes it.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from aimdvc.errors import LocalChange, UsageError
from aimdvc.git.history import History
from aimdvc.git.writer import HistoryWriter
from aimdvc.model.attributes import Attributes
from aimdvc.model.commits import CommitDraft, RefUpdate
from aimdvc.model.entries import Entry, Mode, path_bytes
from aimdvc.model.merge import Conflict, merge_entries
from aimdvc.model.oid import EMPTY_BLOB, GitId
from aimdvc.model.own import ATTRIBUTES, REFERENCES, is_own
from aimdvc.model.pointer import encode_pointer
from aimdvc.model.references import References, dump_references, merge_references, parse_references
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.checkout import CheckedOut, Destination, files_written, removed, require_unmoved, staged_rows, switch
from aimdvc.ops.commit import branch_to_commit_on
from aimdvc.ops.lockfile import require_readable
from aimdvc.ops.merging import conflict_error
from aimdvc.ops.references import require_distinct
from aimdvc.ops.revisions import label
from aimdvc.ops.stage import INLINE_LIMIT, too_large_for_git
from aimdvc.ops.workspace import Workspace
from aimdvc.store.merging import Merging, OpenConflict, Side
from aimdvc.store.state import Head

Favor = Literal["ours", "theirs"]
_TreeEdits = dict[str, tuple[int, GitId] | None]


@dataclass(frozen=True, slots=True)
class Trees:
    """The three trees of a merge: what changed from `base` to `theirs` is applied to `ours`."""

    base: GitId | None
    ours: GitId
    theirs: GitId


@dataclass(frozen=True, slots=True)
class Joined:
    """A merged tree; at the conflicts it has ours."""

    tree: GitId
    conflicts: list[Conflict]


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is applied to HEAD: from `base` to `theirs`, both trees. The rest is of the commit that it becomes.

    `kind` is merge, pull or revert, `title` says in words what comes in; `parents` are in their order.
    """

    kind: str
    title: str
    base: GitId | None
    theirs: GitId
    parents: tuple[GitId, ...]
    message: str


def join(workspace: Workspace, head: Head, incoming: Incoming, favor: Favor | None, means: Means) -> CheckedOut:
    """Applies what comes in, commits it, and makes the files the result; the lock is the caller's.

    A commit of one parent that would change nothing is not made: the result is HEAD as it was.

    Raises MergeConflict after it was kept what is to settle; LocalChange and UsageError before anything is touched.
    """
    require_readable(workspace, incoming.kind)
    history = workspace.history(head.name)
    branch = branch_to_commit_on(history, head)
    assert head.commit is not None and head.tree is not None, "what has no version has nothing to apply changes to"
    require_nothing_staged(workspace, head, incoming.kind)
    joined = join_trees(workspace, head, Trees(incoming.base, head.tree, incoming.theirs), favor, means)
    if joined.conflicts:
        _stop(workspace, head, incoming, joined, means)
        raise conflict_error(head, joined.conflicts)
    if joined.tree == head.tree and incoming.parents == (head.commit,):
        return CheckedOut(head.name, head.path, label(history, head.commit), head.commit, branch, 0, 0)
    author = workspace.author()
    with history.writer() as writer:
        commit = writer.commit(CommitDraft(joined.tree, incoming.parents, author, author, incoming.message))
    advance = RefUpdate(branch, head.commit, commit)
    return switch(
        workspace, head, Destination(commit, branch), False, means, advance, f"{incoming.kind} {incoming.title}"
    )


def require_nothing_staged(workspace: Workspace, head: Head, verb: str) -> None:
    """Raises UsageError when changes are staged: they would end up in the commit that the verb makes."""
    if any(True for _ in workspace.state.staged(head)):
        raise UsageError(
            f"artifact '{head.name}' has staged changes, which a {verb} would mix with others",
            hint="run `aimdvc commit` first, or `aimdvc reset` to unstage them",
        )


def join_trees(workspace: Workspace, head: Head, trees: Trees, favor: Favor | None, means: Means) -> Joined:
    """Writes the merged tree, which no commit names yet; with `favor` no conflict is left. Raises UnsafePath."""
    history = workspace.history(head.name)
    merged = merge_entries(history.tree_changes(trees.base, trees.ours), history.tree_changes(trees.base, trees.theirs))
    edits: _TreeEdits = {path: _edit(entry) for path, entry in merged.edits.items()}
    with history.writer() as writer:
        joined = [_join_references(history, writer, one, favor, edits) for one in merged.conflicts]
    merged = replace(merged, conflicts=[one for one in joined if one is not None])
    if favor == "theirs":
        edits |= {conflict.path: _edit(conflict.theirs) for conflict in merged.conflicts}
    with history.writer() as writer:
        tree = writer.tree(trees.ours, edits)
    if any(_is_rules(path) for side in (trees.ours, trees.theirs) for path in _changed(history, trees.base, side)):
        tree = _one_representation(workspace, head, tree, means)
    require_distinct(history, tree)
    if favor is not None:
        return Joined(tree, [])
    # Rules that changed may have ours represented otherwise: what the index will have is what a conflict compares with.
    ours = {conflict.path: history.entry(tree, conflict.path) for conflict in merged.conflicts}
    return Joined(tree, [replace(conflict, ours=ours[conflict.path]) for conflict in merged.conflicts])


def _join_references(
    history: History, writer: HistoryWriter, conflict: Conflict, favor: Favor | None, edits: _TreeEdits
) -> Conflict | None:
    """Merges the references of both sides by key. Of a key that both changed, the sides of the conflict differ alone.

    Returns what is left to settle: None where no key is, or `favor` decides; another path's conflict as it is.
    """
    if conflict.path != REFERENCES:
        return conflict
    base, ours, theirs = (
        parse_references(history.read_blob(side.git_id)) if side is not None else {}
        for side in (conflict.base, conflict.ours, conflict.theirs)
    )
    with_ours, differing = merge_references(base, ours, theirs)
    with_theirs = {key: one for key, one in with_ours.items() if key not in differing}
    with_theirs |= {key: theirs[key] for key in differing if key in theirs}
    sides = [_references_entry(writer, side) for side in (with_ours, with_theirs)]
    edits[REFERENCES] = _edit(sides[1] if favor == "theirs" else sides[0])
    if favor is not None or not differing:
        return None
    return replace(conflict, ours=sides[0], theirs=sides[1])


def _references_entry(writer: HistoryWriter, references: References) -> Entry | None:
    if not references:
        return None
    return Entry(REFERENCES, int(Mode.FILE), writer.blob(dump_references(references)), None)


def _stop(workspace: Workspace, head: Head, incoming: Incoming, joined: Joined, means: Means) -> None:
    """Writes and stages what does not conflict, and notes the merge. Refuses what `--abort` could not give back."""
    history = workspace.history(head.name)
    _require_free(workspace, head, joined.conflicts)
    pairs = list(history.tree_changes(head.tree, joined.tree))
    changed = {(old or new).path for old, new in pairs}  # type: ignore[union-attr]
    pairs += [(one.ours, one.ours) for one in joined.conflicts if one.ours is not None and one.path not in changed]
    conflicts = [
        OpenConflict(one.path, _side(one.base), _side(one.ours), _side(one.theirs)) for one in joined.conflicts
    ]
    merging = Merging(incoming.kind, incoming.title, incoming.parents, joined.tree, incoming.message)
    written = files_written(workspace, head, pairs, False, means, incoming.kind)
    with written as (_, rows), workspace.state.transaction():
        require_unmoved(workspace, head)
        workspace.state.put_rows(head, staged_rows(workspace, head, rows, removed(pairs)))
        workspace.state.merges.begin(head.id, merging, conflicts)


def _require_free(workspace: Workspace, head: Head, conflicts: Iterable[Conflict]) -> None:
    """Raises LocalChange for files that lie, unknown to the index, where theirs may be put."""
    root = path_bytes(workspace.artifact_root(head))
    places = {one.path: os.path.join(root, path_bytes(one.path)) for one in conflicts if one.ours is None}
    in_the_way = [path for path, place in places.items() if os.path.lexists(place) and not os.path.isdir(place)]
    if in_the_way:
        raise LocalChange(f"merge of '{head.name}' would lose local changes", in_the_way)


def _side(entry: Entry | None) -> Side | None:
    return Side(entry.mode, entry.git_id) if entry is not None else None


def _edit(entry: Entry | None) -> tuple[int, GitId] | None:
    return (entry.mode, entry.git_id) if entry is not None else None


def _changed(history: History, old: GitId | None, new: GitId) -> Iterable[str]:
    return ((one or other).path for one, other in history.tree_changes(old, new))  # type: ignore[union-attr]


def _is_rules(path: str) -> bool:
    return path.rpartition("/")[2] == ATTRIBUTES


def _one_representation(workspace: Workspace, head: Head, tree: GitId, means: Means) -> GitId:
    """Returns the tree with every entry as its own rules want it: one side changed rules, the other added entries."""
    history = workspace.history(head.name)
    entries = [entry for entry in history.iter_entries(tree) if entry.mode in (Mode.FILE, Mode.EXECUTABLE)]
    rules = {entry.path.rpartition("/")[0]: entry for entry in entries if _is_rules(entry.path) and not entry.pointer}
    attributes = Attributes.parse({directory: history.read_blob(entry.git_id) for directory, entry in rules.items()})
    other = [
        entry
        for entry in entries
        if attributes.is_lfs(entry.path) != (entry.pointer is not None)
        and entry.git_id != EMPTY_BLOB
        and not is_own(entry.path)
    ]
    ensure_blobs(workspace, head, [entry.pointer for entry in other if entry.pointer is not None], means)
    edits: _TreeEdits = {}
    with history.writer() as writer, workspace.blobs.writer() as blobs:
        for entry in other:
            if entry.pointer is None:
                content = encode_pointer(blobs.add_bytes(history.read_blob(entry.git_id)))
            elif entry.pointer.size > INLINE_LIMIT:
                raise too_large_for_git(entry.path, entry.pointer.size)
            else:
                content = workspace.blobs.read(entry.pointer.oid)
            edits[entry.path] = (entry.mode, writer.blob(content))
        return writer.tree(tree, edits)
