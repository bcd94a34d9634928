"""`track` and `untrack`: which paths become pointers, by pattern, in the artifact's `.gitattributes`.

A rule and the entries that it touches change in one step of the index, so that every commit agrees with itself.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes, with_tracked, with_untracked
from aimdvc.model.entries import Mode
from aimdvc.ops.settle import settle
from aimdvc.ops.stage import ATTRIBUTES, attribute_files, inline_row, reattribute, row_content
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
    head = settle(workspace, name)
    on_disk = Path(workspace.artifact_root(head), ATTRIBUTES)
    is_users = not head.is_file and on_disk.exists()
    before = on_disk.read_bytes() if is_users else _own_rules(workspace, head)
    after = with_tracked(before, pattern) if is_pointer else with_untracked(before, pattern)
    if is_users and after != before:
        workspace.replace_file(on_disk, after)
    files = attribute_files(workspace, head) | {"": after}
    attributes = Attributes.parse(files)
    place = Place.DISK if is_users else Place.HIDDEN
    with workspace.blobs.writer() as writer:
        rule = inline_row(writer, ATTRIBUTES, int(Mode.FILE), after, place, None)
        others = (row for row in workspace.state.rows(head) if row.mode and row.path != ATTRIBUTES)
        rows = list(reattribute(others, attributes, workspace.history(name), workspace, writer))
    with workspace.state.transaction():
        known = workspace.state.row(head, ATTRIBUTES)
        if known is not None:
            rule = rule._replace(head_mode=known.head_mode, head_id=known.head_id)
        workspace.state.put_rows(head, [rule, *rows])
    return Tracked(name, pattern, is_pointer, len(rows))


def _own_rules(workspace: Workspace, head: Head) -> bytes:
    row = workspace.state.row(head, ATTRIBUTES)
    if row is None or row.mode == 0:
        return DEFAULT_ATTRIBUTES
    return row_content(workspace, head, row)


def tracked_patterns(workspace: Workspace, name: str) -> str:
    """Returns the rules of an artifact, as they stand in its root's `.gitattributes`."""
    head = settle(workspace, name)
    on_disk = os.path.join(workspace.artifact_root(head), ATTRIBUTES)
    if not head.is_file and os.path.exists(on_disk):
        return Path(on_disk).read_text("utf-8", "surrogateescape")
    return _own_rules(workspace, head).decode("utf-8", "surrogateescape")
