"""What the pre-commit hook asks: does the lock that is staged for the next code commit fit the workspace?

The staged bytes count, not those on disk: Git commits them. What a commit doesn't touch is nobody's forgotten work, so
an artifact that was never pulled here stands in the way of nothing, and a merge may bring pins that are followed after
it. Asks no network. The rules, and why: docs/decisions/0029.
"""

from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import UsageError
from aimdvc.git.code import head_commit
from aimdvc.git.codeindex import iter_staged, read_raw_index
from aimdvc.git.coderevs import read_at, read_staged
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.lock import Pin
from aimdvc.model.oid import GitId
from aimdvc.ops.check import Finding, check_local, check_lock
from aimdvc.ops.lockfile import read_lock_file
from aimdvc.ops.project import Project
from aimdvc.ops.scan import git_blob_id
from aimdvc.ops.workspace import Workspace

_STATES = ("rebase-merge", "rebase-apply")


class NextCommit(NamedTuple):
    """What is known of the code commit that is to be made.

    `index_path` is the index that it is made from, None for the work tree's; `merged` are the other parents of a merge
    that Git makes by itself, and follows the lock after.
    """

    index_path: Path | None = None
    merged: Collection[GitId] = ()


def check_staged(project: Project, workspace: Workspace, commit: NextCommit) -> list[Finding]:
    """Returns what is wrong with the staged lock of a workspace, nothing when it may be committed.

    Raises UsageError for an index that only git reads, CorruptRepository.
    """
    path = project.lock(workspace.root)
    try:
        raw = _staged(project, workspace, path, commit.index_path)
    except UsageError as error:
        if "in conflict" not in error.message:
            raise
        return [Finding("", "in-conflict", "is in conflict", error.hint)]
    # Only what has to be told about needs the commits before: reading them takes as long as all the rest.
    before = cache(lambda: _locks_before(project, path, commit))
    if raw is None:
        return _without_lock(workspace, path, before)
    pins, found = check_lock(raw)
    if any(finding.kind == "unreadable" for finding in found):
        return found
    is_followed = bool(commit.merged) or _is_rebasing(project)
    for finding in check_local(workspace, pins):
        is_excused = finding.kind == "not-here" or (is_followed and finding.kind in ("other-commit", "other-path"))
        name = finding.artifact
        if not is_excused or not any(pins[name] == known.get(name) for known in before()):
            found.append(finding)
    if any(head.name not in pins for head in workspace.state.heads()):
        found += _gone(workspace, pins, before(), {finding.artifact for finding in found})
    if not found and read_lock_file(workspace) != raw:
        found.append(Finding("", "not-staged", "was changed and is not staged so", f"`git add {path}`"))
    return found


def _staged(project: Project, workspace: Workspace, path: str, index_path: Path | None) -> bytes | None:
    """Returns the staged lock: that on disk where Git has the same, with no git object read; None for none."""
    raw, name = read_lock_file(workspace), path_bytes(path)
    sides = [entry for entry in iter_staged(read_raw_index(project.git_dir, index_path)) if entry.path == name]
    if len(sides) == 1 and sides[0].stage == 0 and sides[0].mode == Mode.FILE and sides[0].git_id == git_blob_id(raw):
        return raw
    return read_staged(project.git_dir, project.common_dir, path, index_path)


def _locks_before(project: Project, path: str, commit: NextCommit) -> list[dict[str, Pin]]:
    """Returns what each parent of the commit pins, HEAD's first."""
    parents = _parents(project, commit)
    return [check_lock(read_at(project.common_dir, parent, path) or b"")[0] for parent in parents]


def _parents(project: Project, commit: NextCommit) -> list[GitId]:
    head = head_commit(project.git_dir, project.common_dir)
    merge_head = project.git_dir / "MERGE_HEAD"
    words = merge_head.read_text("ascii", "replace").split() if merge_head.is_file() else []
    found = [*([head] if head is not None else []), *map(GitId, words), *commit.merged]
    return list(dict.fromkeys(found))


def _is_rebasing(project: Project) -> bool:
    return any((project.git_dir / name).is_dir() for name in _STATES)


def _without_lock(workspace: Workspace, path: str, before: Callable[[], list[dict[str, Pin]]]) -> list[Finding]:
    """Returns what is wrong with a code commit that has no lock: the artifacts of the workspace are pinned nowhere."""
    if not any(head.commit is not None for head in workspace.state.heads()):
        return []
    if any(before()):
        hint = f"`git restore --staged --worktree {path}` brings it back, `aimdvc rm` takes artifacts out of it"
        return [Finding("", "removed", "is removed by this commit, and artifacts are here", hint)]
    hint = f"`git add {path}`" if read_lock_file(workspace) else f"`aimdvc checkout`, then `git add {path}`"
    return [Finding("", "not-staged", "is not tracked by Git: no commit would say which versions it uses", hint)]


def _gone(
    workspace: Workspace, pins: dict[str, Pin], before: list[dict[str, Pin]], told: Collection[str]
) -> list[Finding]:
    """Returns the artifacts that this commit takes out of the lock and that still are in the workspace."""
    removed = {name for known in before[:1] for name in known} - pins.keys() - set(told)
    return [
        Finding(
            head.name,
            "not-pinned",
            "this commit takes it out of the lock, and it is still here",
            f"`aimdvc rm -r {head.path}` removes it, `aimdvc checkout {head.name}@HEAD` pins it",
        )
        for head in workspace.state.heads()
        if head.name in removed
    ]
