"""The merge of a diverged pull: by path, with the remote's tip as first parent, and one set of rules for all of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from aimdvc.errors import MergeConflict, UsageError
from aimdvc.git.history import History
from aimdvc.model.attributes import Attributes
from aimdvc.model.commits import CommitDraft
from aimdvc.model.entries import Entry, Mode
from aimdvc.model.merge import merge_entries
from aimdvc.model.oid import EMPTY_BLOB, GitId
from aimdvc.model.pointer import encode_pointer
from aimdvc.ops.blobs import Means, ensure_blobs
from aimdvc.ops.stage import ATTRIBUTES, INLINE_LIMIT, too_large_for_git
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head

Favor = Literal["ours", "theirs"]
_TreeEdits = dict[str, tuple[int, GitId] | None]


@dataclass(frozen=True, slots=True)
class Sides:
    """The two tips, and which of them settles a path that both changed; None leaves it a conflict."""

    ours: GitId
    theirs: GitId
    favor: Favor | None


def merge(workspace: Workspace, head: Head, sides: Sides, means: Means) -> GitId:
    """Writes the merge commit, which no ref names yet, and returns it. Raises MergeConflict, UsageError."""
    history = workspace.history(head.name)
    if any(True for _ in workspace.state.staged(head)):
        raise UsageError(
            f"artifact '{head.name}' has staged changes, and its remote has diverged", hint="run `aimdvc commit` first"
        )
    base = history.merge_base(sides.ours, sides.theirs)
    base_tree = history.commit(base).tree if base else None
    our_tree, their_tree = history.commit(sides.ours).tree, history.commit(sides.theirs).tree
    merged = merge_entries(history.tree_changes(base_tree, our_tree), history.tree_changes(base_tree, their_tree))
    edits: _TreeEdits = {path: _edit(entry) for path, entry in merged.edits.items()}
    if merged.conflicts and sides.favor is None:
        raise MergeConflict(
            head.name,
            [conflict.path for conflict in merged.conflicts],
            hint=f"run `aimdvc pull --favor ours {head.name}` or `--favor theirs`; nothing was changed",
        )
    for conflict in merged.conflicts:
        edits[conflict.path] = _edit(conflict.ours if sides.favor == "ours" else conflict.theirs)
    author = workspace.author()
    with history.writer() as writer:
        tree = writer.tree(our_tree, edits)
    if any(_is_rules(path) for tree_ in (our_tree, their_tree) for path in _changed(history, base_tree, tree_)):
        tree = _one_representation(workspace, head, tree, means)
    with history.writer() as writer:
        message = f"Merge main of {head.origin[0]}\n"
        return writer.commit(CommitDraft(tree, (sides.theirs, sides.ours), author, author, message))


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
        and not entry.path.startswith(".aimd/")
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
