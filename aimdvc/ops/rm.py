"""`rm`: entries leave the index and the disk; the path of a whole artifact takes it out of the workspace.

Order: all is checked before anything goes, then files, then the index in one transaction. Cut anywhere, the index still
has what is gone from the disk, and running it again finishes it. What was committed stays in the store.
"""

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aimdvc.errors import LocalChange, Refused, UnknownPath, UsageError
from aimdvc.model.entries import path_text
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.checkout import entry_of, require_same, require_unmoved
from aimdvc.ops.create import forget_artifact
from aimdvc.ops.part import everything
from aimdvc.ops.plan import CheckoutPlan, plan_checkout
from aimdvc.ops.rules import as_rules_want
from aimdvc.ops.scan import changed_suspects, scan
from aimdvc.ops.settle import settle
from aimdvc.ops.targets import Target, find_target, heads_below, near_path, unknown_target, workspace_path
from aimdvc.ops.workspace import Workspace
from aimdvc.ops.write import write_plan
from aimdvc.store.state import Head, Place, Row


@dataclass(frozen=True, slots=True)
class RmOptions:
    """`is_cached` leaves the files on disk; directories need `is_recursive`; `force` loses local changes."""

    is_cached: bool = False
    is_recursive: bool = False
    force: bool = False


@dataclass(slots=True)
class Removed:
    """What `rm` took out of one artifact. `paths` are relative to it; `commit` is where its HEAD was.

    `is_artifact` says that the artifact itself is no more in the workspace; its history and blobs are in the store.
    """

    artifact: str
    path: str
    is_artifact: bool
    commit: GitId | None
    paths: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Step:
    head: Head
    rows: list[Row]
    plan: CheckoutPlan
    is_artifact: bool


def rm(workspace: Workspace, here: Path, paths: Sequence[str], options: RmOptions, progress: Progress) -> list[Removed]:
    """Removes what the paths name, and returns it by artifact. Untracked files stay.

    Raises UnknownPath, UsageError for a directory, LocalChange, Refused for versions that no remote has; nothing was
    changed then.
    """
    targets = [(text, _target(workspace, here, text, options)) for text in paths]
    whole = {target.head.name for _, target in targets if _is_whole(target)}
    steps = [_artifact_step(workspace, name, options) for name in sorted(whole)]
    for name in sorted({target.head.name for _, target in targets} - whole):
        parts = [(text, target.inner) for text, target in targets if target.head.name == name]
        steps.append(_entries_step(workspace, here, name, parts, options))
    results = []
    for step in steps:
        # Before anything goes: what can't be represented without a rule that is removed is refused here.
        new = [] if step.is_artifact else as_rules_want(workspace, step.head, [row.deleted() for row in step.rows])
        with workspace.writing_files():
            require_unmoved(workspace, step.head)
            write_plan(workspace, step.head, step.plan, progress)
            if step.is_artifact:
                remove_root(workspace, step.head)
                forget_artifact(workspace, step.head)
            else:
                _unindex(workspace, step.head, step.rows, new)
        gone = [row.path for row in step.rows]
        results.append(Removed(step.head.name, step.head.path, step.is_artifact, step.head.commit, gone))
    return results


def _target(workspace: Workspace, here: Path, text: str, options: RmOptions) -> Target:
    path = workspace_path(workspace, here, text)
    found = find_target(workspace, path)
    if found is None:
        below = heads_below(workspace, path)
        if below:
            places = " ".join(shlex.quote(os.path.relpath(workspace.root / head.path, here)) for head in below[:5])
            raise UsageError(
                f"'{text}' is no artifact, and holds {len(below)}",
                hint=f"name those to remove: `aimdvc rm -r {places}`",
            )
        if "@" in text and workspace.state.head(text.partition("@")[0]) is not None:
            raise UnknownPath(text, "any artifact", hint="a version is never removed; `aimdvc revert` undoes one")
        raise unknown_target(workspace, here, text, "`git rm` removes what Git tracks")
    if found.inner == "" and not options.is_recursive:
        raise _needs_recursive(text)
    return found


def _is_whole(target: Target) -> bool:
    return target.inner == "" or target.head.is_file


def _needs_recursive(text: str) -> UsageError:
    return UsageError(f"'{text}' is a directory", hint=f"run `aimdvc rm -r {shlex.quote(text)}`")


