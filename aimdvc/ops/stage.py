"""Takes one file into the blob store and says what its entry becomes: a pointer, or bytes that Git keeps.

The attributes decide by path alone; the content never does. What is refused is named, with the command to run.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from aimdvc.errors import ChangedMeanwhile, Refused, UnsafePath
from aimdvc.fs.faults import mapped
from aimdvc.fs.system import open_any
from aimdvc.git.history import History
from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import EMPTY_BLOB, GitId
from aimdvc.model.own import ATTRIBUTES
from aimdvc.model.pointer import POINTER_LIMIT, Pointer, encode_pointer, find_pointer
from aimdvc.model.settings import Link
from aimdvc.ops.scan import git_blob_id
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobwriter import BlobWriter
from aimdvc.store.state import Head, Place, Row, Stat, stat_of
from aimdvc.store.walk import git_mode

INLINE_LIMIT = 16 << 20
"""Bytes; what no rule makes a pointer and is larger is refused."""

SMALL = 64 << 10
"""Bytes; files below this are read whole."""


_RULES_LIMIT = 100 << 20
"""Bytes; Git ignores larger ones, too (attr.h)."""


class Vanished(Exception):
    """The user's file was removed while it was to be staged: it is as good as never seen."""


@dataclass(frozen=True, slots=True)
class Stager:
    """What is needed to stage the files of one artifact."""

    root: bytes
    attributes: Attributes
    writer: BlobWriter
    link: Link = "copy"
    shared: dict[int, str] = field(default_factory=dict)
    """By inode, the path of a file that has other names, too: with `core.link = hardlink` one may be a blob's."""

    def stage(self, path: str, raw_path: bytes, advance: Callable[[int], None]) -> Row:
        """Stores a file's content and returns its row, without what HEAD has. Reads again if the file changes.

        `advance` takes the bytes read since its last call.

        Raises Vanished, ChangedMeanwhile, UnsafePath for what can't be kept, StorageError.
        """
        absolute = os.path.join(self.root, raw_path)
        for _ in range(3):
            row = self._stage_once(path, absolute, advance)
            if row is not None:
                return row
        raise ChangedMeanwhile(path)

    def _stage_once(self, path: str, absolute: bytes, advance: Callable[[int], None]) -> Row | None:
        try:
            status = os.lstat(absolute)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(absolute)
            else:
                # O_NONBLOCK: a file that was swapped for a pipe must not hang us (safety L31).
                with mapped(os.fsdecode(absolute)):
                    descriptor = open_any(absolute)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Vanished(path) from error
        if stat.S_ISLNK(status.st_mode):
            return self._inline(path, int(Mode.SYMLINK), target, stat_of(status))
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise UnsafePath(path, "not a regular file")
            if before.st_nlink > 1:
                self.shared[before.st_ino] = path
            row = self._read(path, descriptor, before, advance)
            after = os.fstat(descriptor)
            same = stat_of(before)
            if self.link == "hardlink":
                # A name that it got, to become a blob, changes nothing but the time of its inode.
                same = same._replace(ctime_ns=after.st_ctime_ns)
            return row if stat_of(after) == same else None
        finally:
            os.close(descriptor)

    def _read(self, path: str, descriptor: int, status: os.stat_result, advance: Callable[[int], None]) -> Row | None:
        size, mode = status.st_size, git_mode(status.st_mode)
        if size == 0:
            return Row(path, mode, EMPTY_BLOB, None, 0, False, Place.DISK, 0, None, stat_of(status))
        is_lfs = self.attributes.is_lfs(path)
        if not is_lfs and size > INLINE_LIMIT:
            raise too_large_for_git(path, size)
        if size < SMALL or not is_lfs:
            content = _read_all(descriptor, size)
            if len(content) != size:
                return None
            advance(size)
            if size < POINTER_LIMIT and find_pointer(content) is not None:
                raise UnsafePath(
                    path, "is a Git LFS pointer, not the content it stands for", hint="run `git lfs pull` first"
                )
            if not is_lfs:
                return self._inline(path, mode, content, stat_of(status))
            pointer = self.writer.add_bytes(content)
        else:
            pointer = self.writer.add_file(descriptor, status, advance, self.link)
        return pointer_row(path, mode, pointer, stat_of(status))

    def as_stored(self, row: Row) -> Row:
        """Returns a row with the stat that its file has once it became a blob, when that is all that changed of it."""
        if self.link != "hardlink" or row.stat is None or not row.is_pointer:
            return row
        try:
            now = stat_of(os.lstat(os.path.join(self.root, path_bytes(row.path))))
        except FileNotFoundError:
            return row
        return row._replace(stat=now) if now == row.stat._replace(ctime_ns=now.ctime_ns) else row

    def _inline(self, path: str, mode: int, content: bytes, status: Stat | None) -> Row:
        return inline_row(self.writer, path, mode, content, Place.DISK, status)


