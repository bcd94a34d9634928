"""A merge of aimdvc.lock as people see it: which versions stand against each other, and which command settles each.

The merge itself is in model/lockmerge.py. Called by Git's merge driver, and by every verb that reads an unsettled lock.
"""

import os
import shlex
from dataclasses import dataclass
from typing import NamedTuple

from aimdvc.errors import AimdvcError, LockConflict, UsageError
from aimdvc.git.code import deleting_side, is_merging_code
from aimdvc.model.lock import LockSides, Pin, parse_lock
from aimdvc.model.lockmerge import MergedPins, dump_merged, merge_pins
from aimdvc.ops.revisions import label
from aimdvc.ops.workspace import Workspace

_STAGE = "then `git add aimdvc.lock`"


@dataclass(frozen=True, slots=True)
class Choice:
    """An artifact to settle: what each side pins, None where it was removed, and the commands that decide."""

    artifact: str
    ours: str | None
    theirs: str | None
    how: str

    @property
    def line(self) -> str:
        """The choice as one line."""
        return f"{self.artifact}: {self.ours or 'removed'} in ours, {self.theirs or 'removed'} in theirs: {self.how}"


class MergedLock(NamedTuple):
    """The bytes that a merge made, and what of it is to settle; `fault` says why it could not be merged at all."""

    content: bytes
    choices: list[Choice]
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to settle."""
        return not self.choices and not self.fault


def merge_locks(workspace: Workspace | None, base: bytes, ours: bytes, theirs: bytes) -> MergedLock:
    """Returns the merge of two locks. One that can't be read is merged with nothing: both stand between marks."""
    try:
        merged = merge_pins(parse_lock(base), parse_lock(ours), parse_lock(theirs))
    except AimdvcError as error:
        content = b"<<<<<<< ours\n%s=======\n%s>>>>>>> theirs\n" % (_ended(ours), _ended(theirs))
        return MergedLock(content, [], error.message)
    return MergedLock(dump_merged(merged), choices_of(workspace, merged))


def _ended(content: bytes) -> bytes:
    return content if not content or content.endswith(b"\n") else content + b"\n"


def conflict_of(workspace: Workspace, merged: MergedPins) -> LockConflict:
    """Returns the error for a lock that is not settled, with the versions by name."""
    choices = choices_of(workspace, merged)
    hint = f"settle the merge conflict: {choices[0].how}; {_STAGE}" if choices else None
    return LockConflict({one.artifact: (one.ours, one.theirs) for one in choices}, hint)


def require_not_deleted(workspace: Workspace) -> None:
    """Raises UsageError while Git has a merge in which one side deleted aimdvc.lock and the other changed it.

    The file has no marks then, so nothing else would tell. Opens Git's index only while a merge is under way.
    """
    git_dir, work_tree = workspace.places.git_dir, workspace.places.work_tree
    if git_dir is None or work_tree is None or not is_merging_code(git_dir):
        return
    side = deleting_side(git_dir, lock_place(workspace))
    if side is not None:
        other = "theirs" if side == "ours" else "ours"
        raise UsageError(
            f"a merge of the code is not settled: {side} deleted aimdvc.lock, {other} changed it",
            hint="`git add aimdvc.lock` keeps it, `git rm aimdvc.lock` deletes it",
        )


def lock_place(workspace: Workspace) -> str:
    """Returns the path of aimdvc.lock in the code repository."""
    assert workspace.places.work_tree is not None, "the workspace lies in a work tree"
    inside = os.path.relpath(workspace.root, workspace.places.work_tree)
    return "aimdvc.lock" if inside == "." else f"{inside.replace(os.sep, '/')}/aimdvc.lock"


def choices_of(workspace: Workspace | None, merged: MergedPins) -> list[Choice]:
    """Returns what is to settle, by artifact. Without a workspace commits have no other name."""
    heads = {head.name for head in workspace.state.heads()} if workspace is not None else set()
    return [_choice(workspace, name, sides, name in heads) for name, sides in sorted(merged.conflicts.items())]


def _choice(workspace: Workspace | None, name: str, sides: LockSides, is_here: bool) -> Choice:
    ours, theirs = _called(workspace, name, sides.ours), _called(workspace, name, sides.theirs)
    if not is_here:
        how = "keep one of its sections between the marks in aimdvc.lock"
    elif sides.ours is None or sides.theirs is None:
        kept = sides.ours or sides.theirs
        assert kept is not None, "two sides without a pin agree"
        how = f"`aimdvc checkout {_typed(workspace, name, kept)}` keeps it"
        how = f"{_fetched(workspace, name, kept)}{how}, `aimdvc rm -r {shlex.quote(kept.path)}` removes it"
    else:
        our, their = _typed(workspace, name, sides.ours), _typed(workspace, name, sides.theirs)
        how = f"`aimdvc checkout {our}` or `aimdvc checkout {their}` keeps one, `aimdvc merge {their}` joins both"
        how = _fetched(workspace, name, sides.theirs) + how
    return Choice(name, ours, theirs, how)


def _called(workspace: Workspace | None, name: str, pin: Pin | None) -> str | None:
    if pin is None:
        return None
    return label(workspace.history(name), pin.commit) if _has(workspace, name, pin) and workspace else pin.commit[:12]


def _typed(workspace: Workspace | None, name: str, pin: Pin) -> str:
    """Returns a selector of the pin that a shell takes as it is: a `?` it may not."""
    called = _called(workspace, name, pin) or ""
    return f"{name}@{pin.commit[:12] if called.endswith('?') else called}"


def _fetched(workspace: Workspace | None, name: str, pin: Pin) -> str:
    return "" if _has(workspace, name, pin) else f"`aimdvc fetch {name}` brings its history, then "


def _has(workspace: Workspace | None, name: str, pin: Pin) -> bool:
    return (
        workspace is not None and workspace.repository_path(name).exists() and workspace.history(name).has(pin.commit)
    )
