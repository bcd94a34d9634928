"""What a checkout has to do: the differences between two trees, held against the index and the disk.

Work is proportional to what differs: paths that are the same in both trees are never looked at, so local changes there
are kept, as `git checkout` keeps them.
"""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from aimdvc.model.attributes import is_ours
from aimdvc.model.entries import Entry, Mode, path_bytes, path_text
from aimdvc.model.oid import Oid
from aimdvc.model.own import ATTRIBUTES, is_own
from aimdvc.model.paths import check_entry_path
from aimdvc.model.pointer import Pointer
from aimdvc.ops.content import read_inline
from aimdvc.ops.part import IsWanted
from aimdvc.ops.scan import is_same_content
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Place, Row, Stat, stat_of
from aimdvc.store.walk import git_mode, is_there

EntryPair = tuple[Entry | None, Entry | None]
ReadInline = Callable[[Entry], bytes]


@dataclass(slots=True)
class CheckoutPlan:
    """`write` and `delete` are for the disk; `keep` are already there; `lost` would lose a local change.

    `absent` are entries that are not checked out. `clear` are directories in the way of a file; when `delete` is done,
    nothing but directories is left in them. `seen` is the stat of what the plan found at each path to write or delete,
    None for nothing: it is looked at again before the path changes.
    """

    write: list[Entry] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    keep: list[tuple[Entry, Stat]] = field(default_factory=list)
    hidden: list[Entry] = field(default_factory=list)
    absent: list[Entry] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    seen: dict[str, Stat | None] = field(default_factory=dict)

    def pointers(self) -> list[Pointer]:
        """Returns the pointers of what is to be written."""
        return [entry.pointer for entry in self.write if entry.pointer is not None]


def plan_checkout(
    workspace: Workspace, head: Head, pairs: Iterable[EntryPair], force: bool, is_wanted: IsWanted
) -> CheckoutPlan:
    """Returns what turns the disk from the first entries of the pairs into the second, as far as they are wanted there.

    Reads no more than it must. Raises UnsafePath for an entry that may not be written.
    """
    plan = CheckoutPlan()
    root = path_bytes(workspace.artifact_root(head))
    is_empty = not os.path.isdir(root)
    has_staged = any(True for _ in workspace.state.staged(head))
    read = partial(read_inline, workspace, head)
    for old, new in pairs:
        path = (old or new).path  # type: ignore[union-attr]
        if new is not None and is_hidden(new, read):
            plan.hidden.append(new)
            if old is not None and not is_hidden(old, read):
                _plan_deletion(workspace, head, root, path, plan, force)
            continue
        if new is None:
            if not is_hidden(old, read):  # type: ignore[arg-type]
                _plan_deletion(workspace, head, root, path, plan, force)
            continue
        # Before the disk is looked at: a hostile tree names what lies elsewhere.
        check_entry_path(path)
        if not is_wanted(path):
            _plan_absence(workspace, head, root, new, plan, force)
            continue
        if is_empty and not has_staged:
            plan.write.append(new)
            plan.seen[path] = None
            continue
        _plan_write(workspace, head, root, new, plan, force)
    return plan


def is_hidden(entry: Entry, read: ReadInline) -> bool:
    """Returns whether an entry is of the tree only: `.aimd/`, aimdvc's own `.gitattributes`, a gitlink."""
    if entry.mode == Mode.GITLINK or is_own(entry.path):
        return True
    return entry.path == ATTRIBUTES and entry.pointer is None and is_ours(read(entry))


