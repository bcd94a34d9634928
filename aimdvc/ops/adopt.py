"""An artifact from elsewhere becomes one of this workspace: a remote's, or one of the store that worktrees share.

Its history is here before it is adopted, so nothing is noted of an artifact that could not be fetched.
"""

from aimdvc.model.oid import GitId
from aimdvc.ops.create import check_artifact_path, ensure_ignored
from aimdvc.ops.stage import ATTRIBUTES
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head


def adopt(workspace: Workspace, name: str, path: str, source: str | None, commit: GitId) -> Head:
    """Adds an artifact whose first checkout will be `commit`, without any file yet. Safe to repeat. Raises UnsafePath.

    Where the only entry of that commit has the path's name, the artifact is one file.
    """
    known = workspace.state.head(name)
    if known is not None:
        return known
    check_artifact_path(workspace, path)
    ensure_ignored(workspace, path)
    is_file = path != "." and _entries(workspace, name, commit) == [path.rpartition("/")[2]]
    with workspace.state.transaction():
        return workspace.state.create_head(name, path, is_file, None, source)


def _entries(workspace: Workspace, name: str, commit: GitId) -> list[str]:
    history = workspace.history(name)
    paths = (entry.path for entry in history.iter_entries(history.commit(commit).tree))
    return [path for path in paths if not path.startswith(".aimd/") and path != ATTRIBUTES]
