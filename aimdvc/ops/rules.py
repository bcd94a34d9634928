"""Keeps an index true to its own rules when entries change without a file being read: `rm`, `mv`, `restore`."""

from collections.abc import Sequence
from itertools import chain

from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes
from aimdvc.model.entries import Mode
from aimdvc.model.own import ATTRIBUTES
from aimdvc.ops.stage import attribute_files, inline_row, reattribute, row_content
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place, Row


def as_rules_want(workspace: Workspace, head: Head, rows: Sequence[Row]) -> list[Row]:
    """Returns new rows of the index as the rules represent them that hold once they are saved.

    Where the rows change rules, the other entries that these now represent otherwise come with them, and a root that
    loses its rules gets aimdvc's own. Reads the content of those entries only.
    """
    files = attribute_files(workspace, head)
    has_rules, is_root_left = False, False
    for row in rows:
        directory, _, name = row.path.rpartition("/")
        if name != ATTRIBUTES:
            continue
        has_rules = True
        if row.mode in (Mode.FILE, Mode.EXECUTABLE):
            files[directory] = row_content(workspace, head, row)
        elif directory:
            files.pop(directory, None)
        else:
            is_root_left = True
            files[""] = DEFAULT_ATTRIBUTES
    wanted = {row.path: row for row in rows}
    others = (row for row in workspace.state.rows(head) if row.mode and row.path not in wanted) if has_rules else ()
    with workspace.blobs.writer() as writer:
        history = workspace.history(head.name)
        anew = list(reattribute(chain(rows, others), Attributes.parse(files), history, workspace, writer))
        if is_root_left:
            before = wanted[ATTRIBUTES]
            own = inline_row(writer, ATTRIBUTES, int(Mode.FILE), DEFAULT_ATTRIBUTES, Place.HIDDEN, None)
            anew.append(own._replace(head_mode=before.head_mode, head_id=before.head_id))
    wanted.update((row.path, row) for row in anew)
    return list(wanted.values())
