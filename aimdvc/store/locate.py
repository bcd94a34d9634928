"""Where a workspace, its store and its state lie. The one place that knows (design, section 3).

In a code repository the store is in the Git common directory: `git clean -fdx` doesn't reach it, worktrees share it.
Reads `.git` itself and runs no process.
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import NoWorkspace, UnsafePath
from aimdvc.fs.system import user_id


class Places(NamedTuple):
    """The directories of one workspace. The Git ones are None outside of a code repository."""

    root: Path
    store: Path
    state: Path
    git_dir: Path | None
    git_common_dir: Path | None
    work_tree: Path | None


def find_workspace(start: Path) -> Places:
    """Returns the workspace that holds a directory: it or a parent has `.aimdvc/`. Raises NoWorkspace."""
    start = Path(os.path.realpath(start))
    for directory in (start, *start.parents):
        if (directory / ".aimdvc").is_dir():
            return places_for(directory)
    raise NoWorkspace(str(start))


def places_for(root: Path) -> Places:
    """Returns where everything of a workspace at `root` lies. Raises UnsafePath for another user's directory."""
    root = Path(os.path.realpath(root))
    own = root / ".aimdvc"
    if own.is_symlink():
        raise UnsafePath(str(own), "is a symbolic link: it could lead into a Git directory")
    _check_owner(own)
    found = find_work_tree(root)
    if found is not None:
        directory, git_dir, common = found
        inside = os.path.relpath(root, directory)
        identity = "root" if inside == "." else hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
        state = git_dir / "aimdvc" / "workspaces" / identity
        return Places(root, common / "aimdvc", state, git_dir, common, directory)
    return Places(root, own, own, None, None, None)


def find_work_tree(start: Path) -> tuple[Path, Path, Path] | None:
    """Returns the Git work tree that holds a directory, its Git directory and that of the repository; None for none.

    Raises UnsafePath for another user's.
    """
    start = Path(os.path.realpath(start))
    for directory in (start, *start.parents):
        git_dir = _git_dir(directory / ".git")
        if git_dir is not None:
            _check_owner(git_dir)
            return directory, git_dir, _common_dir(git_dir)
    return None


def has_left_store(places: Places) -> bool:
    """Returns whether a store, or a state, made before `git init` still lies in the workspace."""
    own = places.root / ".aimdvc"
    return places.store != own and ((own / "repos").exists() or (own / "state.db").exists())


def _git_dir(dot_git: Path) -> Path | None:
    if dot_git.is_dir():
        return dot_git if (dot_git / "HEAD").exists() else None
    if not dot_git.is_file():
        return None
    text = dot_git.read_text("utf-8", "surrogateescape").strip()
    if not text.startswith("gitdir: "):
        return None
    target = dot_git.parent / text[len("gitdir: ") :]
    return Path(os.path.realpath(target)) if (target / "HEAD").exists() else None


def _common_dir(git_dir: Path) -> Path:
    pointer = git_dir / "commondir"
    if not pointer.is_file():
        return git_dir
    return Path(os.path.realpath(git_dir / pointer.read_text("utf-8", "surrogateescape").strip()))


def _check_owner(directory: Path) -> None:
    # As Git's safe.directory: another user's configuration is not to be trusted. Root may, under sudo its caller's too.
    try:
        owner = directory.stat().st_uid
    except OSError:
        return
    user = user_id()
    if user is not None and owner not in (user, 0) and user != 0:
        raise UnsafePath(
            str(directory), f"belongs to user {owner}, not to you", hint=f"chown it, or copy it: '{directory}'"
        )
