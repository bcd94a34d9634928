"""`mv`: entries move within their artifact, or an artifact to another place of the workspace.

Nothing is read again: the rows of the index move with their stat. Order: all is checked before anything moves, then a
rename on disk for each source, then the index in one transaction. Cut anywhere, the index still has the old paths: a
source that is gone from the disk while its target is there is taken as moved, and running it again finishes it.
"""

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import Refused, UnknownPath, UsageError
from aimdvc.model.entries import path_bytes
from aimdvc.model.paths import check_entry_path
from aimdvc.ops.checkout import require_same, require_unmoved
from aimdvc.ops.plan import lstat
from aimdvc.ops.relocate import check_relocation, relocate
from aimdvc.ops.rules import as_rules_want
from aimdvc.ops.scan import clock_ns
from aimdvc.ops.settle import settle
from aimdvc.ops.targets import Target, find_target, heads_below, near_path, unknown_target, workspace_path
from aimdvc.ops.workspace import Workspace
from aimdvc.store.moving import is_same_entry, move
from aimdvc.store.state import Head, Place, Row, Stat, is_racy, stat_of


@dataclass(frozen=True, slots=True)
class Moved:
    """One source moved; paths are relative to the workspace. `entries` counts those of the index that moved with it."""

    artifact: str
    source: str
    target: str
    is_artifact: bool
    entries: int


@dataclass(frozen=True, slots=True)
class _Step:
    """One move inside an artifact, by paths relative to it. `before` is the stat of its source, None once it is moved.

    `replaced` is the stat of the file that gives way.
    """

    head: Head
    source: str
    target: str
    rows: list[Row]
    before: Stat | None
    replaced: Stat | None

    def moved_rows(self) -> list[Row]:
        """Returns the rows at their new paths, without what HEAD has there."""
        cut = len(self.source)
        return [row._replace(path=self.target + row.path[cut:], head_mode=0, head_id=None) for row in self.rows]


def mv(workspace: Workspace, here: Path, sources: Sequence[str], destination: str, force: bool) -> list[Moved]:
    """Moves each source to the destination, or into it where that is a directory. `force` replaces a file there.

    Raises UnknownPath, UsageError between artifacts, UnsafePath, Refused where something is in the way; nothing was
    changed then.
    """
    to = workspace_path(workspace, here, destination)
    is_into = _is_directory(workspace, to, workspace_path(workspace, here, sources[0]))
    if not is_into and (len(sources) > 1 or destination.endswith("/")):
        raise UnknownPath(destination, "the workspace", hint="make the directory first")
    finals: dict[str, str] = {}
    artifacts: list[tuple[Head, str]] = []
    steps: list[_Step] = []
    for text in sources:
        path = workspace_path(workspace, here, text)
        final = _final(workspace, path, to, is_into, len(sources) == 1)
        if final in finals.values() or any(_overlap(path, other) for other in finals):
            raise UsageError(f"'{path}' and another source are or would become the same")
        finals[path] = final
        found = _source(workspace, here, text, path)
        if found.inner == "" or found.head.is_file:
            artifacts.append((settle(workspace, found.head.name), final))
            check_relocation(workspace, *artifacts[-1])
        else:
            steps.extend(_plan(workspace, found, path, final, force))
    moved = [_move_artifact(workspace, head, final) for head, final in artifacts]
    for name in dict.fromkeys(step.head.name for step in steps):
        moved += _apply(workspace, [step for step in steps if step.head.name == name])
    return moved


def _is_directory(workspace: Workspace, to: str, source: str) -> bool:
    """Returns whether sources go into the target; not where it is the source itself under another spelling."""
    there = lstat(path_bytes(str(workspace.root / to)))
    if there is None or not stat.S_ISDIR(there.st_mode):
        return False
    one = lstat(path_bytes(str(workspace.root / source)))
    return to == source or one is None or not is_same_entry(one, there)


