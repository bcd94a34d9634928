"""The state of the code that a trial runs: which repository, commit and branch, and whether it was changed since.

Reads the repository's files and runs nothing; GIT_* variables, which may speak of another repository, are not heeded.
What can't be read is None: a trial is never stopped by it.
"""

import os
import sys
from pathlib import Path
from typing import Any

from aimdvc.errors import AimdvcError
from aimdvc.fs.disk import Disk
from aimdvc.git.cleanliness import is_dirty
from aimdvc.git.code import head_commit
from aimdvc.git.layout import check_format
from aimdvc.git.refs import Refs
from aimdvc.model.gitconfig import ConfigFile, parse
from aimdvc.model.lineage import command_text
from aimdvc.remote.urls import shown
from aimdvc.store.locate import Places, places_for


def entry_point() -> Path | None:
    """Returns the file that the process runs, None where there is none, as in a notebook."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(os.path.abspath(path)) if isinstance(path, str) and os.path.exists(path) else None


def command_line() -> str:
    """Returns the command that the process was started with, as a shell takes it; "" where it runs no file."""
    words = sys.orig_argv
    return command_text([os.path.basename(words[0]), *words[1:]]) if words and entry_point() is not None else ""


def read_git_state(entry: Path | None, here: Path | None) -> dict[str, Any]:
    """Returns local_path, remote_url, branch, commit, is_dirty and entrypoint.

    The repository is the one that the entry point lies in, else that of the directory `here`; the entry point is
    relative to it where it lies in it. The URL comes without user, password and query.
    """
    places = _places(entry.parent) if entry is not None else None
    if places is None or places.work_tree is None:
        places = _places(here) if here is not None else None
    state: dict[str, Any] = dict.fromkeys(("local_path", "remote_url", "branch", "commit", "is_dirty", "entrypoint"))
    state["entrypoint"] = str(entry) if entry is not None else None
    if places is None or places.work_tree is None or places.git_dir is None or places.git_common_dir is None:
        return state
    work_tree, git_dir, common_dir = places.work_tree, places.git_dir, places.git_common_dir
    state["local_path"] = str(work_tree)
    real = Path(os.path.realpath(entry)) if entry is not None else None
    if real is not None and real.is_relative_to(work_tree):
        state["entrypoint"] = real.relative_to(work_tree).as_posix()
    try:
        check_format(common_dir)
        config = parse((common_dir / "config").read_bytes(), "config")
        branch = Refs(git_dir, Disk()).symbolic_head()
        state["branch"] = branch.removeprefix("refs/heads/") if branch else None
        state["remote_url"] = _remote_url(config, state["branch"])
        state["commit"] = head_commit(git_dir, common_dir)
        state["is_dirty"] = is_dirty(git_dir, common_dir, work_tree)
    except (AimdvcError, OSError):
        pass  # What is not known stays None.
    return state


def _places(directory: Path) -> Places | None:
    try:
        return places_for(directory)
    except (AimdvcError, OSError):
        return None


def _remote_url(config: ConfigFile, branch: str | None) -> str | None:
    """Returns where the branch is pulled from, else `origin`'s URL, else that of the only remote."""
    upstream = config.get("branch", branch, "remote") if branch else None
    remotes = config.subsections("remote")
    names = [name for name in (upstream, "origin") if name in remotes] or (remotes if len(remotes) == 1 else [])
    url = config.get("remote", names[0], "url") if names else None
    return shown(url) if url else None
