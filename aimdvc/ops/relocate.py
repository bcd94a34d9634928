"""An artifact's path changes: `mv` of a whole artifact, and `checkout` where Git changed the path in aimdvc.lock.

Order: `.gitignore` covers the new path, then one rename on disk, then in one transaction the lock, the old line of
`.gitignore` and the state. Cut anywhere, the state still has the old path, and the same call finishes it.
"""

import os

from aimdvc.errors import Refused, UnknownPath, UsageError
from aimdvc.fs.directories import Place
from aimdvc.model.entries import path_bytes
from aimdvc.ops.create import check_artifact_path, ensure_ignored, ensure_not_ignored
from aimdvc.ops.lockfile import replace_pin
from aimdvc.ops.plan import lstat
from aimdvc.ops.workspace import Workspace
from aimdvc.store.moving import is_same_entry, move
from aimdvc.store.state import Head


def relocate(workspace: Workspace, head: Head, path: str) -> None:
    """Moves a whole artifact to another place of the workspace, whatever lies in it; nothing is read.

    Where that was done on disk already, it is only noted. Raises what `check_relocation` does.
    """
    check_relocation(workspace, head, path)
    ensure_ignored(workspace, path)
    with workspace.writing_files():
        if os.path.lexists(os.path.join(workspace.root, head.path)):
            move(Place(str(workspace.root), "."), head.path, path, None, workspace.disk)
        with workspace.state.transaction():
            replace_pin(workspace, head.name, path)
            ensure_not_ignored(workspace, head.path)
            workspace.state.set_path(head, path)


def check_relocation(workspace: Workspace, head: Head, path: str) -> None:
    """Raises UsageError, UnsafePath, UnknownPath or Refused unless an artifact can be moved to a workspace path."""
    if head.path == "." or path == ".":
        raise UsageError(f"the artifact '{head.name}' can't be moved from or to the workspace's own directory")
    if head.is_file and os.path.basename(path) != os.path.basename(head.path):
        raise UsageError(
            f"the artifact '{head.name}' is one file, and its versions hold it as '{os.path.basename(head.path)}'",
            hint="move it under that name, or add it under the other as an artifact of its own",
        )
    if path == head.path or path.startswith(head.path + "/"):
        raise UsageError(f"'{head.path}' can't be moved into itself")
    check_artifact_path(workspace, path, own=head.name)
    parent = os.path.dirname(path)
    if not os.path.isdir(os.path.join(workspace.root, parent)):
        raise UnknownPath(parent, "the workspace", hint="make the directory first")
    here, there = (lstat(path_bytes(os.path.join(workspace.root, place))) for place in (head.path, path))
    if here is not None and there is not None and not is_same_entry(here, there):
        raise Refused(f"something is at '{path}' already", hint="move it away first, or give another path")