def _overlap(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/")


def _final(workspace: Workspace, path: str, to: str, is_into: bool, is_only: bool) -> str:
    inside = os.path.normpath(f"{to}/{os.path.basename(path)}")
    if not is_into:
        return to
    was_moved = is_only and not os.path.lexists(workspace.root / path) and not os.path.lexists(workspace.root / inside)
    # An interrupted `mv A B` left the directory itself there, not a directory to move into.
    return to if was_moved else inside


def _source(workspace: Workspace, here: Path, text: str, path: str) -> Target:
    found = find_target(workspace, path)
    if found is not None:
        return found
    if heads_below(workspace, path):
        raise UsageError(f"'{path}' is no artifact, and holds some", hint="move each of them by its own path")
    raise unknown_target(workspace, here, text, "`git mv` moves what Git tracks")


def _move_artifact(workspace: Workspace, head: Head, final: str) -> Moved:
    relocate(workspace, head, final)
    return Moved(head.name, head.path, final, True, workspace.state.count(head))


def _plan(workspace: Workspace, found: Target, path: str, final: str, force: bool) -> Iterator[_Step]:
    """Yields the step that moves a source, or nothing when it was moved already. Raises before anything changes."""
    head = settle(workspace, found.head.name)
    to = find_target(workspace, final)
    if to is None or to.head.name != head.name:
        raise _between(head, path, final, to)
    source, target = found.inner, to.inner
    if target == source or target.startswith(source + "/"):
        raise UsageError(f"'{path}' can't be moved into itself")
    rows = [row for row in workspace.state.rows(head, source) if row.place is not Place.HIDDEN]
    live = [row for row in rows if row.mode]
    old, new = lstat(_absolute(workspace, head, source)), lstat(_absolute(workspace, head, target))
    if not live:
        if rows and old is None and _is_moved(workspace, head, rows, source, target):
            return
        hint = near_path(workspace, path) or "what is not tracked is moved by `mv` alone"
        raise UnknownPath(path, f"artifact '{head.name}'", hint=hint)
    for row in live:
        check_entry_path(target + row.path[len(source) :])
    is_file = live[0].path == source
    if old is not None and new is not None and source != target and is_same_entry(old, new):
        new = None  # A file system that folds case: the target is the source under its other spelling.
    is_done = old is None and new is not None and stat.S_ISDIR(new.st_mode) != is_file
    if old is None and not is_done and any(row.place is Place.DISK for row in live):
        raise UnknownPath(path, "the workspace", hint=f"run `aimdvc restore {shlex.quote(path)}` first")
    replaced = None if is_done else _replaced(head, target, new, force and is_file)
    _check_index(workspace, head, target, force and is_file)
    if not is_done:
        _check_parent(workspace, head, target)
    yield _Step(head, source, target, live, stat_of(old) if old is not None else None, replaced)


def _between(head: Head, path: str, final: str, to: Target | None) -> UsageError:
    if to is None:
        reason = f"'{final}' lies outside of the artifact '{head.name}'"
    else:
        reason = f"'{path}' and '{final}' lie in two artifacts, '{head.name}' and '{to.head.name}'"
    one, other = shlex.quote(path), shlex.quote(final)
    return UsageError(
        reason,
        hint=f"run `mv {one} {other}`, then `aimdvc add {other}` and `aimdvc rm -r {one}` in the workspace's root",
    )


def _is_moved(workspace: Workspace, head: Head, rows: Sequence[Row], source: str, target: str) -> bool:
    """Returns whether the sources are staged as removed, and the targets hold what they held."""
    for row in rows:
        there = workspace.state.row(head, target + row.path[len(source) :])
        if there is None or there.mode == 0 or there.git_id != row.head_id:
            return False
    return True


def _replaced(head: Head, target: str, status: os.stat_result | None, may_replace: bool) -> Stat | None:
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode) or not may_replace:
        hint = "move it away first" if stat.S_ISDIR(status.st_mode) else "-f replaces a file by a file"
        raise Refused(f"something is at '{target}' of '{head.name}' already", hint=hint)
    return stat_of(status)


def _check_index(workspace: Workspace, head: Head, target: str, may_replace: bool) -> None:
    """Raises Refused where the index has an entry at the target, below it, or in the place of a directory above it."""
    taken = [row.path for row in workspace.state.rows(head, target) if row.mode]
    if taken == [target] and may_replace:
        taken = []
    parts = target.split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    taken += [path for path in above if (row := workspace.state.row(head, path)) is not None and row.mode]
    if taken:
        place = shlex.quote(_prefix(head) + taken[0])
        hint = f"run `aimdvc rm --cached {place}` first, or move it away"
        raise Refused(f"the index of '{head.name}' has '{taken[0]}' already", hint=hint)


def _check_parent(workspace: Workspace, head: Head, target: str) -> None:
    parent = os.path.dirname(target)
    if parent and not os.path.isdir(_absolute(workspace, head, parent)):
        raise UnknownPath(parent, f"artifact '{head.name}'", hint="make the directory first")


def _absolute(workspace: Workspace, head: Head, path: str) -> bytes:
    return os.path.join(path_bytes(workspace.artifact_root(head)), path_bytes(path))


def _apply(workspace: Workspace, steps: Sequence[_Step]) -> list[Moved]:
    head = steps[0].head
    gone = [row for step in steps for row in step.rows]
    new = [row.deleted() for row in gone] + [row for step in steps for row in step.moved_rows()]
    # Before anything moves: what can't be represented at its new path is refused here.
    wanted = {row.path: row for row in as_rules_want(workspace, head, new)}
    with workspace.writing_files():
        require_unmoved(workspace, head)
        for step in steps:
            if step.before is not None:
                move(workspace.artifact_place(head), step.source, step.target, step.replaced, workspace.disk)
            if step.rows[0].path == step.source:
                row = wanted[step.target]
                wanted[step.target] = row._replace(stat=_moved_stat(workspace, step, row))
        with workspace.state.transaction():
            require_same(workspace, head, gone)
            pairs = workspace.state.paired(head, wanted.values())
            workspace.state.put_rows(head, [row if now is None else row.with_head_of(now) for row, now in pairs])
    prefix = _prefix(head)
    return [Moved(head.name, prefix + step.source, prefix + step.target, False, len(step.rows)) for step in steps]


def _prefix(head: Head) -> str:
    return "" if head.path == "." else head.path + "/"


def _moved_stat(workspace: Workspace, step: _Step, row: Row) -> Stat | None:
    """Returns the stat of a renamed file, which has a new ctime, if it was the one that the index knows.

    Within the tick of the rename a write would still change mtime, which is old: there is no need to read it again.
    """
    status = lstat(_absolute(workspace, step.head, row.path))
    if status is None or step.before is None or step.before != row.stat:
        return None
    now = stat_of(status)
    is_same = now._replace(ctime_ns=row.stat.ctime_ns) == row.stat
    is_old = not is_racy(now._replace(ctime_ns=now.mtime_ns), clock_ns(workspace.places.state))
    return now if is_same and is_old else None
