"""What the code repository around a workspace says: which files Git tracks, what is staged, what a file was before.

Reads files only; no git process runs, so nothing that a cloned repository configures is executed. dulwich is loaded
with the first index that is read: most commands import this module, and few need one.
"""

import importlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from aimdvc.errors import CorruptRepository, UnsupportedFormat, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import mapped
from aimdvc.git.history import History
from aimdvc.git.refs import Refs
from aimdvc.git.trees import Node, find_entry
from aimdvc.model.entries import path_bytes
from aimdvc.model.gitconfig import parse
from aimdvc.model.oid import GitId, is_git_id

if TYPE_CHECKING:
    from dulwich.index import Index

_UNREAD = {
    b"link": ("split", "git update-index --no-split-index"),
    b"sdir": ("sparse", "git sparse-checkout reapply --no-sparse-index"),
}
"""Extensions that a reader must understand (gitformat-index(5), lower case), and dulwich doesn't: undone by what."""

_FAULTS = (
    struct.error,
    ValueError,
    AssertionError,
    KeyError,
    IndexError,
    TypeError,
    EOFError,
    OSError,
)

_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
_SIDES = ("ancestor", "this", "other")

_LOOK_BACK = 10_000
"""Commits; a longer history is looked at only so far: under a second."""


_KNOWN = {"objectformat": "sha1", "refstorage": "files"}


def check_code_format(common_dir: Path) -> None:
    """Raises UnsupportedFormat for a code repository whose objects or refs only git reads."""
    path = common_dir / "config"
    with mapped(path):
        config = parse(path.read_bytes() if path.exists() else b"", str(path))
    for key, known in _KNOWN.items():
        value = config.get("extensions", None, key)
        if value is not None and value.lower() != known:
            raise UnsupportedFormat(str(path), f"extensions.{key} = {value}", known)


def is_tracked(git_dir: Path, path: str) -> bool:
    """Returns whether Git tracks a file at or below a path that is relative to the work tree.

    Raises UsageError for an index in a form that only git reads, CorruptRepository for one that is damaged.
    """
    index = read_index(git_dir)
    if index is None:
        return False
    raw = path_bytes(path)
    return any(name == raw or name.startswith(raw + b"/") for name in index)


def staged_ids(git_dir: Path, path: str) -> set[GitId]:
    """Returns the ids of what the index has at a path of the work tree, several in a conflict."""
    index = read_index(git_dir)
    entry = index[path_bytes(path)] if index is not None and path_bytes(path) in index else None
    # In a conflict the entry has no content of its own, but up to three sides.
    sides = (entry,) if hasattr(entry, "sha") else (getattr(entry, side, None) for side in _SIDES)
    return {GitId(side.sha.decode()) for side in sides if side is not None}


def deleting_side(git_dir: Path, path: str) -> str | None:
    """Returns "ours" or "theirs" for a file in conflict that one side deleted and the other changed, else None."""
    index = read_index(git_dir)
    entry = index[path_bytes(path)] if index is not None and path_bytes(path) in index else None
    if entry is None or hasattr(entry, "sha"):
        return None
    gone = [name for side, name in (("this", "ours"), ("other", "theirs")) if getattr(entry, side, None) is None]
    return gone[0] if len(gone) == 1 else None


def is_merging_code(git_dir: Path) -> bool:
    """Returns whether Git is in the middle of a merge, a rebase or the like, so that the index may have conflicts."""
    return any((git_dir / name).exists() for name in _UNDER_WAY)


def read_index(git_dir: Path, other: Path | None = None) -> "Index | None":
    """Returns what Git tracks, None before anything was added. Raises UsageError, CorruptRepository as `is_tracked`.

    `other` is an index that stands in for the work tree's own, as one that `git commit PATH` makes.
    """
    index_path = other or git_dir / "index"
    if not index_path.exists():
        return None
    module, errors = importlib.import_module("dulwich.index"), importlib.import_module("dulwich.errors")
    try:
        index: Index = module.Index(index_path)
        return index
    except (module.UnsupportedIndexFormat, errors.ChecksumMismatch, *_FAULTS) as error:
        raw = index_path.read_bytes()
        for signature, (kind, command) in _UNREAD.items():
            # The size that follows is far below 16 MiB.
            if signature + b"\0" in raw:
                raise UsageError(
                    f"'{index_path}' is a {kind} index, which only git reads", hint=f"run `{command}`"
                ) from error
        raise CorruptRepository(str(index_path), "can't be read as a Git index") from error


def iter_file_versions(git_dir: Path, common_dir: Path, path: str) -> Iterator[tuple[GitId, bytes]]:
    """Yields the commits that changed a file, with what they made it, newest first.

    Follows HEAD by first parents, through what is here: a shallow clone ends early. Raises CorruptRepository.
    """
    with History(common_dir, Disk()) as history:
        current = head_commit(git_dir, common_dir)
        newer: tuple[GitId, Node] | None = None
        for _ in range(_LOOK_BACK):
            commit = history.commit(current) if current is not None and history.has(current) else None
            node = find_entry(history.read_tree, commit.tree, path) if commit is not None else None
            if newer is not None and node != newer[1]:
                yield newer[0], history.read_blob(newer[1].git_id)
            if commit is None:
                return
            newer = (commit.id, node) if node is not None else None
            current = commit.parents[0] if commit.parents else None


def head_commit(git_dir: Path, common_dir: Path) -> GitId | None:
    """Returns the commit that is checked out, None before the first. Raises CorruptRepository."""
    branch = Refs(git_dir, Disk()).symbolic_head()
    if branch is not None:
        return Refs(common_dir, Disk()).get(branch)
    head = git_dir / "HEAD"
    text = head.read_text("ascii", "replace").strip() if head.exists() else ""
    return GitId(text) if is_git_id(text) else None
