"""Partial checkouts: which of an artifact's files the workspace has.

Entries keep the place they have; the patterns decide about paths that the index doesn't know yet. So a file that was
added or restored from outside the part stays, until patterns are given anew.
"""

from collections.abc import Callable, Iterator

from aimdvc.model.patterns import WHOLE, Part, unmatched
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place, Row

IsWanted = Callable[[str], bool]


def everything(path: str) -> bool:
    """Returns True: whatever it is, it is to be on disk."""
    return True


def wanted_paths(workspace: Workspace, head: Head, part: Part | None) -> IsWanted:
    """Returns what tells whether a file is to be on disk: by the part, else by its place and the patterns in force."""
    if part is not None:
        return part.holds
    state = workspace.state
    known = state.parts.get(head.id)
    if known == WHOLE and not state.parts.count_absent(head.id):
        return everything

    def is_wanted(path: str) -> bool:
        row = state.row(head, path)
        return known.holds(path) if row is None or row.place is Place.HIDDEN else row.place is Place.DISK

    return is_wanted


def unmatched_patterns(workspace: Workspace, head: Head, part: Part | None) -> list[str]:
    """Returns the patterns of a part that no path of the index matches: most likely they were mistyped."""
    if part is None or part.is_whole:
        return []
    rows = (row.path for row in workspace.state.rows(head) if row.mode and row.place is not Place.HIDDEN)
    return unmatched(part, rows)


def moving_rows(workspace: Workspace, head: Head, part: Part) -> Iterator[Row]:
    """Yields the entries that come to the disk, or leave it, when the workspace has this part from now on."""
    for row in workspace.state.rows(head):
        if row.mode and row.place is not Place.HIDDEN and part.holds(row.path) != (row.place is Place.DISK):
            yield row