def _plan_write(workspace: Workspace, head: Head, root: bytes, new: Entry, plan: CheckoutPlan, force: bool) -> None:
    absolute = os.path.join(root, path_bytes(new.path))
    status = lstat(absolute)
    row = workspace.state.row(head, new.path)
    if status is not None and not stat.S_ISDIR(status.st_mode):
        disk = (git_mode(status.st_mode), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if disk[0] == new.mode and is_same_content(absolute, disk, row_of(new)):
            plan.keep.append((new, stat_of(status)))
            return
        if not force and not _is_clean(absolute, disk, row):
            plan.lost.append(new.path)
    elif status is not None:
        _plan_directory_in_the_way(workspace, head, root, new.path, plan, force)
    elif not force and _blocked(root, new.path, workspace, head):
        plan.lost.append(new.path)
    if not force and _is_staged_otherwise(row, new):
        plan.lost.append(new.path)
    plan.write.append(new)
    plan.seen[new.path] = stat_of(status) if status is not None and not stat.S_ISDIR(status.st_mode) else None


def _is_staged_otherwise(row: Row | None, new: Entry) -> bool:
    return row is not None and row.is_staged and bool(row.mode) and (row.mode, row.git_id) != (new.mode, new.git_id)


def _plan_absence(workspace: Workspace, head: Head, root: bytes, new: Entry, plan: CheckoutPlan, force: bool) -> None:
    plan.absent.append(new)
    if not force and _is_staged_otherwise(workspace.state.row(head, new.path), new):
        plan.lost.append(new.path)
    _plan_deletion(workspace, head, root, new.path, plan, force)


def _plan_directory_in_the_way(
    workspace: Workspace, head: Head, root: bytes, path: str, plan: CheckoutPlan, force: bool
) -> None:
    """A directory gives way to a file when all in it is tracked: each of these has a pair that checks for changes.

    What is not tracked there is never thrown away, not by force either, as in Git; what is only staged, by force alone.
    """
    rows = [row for row in workspace.state.rows(head, path) if row.mode and row.place is Place.DISK]
    tracked = {row.path for row in rows if force or not row.is_staged}
    absolute = os.path.join(root, path_bytes(path))
    for directory, names, files in os.walk(absolute):
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        inside = (path_text(os.path.join(directory, name)[len(root) + 1 :]) for name in files + links)
        plan.lost.extend(inner for inner in inside if inner not in tracked)
    plan.clear.append(path)


def _plan_deletion(workspace: Workspace, head: Head, root: bytes, path: str, plan: CheckoutPlan, force: bool) -> None:
    absolute = os.path.join(root, path_bytes(path))
    row = workspace.state.row(head, path)
    # A file at a path that is not checked out is the user's change of it, which force alone loses.
    if row is None or row.place is Place.HIDDEN or (row.place is Place.ABSENT and not force):
        return
    if force and row.mode == 0:
        return  # It is tracked no more: what lies there is the user's alone, and stays, as in Git.
    if not force and row.is_staged and row.mode:
        plan.lost.append(path)
    status = lstat(absolute)
    if status is None or stat.S_ISDIR(status.st_mode) or not is_there(root, path_bytes(path)):
        return
    disk = (git_mode(status.st_mode), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if not force and not _is_clean(absolute, disk, row):
        plan.lost.append(path)
    plan.delete.append(path)
    plan.seen[path] = stat_of(status)


def _is_clean(absolute: bytes, disk: tuple[int, int, int, int, int], row: Row | None) -> bool:
    if row is None or row.mode == 0 or row.place is not Place.DISK:
        return False
    if row.stat == disk[1:] and row.mode == disk[0]:
        return True
    return row.mode == disk[0] and is_same_content(absolute, disk, row)


def _blocked(root: bytes, path: str, workspace: Workspace, head: Head) -> bool:
    parent = path.rpartition("/")[0]
    while parent:
        status = lstat(os.path.join(root, path_bytes(parent)))
        if status is not None:
            return not stat.S_ISDIR(status.st_mode) and workspace.state.row(head, parent) is None
        parent = parent.rpartition("/")[0]
    return False


def lstat(path: bytes) -> os.stat_result | None:
    """Returns the status of what is at a path, links not followed; None for nothing."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def row_of(entry: Entry, place: Place = Place.DISK, status: Stat | None = None) -> Row:
    """Returns the index's row of a tree's entry, as HEAD has it."""
    pointer = entry.pointer
    oid: Oid | None = pointer.oid if pointer else None
    size = pointer.size if pointer else 0
    return Row(
        entry.path, entry.mode, entry.git_id, oid, size, pointer is not None, place, entry.mode, entry.git_id, status
    )
