"""`track` and `untrack`: which paths become pointers, by pattern, in the artifact's `.gitattributes`.

A rule and the entries that it touches change in one step of the index, so that every commit agrees with itself.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes, with_tracked, with_untracked
from aimdvc.model.entries import Mode
from aimdvc.model.own import ATTRIBUTES
from aimdvc.ops.settle import settle
from aimdvc.ops.stage import attribute_files, inline_row, read_rules, reattribute, row_content
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place


@dataclass(frozen=True, slots=True)
class Tracked:
    """A rule made: `entries` counts those that it turned into pointers, or out of them."""

    artifact: str
    pattern: str
    is_pointer: bool
    entries: int


def track(workspace: Workspace, name: str, pattern: str, is_pointer: bool) -> Tracked:
    """Makes paths that match a pattern pointers, or with `is_pointer` False keeps them in Git. Safe to repeat.

    Edits the user's own `.gitattributes` when there is one, else aimdvc's in the tree.
    """
    _check_pattern(pattern)
    head = settle(workspace, name)
    on_disk = Path(workspace.artifact_root(head), ATTRIBUTES)
    before, is_users = _rules(workspace, head, on_disk)
    after = with_tracked(before, pattern) if is_pointer else with_untracked(before, pattern)
    files = attribute_files(workspace, head) | {"": after}
    attributes = Attributes.parse(files)
    place = Place.DISK if is_users else Place.HIDDEN
    with workspace.blobs.writer() as writer:
        rule = inline_row(writer, ATTRIBUTES, int(Mode.FILE), after, place, None)
        others = (row for row in workspace.state.rows(head) if row.mode and row.path != ATTRIBUTES)
        rows = list(reattribute(others, attributes, workspace.history(name), workspace, writer))
    # Only now: what can't be represented by the new rules was refused before anything changed.
    if is_users and after != before:
        workspace.replace_file(on_disk, after)
    with workspace.state.transaction():
        known = workspace.state.row(head, ATTRIBUTES)
        if known is not None:
            rule = rule._replace(head_mode=known.head_mode, head_id=known.head_id)
        workspace.state.put_rows(head, [rule, *rows])
    return Tracked(name, pattern, is_pointer, len(rows))


def _check_pattern(pattern: str) -> None:
    if not pattern or pattern.startswith("!") or "\n" in pattern or "\0" in pattern:
        raise UsageError(
            f"pattern '{pattern}': expected one that names paths, such as '*.csv' or 'images/**'",
            hint="`track` and `untrack` are each other's opposite: there are no negative patterns",
        )


def _rules(workspace: Workspace, head: Head, on_disk: Path) -> tuple[bytes, bool]:
    """Returns the rules at the artifact's root, and whether they are the user's own file."""
    row = workspace.state.row(head, ATTRIBUTES)
    if not head.is_file:
        if os.path.lexists(on_disk):
            content = read_rules(str(on_disk))
            if content is None:
                raise UsageError(f"'{on_disk}' is no regular file", hint="make it one, or remove it")
            return content, True
        if head.commit is not None and (row is None or row.mode == 0):
            return b"", True
    if row is None or row.mode == 0:
        return DEFAULT_ATTRIBUTES, False
    return row_content(workspace, head, row), False


def tracked_patterns(workspace: Workspace, name: str) -> str:
    """Returns the rules of an artifact, as they stand in its root's `.gitattributes`."""
    head = settle(workspace, name)
    on_disk = Path(workspace.artifact_root(head), ATTRIBUTES)
    return _rules(workspace, head, on_disk)[0].decode("utf-8", "surrogateescape")
