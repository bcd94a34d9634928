"""What the hook prepare-commit-msg adds to the message of a code commit: which artifacts the staged lock moves.

Reads the two locks, and the artifacts' histories as far as these are here. Asks no network.
"""

from collections.abc import Mapping
from pathlib import Path

from aimdvc.errors import AimdvcError
from aimdvc.git.code import head_commit
from aimdvc.git.coderevs import read_at, read_staged
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.ops.check import check_lock
from aimdvc.ops.counting import count_between
from aimdvc.ops.project import Project
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace

_STATES = ("rebase-merge", "rebase-apply", "sequencer", "CHERRY_PICK_HEAD")


def is_replayed(project: Project) -> bool:
    """Returns whether Git makes a commit anew that has its message: in a rebase or a cherry-pick."""
    return any((project.git_dir / name).exists() for name in _STATES)


def moved_lines(project: Project, workspace: Workspace, index_path: Path | None) -> dict[str, str]:
    """Returns a line for each artifact whose pin the next code commit moves, by name; none for a lock in conflict."""
    path = project.lock(workspace.root)
    head = head_commit(project.git_dir, project.common_dir)
    try:
        raw = read_staged(project.git_dir, project.common_dir, path, index_path)
        old = read_at(project.common_dir, head, path) if head is not None else None
    except AimdvcError:
        return {}  # The hook pre-commit says what is wrong with it; a message needs no line for that.
    if raw == old:
        return {}
    before, after = check_lock(old or b"")[0], check_lock(raw or b"")[0]
    return dict(_lines(workspace, before, after))


def _lines(workspace: Workspace, before: Mapping[str, Pin], after: Mapping[str, Pin]) -> list[tuple[str, str]]:
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            found.append(
                (name, f"{name}: new at {_called(workspace, name, new.commit)}{_counts(workspace, name, None, new)}")
            )
        elif new is None and old is not None:
            found.append((name, f"{name}: no longer used, was {_called(workspace, name, old.commit)}"))
        elif old is not None and new is not None and old.commit != new.commit:
            names = f"{_called(workspace, name, old.commit)} → {_called(workspace, name, new.commit)}"
            found.append((name, f"{name}: {names}{_counts(workspace, name, old, new)}"))
    return found


def _called(workspace: Workspace, name: str, commit: GitId) -> str:
    """Returns a version's number, which stays; of one that has none yet the digits of its commit."""
    if not _has(workspace, name, commit):
        return commit[:12]
    called = label(workspace.history(name), commit)
    return f"{called} ({commit[:12]})" if called.endswith("?") else called


def _counts(workspace: Workspace, name: str, old: Pin | None, new: Pin) -> str:
    known = all(_has(workspace, name, pin.commit) for pin in (old, new) if pin is not None)
    if not known:
        return ""
    return f", {count_between(workspace.history(name), old.commit if old else None, new.commit).text}"


def _has(workspace: Workspace, name: str, commit: GitId) -> bool:
    return workspace.repository_path(name).exists() and workspace.history(name).has(commit)