def _entries_step(
    workspace: Workspace, here: Path, name: str, parts: Sequence[tuple[str, str]], options: RmOptions
) -> _Step:
    head = settle(workspace, name)
    found: dict[str, Row] = {}
    for text, inner in parts:
        known = [row for row in workspace.state.rows(head, inner) if row.place is not Place.HIDDEN]
        rows = [row for row in known if row.place is Place.DISK]
        if known and not rows:
            raise _not_checked_out(name, text)
        if not rows:
            hint = near_path(workspace, f"{head.path}/{inner}", here) or "what is not tracked is removed by `rm` alone"
            raise UnknownPath(text, f"artifact '{name}'", hint=hint)
        if not options.is_recursive and any(row.path != inner for row in rows):
            raise _needs_recursive(text)
        # A removal that is staged already is as it should be.
        found.update((row.path, row) for row in rows if row.mode)
    rows = [found[path] for path in sorted(found)]
    if options.is_cached:
        if not options.force:
            _refuse_staged_only(workspace, head, rows, [inner for _, inner in parts])
        return _Step(head, rows, CheckoutPlan(), False)
    return _Step(head, rows, _plan_removal(workspace, head, rows, options), False)


def _not_checked_out(name: str, text: str) -> Refused:
    return Refused(
        f"'{text}' of '{name}' is not checked out: rm leaves it alone",
        hint=f"run `aimdvc restore {shlex.quote(text)}` first, which brings it",
    )


def _plan_removal(workspace: Workspace, head: Head, rows: Sequence[Row], options: RmOptions) -> CheckoutPlan:
    plan = plan_checkout(workspace, head, ((entry_of(row), None) for row in rows), options.force, everything)
    if plan.lost:
        raise LocalChange(
            f"rm would lose local changes of '{head.name}'",
            sorted(set(plan.lost)),
            "`--cached` keeps the files, `-f` loses the changes",
        )
    return plan


def _refuse_staged_only(workspace: Workspace, head: Head, rows: Sequence[Row], places: Sequence[str]) -> None:
    """Raises LocalChange for content that is neither in HEAD nor on disk, but only staged."""
    staged = {row.path for row in rows if row.is_staged}
    if not staged:
        return
    changed = {
        path_text(raw) for inner in places for raw in changed_suspects(workspace, head, scan(workspace, head, inner))
    }
    if staged & changed:
        raise LocalChange(
            f"what is staged of '{head.name}' is neither in HEAD nor on disk",
            sorted(staged & changed),
            "run `aimdvc restore --staged PATH` first, or use -f",
        )


def _artifact_step(workspace: Workspace, name: str, options: RmOptions) -> _Step:
    head = settle(workspace, name)
    if not options.force:
        staged = [row.path for row in workspace.state.staged(head)]
        if staged:
            raise LocalChange(f"'{name}' has changes that are not committed", staged, "commit them, or use -f")
        _refuse_unpushed(workspace, head)
    rows = [row for row in workspace.state.rows(head) if row.mode and row.place is Place.DISK]
    plan = CheckoutPlan() if options.is_cached else _plan_removal(workspace, head, rows, options)
    return _Step(head, rows, plan, True)


def _refuse_unpushed(workspace: Workspace, head: Head) -> None:
    history = workspace.history(head.name)
    fetched = [commit for ref, commit in history.refs("refs/remotes/").items() if history.peel(commit) is not None]
    tips = {*history.refs("refs/heads/").values(), *((head.commit,) if head.commit else ())}
    for tip in sorted(tips):
        if history.new_commits([tip], fetched):
            raise Refused(
                f"artifact '{head.name}' has versions that were not pushed",
                hint=f"run `aimdvc push {head.name}` first; with -f they stay in this store alone",
            )


def _unindex(workspace: Workspace, head: Head, rows: Sequence[Row], new: Sequence[Row]) -> None:
    with workspace.state.transaction():
        require_same(workspace, head, rows)
        workspace.state.put_rows(head, new)


def remove_root(workspace: Workspace, head: Head) -> None:
    """Removes an artifact's directory, if nothing is left in it."""
    if head.path != "." and not head.is_file:
        with suppress(OSError):  # Untracked files stay, and with them the directory.
            os.rmdir(workspace.artifact_root(head))
