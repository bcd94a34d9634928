"""The project around a hook: a Git work tree, and the workspaces in it. There may be several, in any directory.

A workspace is known by a lock that Git tracks, by what aimdvc noted when it was first used, or by lying at the top.
Opens none. What a work tree without any has to do with aimdvc is nothing: hooks then say nothing.
"""

import os
from pathlib import Path
from typing import NamedTuple

from aimdvc.git.codeindex import iter_staged, read_raw_index
from aimdvc.model.entries import path_text
from aimdvc.store.locate import find_work_tree
from aimdvc.store.roots import workspace_path

_LOCK = b"aimdvc.lock"


class Project(NamedTuple):
    """A Git work tree with workspaces; `roots` are their directories, sorted."""

    work_tree: Path
    git_dir: Path
    common_dir: Path
    roots: tuple[Path, ...]

    def inside(self, root: Path) -> str:
        """Returns where a workspace lies in the work tree; "" for the work tree itself."""
        inside = os.path.relpath(root, self.work_tree).replace(os.sep, "/")
        return "" if inside == "." else inside

    def lock(self, root: Path) -> str:
        """Returns the path of a workspace's lock in the work tree."""
        inside = self.inside(root)
        return f"{inside}/aimdvc.lock" if inside else "aimdvc.lock"


def find_project(start: Path, index_path: Path | None = None) -> Project | None:
    """Returns the project that holds a directory, None outside of one. `index_path` stands in for Git's own index.

    Raises UnsafePath, CorruptRepository.
    """
    found = find_work_tree(start)
    if found is None:
        return None
    work_tree, git_dir, common_dir = found
    insides = {"."} | _tracked(read_raw_index(git_dir, index_path)) | _noted(git_dir)
    roots = {work_tree / inside for inside in insides}
    known = tuple(sorted(root for root in roots if (root / ".aimdvc").is_dir() and not (root / ".aimdvc").is_symlink()))
    return Project(work_tree, git_dir, common_dir, known) if known else None


def _tracked(raw: bytes) -> set[str]:
    """Returns the directories whose lock Git tracks."""
    names = (entry.path for entry in iter_staged(raw) if entry.path.endswith(_LOCK))
    return {path_text(name[: -len(_LOCK)]) or "." for name in names if name == _LOCK or name.endswith(b"/" + _LOCK)}


def _noted(git_dir: Path) -> set[str]:
    """Returns the directories that aimdvc was used in, in this work tree."""
    directory = git_dir / "aimdvc" / "workspaces"
    states = [directory / name for name in os.listdir(directory)] if directory.is_dir() else []
    paths = {workspace_path(state) for state in states}
    return {path for path in paths if path is not None}
