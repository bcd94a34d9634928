"""Files that were edited in place while they were hard links to blobs: noticed, and let go by the store.

With `core.link = hardlink` a file of the workspace is the blob's own file. It is read-only, but root writes it all the
same, and so does whoever makes it writable. The edit is the user's, and stays where it is: the store lets go of the
file, so that what the blob was has to come from elsewhere (`ops/repair.py`).
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aimdvc.errors import CorruptBlob
from aimdvc.fs.disk import current_umask
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.oid import Oid
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head, Row, Stat
from aimdvc.store.walk import DiskStat


@dataclass(frozen=True, slots=True)
class EditedBlob:
    """A blob that is no more what its oid says, since the file at `path`, which it was linked to, was edited."""

    path: str
    oid: Oid

    @property
    def message(self) -> str:
        """What was found, in a line."""
        return f"'{self.path}' was edited in place, and with it blob {self.oid}, which it is a hard link to"


def find_edited(workspace: Workspace, head: Head, changed: Mapping[bytes, DiskStat]) -> Iterator[EditedBlob]:
    """Yields those of the changed files whose blob changed with them. Opens no file."""
    for path, status in changed.items():
        row = workspace.state.row(head, path_text(path))
        if row is not None and row.oid is not None and _inode(workspace, row) == status[4]:
            yield EditedBlob(row.path, row.oid)


def let_go(workspace: Workspace, head: Head, rows: Iterable[Row], linked: Mapping[int, str]) -> list[EditedBlob]:
    """Sets those blobs of the rows aside that were edited through files, `linked` by inode, and returns them.

    The files keep their bytes, and become writable again.
    """
    found = []
    for row in rows:
        path = linked.get(_inode(workspace, row) or 0)
        if path is not None and row.oid is not None and not workspace.blobs.is_whole(row.oid):
            workspace.blobs.take_out(row.oid)
            make_writable(os.path.join(workspace.artifact_root(head), path))
            found.append(EditedBlob(path, row.oid))
    return found


def make_writable(path: str) -> None:
    """Gives a file that was a blob's the mode of a file of its own."""
    if not os.stat(path, follow_symlinks=False).st_mode & 0o222:
        os.chmod(path, 0o666 & ~current_umask())


def require_unedited(workspace: Workspace, head: Head) -> None:
    """Raises CorruptBlob for a staged blob that was edited in place since: a commit of it could not be checked out."""
    root = path_bytes(workspace.artifact_root(head))
    for row in workspace.state.staged(head):
        status = workspace.blobs.file_status(row.oid) if row.is_pointer and row.oid is not None else None
        if row.oid is None or status is None:
            continue
        now = Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        if status.st_nlink > 1 and now != row.stat and not workspace.blobs.is_whole(row.oid):
            error = CorruptBlob(row.oid, f"edited in place, through '{os.fsdecode(root)}/{row.path}' or a twin of it")
            error.hint = f"run `aimdvc add` on '{row.path}' to stage what it holds now"
            raise error


def _inode(workspace: Workspace, row: Row) -> int | None:
    """Returns the inode of the file that a row's blob is, when it has more names than the store's."""
    status = workspace.blobs.file_status(row.oid) if row.is_pointer and row.oid is not None else None
    return status.st_ino if status is not None and status.st_nlink > 1 else None
