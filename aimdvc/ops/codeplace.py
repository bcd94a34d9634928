"""Where the code repository around a workspace lies, and its lock in it: for the verbs that read the code's history."""

import os
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.ops.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CodePlace:
    """A work tree's Git directory, that of the repository, and the lock's path in the work tree."""

    git_dir: Path
    common_dir: Path
    lock: str


def code_place(workspace: Workspace) -> CodePlace:
    """Returns the place of the code. Raises UsageError for a workspace that is in no Git work tree."""
    places = workspace.places
    if places.git_dir is None or places.git_common_dir is None or places.work_tree is None:
        raise UsageError(
            f"the workspace '{workspace.root}' is in no Git work tree",
            hint="`git init` there makes it a code repository",
        )
    lock = os.path.relpath(workspace.lock_path, places.work_tree).replace(os.sep, "/")
    return CodePlace(places.git_dir, places.git_common_dir, lock)
