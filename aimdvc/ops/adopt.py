"""An artifact from elsewhere becomes one of this workspace: a remote's, or one of the store that worktrees share."""

from aimdvc.model.oid import GitId
from aimdvc.ops.create import check_artifact_path, ensure_ignored
from aimdvc.ops.stage import ATTRIBUTES
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head


def adopt(workspace: Workspace, name: str, path: str, source: str | None) -> Head:
    """Adds an artifact that a remote has, without any file yet. Safe to repeat. Raises UnsafePath."""
    head = workspace.state.head(name)
    if head is not None:
        return head
    check_artifact_path(workspace, path)
    workspace.history(name)
    with workspace.state.transaction():
        head = workspace.state.create_head(name, path, False, None, source)
    ensure_ignored(workspace, path)
    return head


def note_one_file(workspace: Workspace, head: Head, commit: GitId) -> Head:
    """Returns the HEAD of a new artifact, after noting whether it is one file: its only entry has its path's name."""
    history = workspace.history(head.name)
    name = head.path.rpartition("/")[2]
    paths = [entry.path for entry in history.iter_entries(history.commit(commit).tree)]
    if head.path == "." or [path for path in paths if not path.startswith(".aimd/") and path != ATTRIBUTES] != [name]:
        return head
    with workspace.state.transaction():
        workspace.state.set_is_file(head, True)
    return workspace.head(head.name)
