"""An artifact from elsewhere becomes one of this workspace: a remote's, or one of the store that worktrees share.

Its history is here before it is adopted, so nothing is noted of an artifact that could not be fetched.
"""

import os
from functools import partial

from aimdvc.model.entries import Entry, path_bytes
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.model.own import ATTRIBUTES, is_own
from aimdvc.model.patterns import Part
from aimdvc.ops.content import read_inline
from aimdvc.ops.create import check_artifact_path, ensure_ignored
from aimdvc.ops.plan import is_hidden, row_of
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place, Row
from aimdvc.store.walk import is_there


def adopt(workspace: Workspace, name: str, pin: Pin, part: Part | None = None, is_known: bool = False) -> Head:
    """Adds an artifact whose first checkout will be of a pin, without any file yet. Safe to repeat. Raises UnsafePath.

    `part` is what will be checked out of it, None for what was when it left the workspace, else all.
    `is_known` says that the lock had it already: where some of its files are here, state.db was lost, and the others
    count as not checked out. Where the only entry of the commit has the path's name, the artifact is one file.
    """
    known = workspace.state.head(name)
    if known is not None:
        if part is not None and known.commit is None:
            with workspace.state.transaction():
                workspace.state.parts.put(known.id, part)
        return known
    check_artifact_path(workspace, pin.path)
    ensure_ignored(workspace, pin.path)
    is_file = pin.path != "." and _entries(workspace, name, pin.commit) == [pin.path.rpartition("/")[2]]
    part = part if part is not None else workspace.state.parts.left(name)
    with workspace.state.transaction():
        workspace.state.parts.forget_left(name)
        head = workspace.state.create_head(name, pin.path, is_file, None, pin.source)
        if part is not None:
            workspace.state.parts.put(head.id, part)
        elif is_known:
            workspace.state.put_rows(head, _absent(workspace, head, pin.commit))
    return head


def _entries(workspace: Workspace, name: str, commit: GitId) -> list[str]:
    history = workspace.history(name)
    paths = (entry.path for entry in history.iter_entries(history.commit(commit).tree))
    return [path for path in paths if not is_own(path) and path != ATTRIBUTES]


def _absent(workspace: Workspace, head: Head, commit: GitId) -> list[Row]:
    """Returns the rows of the files that aren't on disk, when others are."""
    root = path_bytes(workspace.artifact_root(head))
    if not os.path.isdir(root):
        return []
    history = workspace.history(head.name)
    read = partial(read_inline, workspace, head)
    files = [entry for entry in history.iter_entries(history.commit(commit).tree) if not is_hidden(entry, read)]
    absent: list[Entry] = [entry for entry in files if not is_there(root, path_bytes(entry.path))]
    return [row_of(entry, Place.ABSENT) for entry in absent] if len(absent) < len(files) else []