def too_large_for_git(path: str, size: int) -> UnsafePath:
    """Returns the error for bytes that Git should not hold."""
    suffix = os.path.splitext(path)[1]
    pattern = f"*{suffix}" if suffix else path
    return UnsafePath(
        path,
        f"{size >> 20} MiB that no rule of '{ATTRIBUTES}' takes out of Git",
        hint=f"run `aimdvc track '{pattern}'` (with `-n NAME` outside of its artifact), then add it again",
    )


def pointer_row(path: str, mode: int, pointer: Pointer, status: Stat | None) -> Row:
    """Returns the row of a file that becomes a pointer."""
    git_id = GitId(git_blob_id(encode_pointer(pointer)))
    return Row(path, mode, git_id, pointer.oid, pointer.size, True, Place.DISK, 0, None, status)


def inline_row(writer: BlobWriter, path: str, mode: int, content: bytes, place: Place, status: Stat | None) -> Row:
    """Stores bytes that Git will keep, safe until the commit, and returns their row."""
    git_id = GitId(git_blob_id(content))
    oid = writer.add_bytes(content).oid if content else None
    return Row(path, mode, git_id, oid, len(content), False, place, 0, None, status)


def attribute_files(workspace: Workspace, head: Head) -> dict[str, bytes]:
    """Returns the `.gitattributes` files of the index, by their directory, with "" for the root.

    A repository of somebody else's without any has no rules; our own first version has the default ones.
    """
    files: dict[str, bytes] = {}
    for row in workspace.state.named(head, ATTRIBUTES):
        if row.mode in (Mode.FILE, Mode.EXECUTABLE):
            files[row.path.rpartition("/")[0]] = row_content(workspace, head, row)
    return files or ({"": DEFAULT_ATTRIBUTES} if head.commit is None else {})


def read_rules(path: str) -> bytes | None:
    """Returns a `.gitattributes` of the workspace; None for what is no regular file, which has no say, as in Git.

    Never follows a link and never waits: the file may be anyone's (safety L31).
    """
    try:
        descriptor = open_any(path)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _RULES_LIMIT:
            return None
        return _read_all(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def row_content(workspace: Workspace, head: Head, row: Row) -> bytes:
    """Returns the bytes of a small entry, from the blob store or from Git."""
    if row.size == 0 and row.git_id == EMPTY_BLOB:
        return b""
    if row.oid is not None and (row.is_staged or row.is_pointer):
        return workspace.blobs.read(row.oid)
    assert row.git_id is not None
    return workspace.history(head.name).read_blob(row.git_id)


def reattribute(
    rows: Iterable[Row], attributes: Attributes, history: History, workspace: Workspace, writer: BlobWriter
) -> Iterator[Row]:
    """Yields the rows that the rules now represent otherwise, so that one commit holds rules and entries together.

    Raises Refused for one whose content isn't here, as it is not checked out; MissingBlob, UnsafePath.
    """
    for row in rows:
        regular = row.mode in (Mode.FILE, Mode.EXECUTABLE)
        if not regular or row.place is Place.HIDDEN or row.git_id == EMPTY_BLOB:
            continue
        if attributes.is_lfs(row.path) == row.is_pointer:
            continue
        if row.is_pointer:
            if row.size > INLINE_LIMIT:
                raise too_large_for_git(row.path, row.size)
            assert row.oid is not None
            if row.place is Place.ABSENT and not workspace.blobs.has(row.oid):
                raise Refused(
                    f"the rules keep '{row.path}' in Git now, and its content is not here: it is not checked out",
                    hint="run `aimdvc restore PATH` with it first, which brings it; nothing was changed",
                )
            content = workspace.blobs.read(row.oid)
            yield row._replace(git_id=GitId(git_blob_id(content)), is_pointer=False)
        else:
            assert row.git_id is not None
            content = workspace.blobs.read(row.oid) if row.oid else history.read_blob(row.git_id)
            pointer = writer.add_bytes(content)
            new = pointer_row(row.path, row.mode, pointer, row.stat)
            yield row._replace(git_id=new.git_id, oid=new.oid, size=new.size, is_pointer=True)


def _read_all(descriptor: int, size: int) -> bytes:
    content = os.read(descriptor, size + 1)
    if len(content) == size:
        return content
    parts = [content]
    total = len(content)
    while total <= size and (more := os.read(descriptor, size + 1 - total)):
        parts.append(more)
        total += len(more)
    return b"".join(parts)
