"""`aimdvc hook pre-commit` and `aimdvc hook pre-merge-commit`."""

import re
from dataclasses import replace

from aimdvc.cli.hooked import Hooked, hook
from aimdvc.cli.output import shown_path
from aimdvc.errors import Refused
from aimdvc.model.oid import GitId
from aimdvc.ops.check import Finding
from aimdvc.ops.hook_large_files import Limits, find_large, staged_paths
from aimdvc.ops.hook_pre_commit import NextCommit, check_staged
from aimdvc.ops.workspace import Workspace

_MERGED = re.compile(r"GITHEAD_([0-9a-f]{40})")
_STAGED_LATE = ("other-commit", "other-path", "not-pinned")
_SHOWN = 5


@hook("pre-commit", "aimdvc-check")
def hook_pre_commit_command(hooked: Hooked) -> int:
    """Stop a code commit that artifacts disagree with

    Holds the aimdvc.lock that is staged in Git's index against the workspace: it is written as aimdvc writes it, what
    it pins is checked out, nothing of that is uncommitted, and its blobs are here. What is wrong is told in one line
    each, with the command to run, and the exit code is 1. Of several workspaces in the work tree each is checked.
    Asks no network. An artifact that was never pulled here, and that the commit doesn't touch, is left alone. Called by
    Git itself it also does what `aimdvc hook large-files` does; under pre-commit that is a hook of its own.

    \b
    Example:
      aimdvc hook pre-commit
    """
    return _run(hooked, is_with_files=True)


@hook("pre-merge-commit", "aimdvc-check")
def hook_pre_merge_commit_command(hooked: Hooked) -> int:
    """Stop a merge of code that artifacts disagree with

    As `aimdvc hook pre-commit`, before Git commits a merge that went by itself. What the other side pins is followed
    after the merge, by `aimdvc hook post-merge`, and needs not be here before it.

    \b
    Example:
      aimdvc hook pre-merge-commit
    """
    return _run(hooked)


def _run(hooked: Hooked, is_with_files: bool = False) -> int:
    # What Git sets while `git merge` runs, for each commit that is merged: MERGE_HEAD is written after the hook.
    merged = [GitId(match[1]) for name in hooked.variables if (match := _MERGED.fullmatch(name))]
    commit = NextCommit(hooked.index_path, merged)
    lines, found, large = [], [], []
    if is_with_files and not hooked.is_framework and not hooked.is_skipped("aimdvc-large-files"):
        large = find_large(hooked.project, staged_paths(hooked.project, hooked.index_path, Limits()), Limits())
        lines += [f"aimdvc: {one.line}" for one in large]
    with hooked.workspaces() as workspaces:
        for workspace in workspaces:
            for finding in check_staged(hooked.project, workspace, commit):
                finding = _under_framework(hooked, workspace, finding)
                found.append({"workspace": hooked.project.inside(workspace.root), **_plain(finding)})
                lines.append(f"aimdvc: {hooked.place(workspace)}{finding.line}{_paths(finding)}")
    hooked.cli.out.result({"findings": found, "files": large}, lines)
    return Refused.exit_code if found or large else 0


def _under_framework(hooked: Hooked, workspace: Workspace, finding: Finding) -> Finding:
    """Returns a finding with what may have been forgotten: pre-commit puts a lock that is not staged out of sight."""
    if not hooked.is_framework or finding.kind not in _STAGED_LATE or finding.hint.startswith("`git add "):
        return finding
    lock = shown_path(hooked.project.lock(workspace.root))
    return replace(finding, hint=f"`git add {lock}` if it was changed and is not staged; else {finding.hint}")


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "artifact": finding.artifact,
        "kind": finding.kind,
        "message": finding.message,
        "hint": finding.hint,
        "paths": finding.paths,
    }


def _paths(finding: Finding) -> str:
    """Returns the first of the paths, in brackets after the line."""
    if not finding.paths:
        return ""
    rest = len(finding.paths) - _SHOWN
    names = [shown_path(path) for path in finding.paths[:_SHOWN]] + ([f"{rest:,} more"] if rest > 0 else [])
    return f" ({', '.join(names)})"
