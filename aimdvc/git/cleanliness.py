"""Whether the tracked files of a code repository are as HEAD has them: what `git describe --dirty` asks.

Reads files only; no git process runs, and no filter that the repository configures. What filters make of a file can't
be told then, but for Git LFS and line endings: a file of any other filter that was touched, and not added since, counts
as changed.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from aimdvc.errors import ConfigSyntaxError
from aimdvc.fs.disk import Disk
from aimdvc.fs.system import open_any
from aimdvc.git.code import head_commit, read_index
from aimdvc.git.history import History
from aimdvc.git.trees import RawEntry, iter_files
from aimdvc.model.entries import Mode
from aimdvc.model.gitconfig import parse
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import POINTER_LIMIT, find_pointer

if TYPE_CHECKING:
    from dulwich.index import IndexEntry

_CHUNK = 1 << 20
_VALID = 0x8000
_SKIPPED = 0x4000
_TO_BE_ADDED = 0x2000
"""Flags of an entry: assumed to be unchanged, not checked out, and added without its content. gitformat-index(5)."""


def is_dirty(git_dir: Path, common_dir: Path, work_tree: Path, apart: bytes | None = None) -> bool:
    """Returns whether a tracked file, or what is staged, differs from HEAD; files that aren't tracked don't count.

    Nor does the file `apart`.

    Raises UsageError for an index that only git reads, CorruptRepository, UnsupportedFormat.
    """
    return any(True for _ in _iter_changed(git_dir, common_dir, work_tree, lambda path: path != apart))


def changed_below(git_dir: Path, common_dir: Path, work_tree: Path, place: bytes) -> list[bytes]:
    """Returns the tracked paths at or below one that differ from HEAD, on disk or as staged. Raises as `is_dirty`."""
    below = place + b"/"
    changed = _iter_changed(git_dir, common_dir, work_tree, lambda path: path == place or path.startswith(below))
    return sorted(set(changed))


def _iter_changed(
    git_dir: Path, common_dir: Path, work_tree: Path, is_meant: Callable[[bytes], bool]
) -> Iterator[bytes]:
    index = read_index(git_dir)
    staged = {path: entry for path, entry in index.items() if is_meant(path)} if index is not None else {}
    head = head_commit(git_dir, common_dir)
    with History(common_dir, Disk()) as history:
        tree = history.commit(head).tree if head is not None else None
        files = iter_files(history.read_tree, tree) if tree is not None else iter(())
        entries = {raw.path: raw for raw in files if is_meant(raw.path)}
        yield from entries.keys() ^ staged.keys()
        found = _Worktree(work_tree, _has_modes(common_dir), git_dir / "index", history.read_blob)
        for path in entries.keys() & staged.keys():
            entry = staged[path]
            # In a conflict an entry has several contents, and none of its own.
            if not hasattr(entry, "sha") or found.is_changed(path, cast("IndexEntry", entry), entries[path]):
                yield path


class _Worktree:
    """The files that an index is about."""

    def __init__(self, root: Path, has_modes: bool, index: Path, read_blob: Callable[[GitId], bytes]) -> None:
        self._root = os.fsencode(root)
        self._has_modes = has_modes
        self._written_ns = index.stat().st_mtime_ns if index.exists() else 0
        self._read_blob = read_blob

    def is_changed(self, path: bytes, entry: "IndexEntry", committed: RawEntry) -> bool:
        if (entry.mode, entry.sha.decode()) != (committed.mode, committed.git_id):
            return True
        if entry.mode == Mode.GITLINK or entry.flags & _VALID or entry.extended_flags & _SKIPPED:
            return False
        if entry.extended_flags & _TO_BE_ADDED:
            return True
        place = os.path.join(self._root, path)
        try:
            status = os.lstat(place)
        except OSError:
            return True
        if stat.S_ISLNK(status.st_mode) != (entry.mode == Mode.SYMLINK):
            return True
        if not stat.S_ISLNK(status.st_mode):
            is_other = self._has_modes and bool(status.st_mode & 0o100) != (entry.mode == Mode.EXECUTABLE)
            if not stat.S_ISREG(status.st_mode) or is_other:
                return True
        return not self._is_fresh(status, entry) and not self._is_same(place, status, entry)

    def _is_fresh(self, status: os.stat_result, entry: "IndexEntry") -> bool:
        """Returns whether a file has the stat that it was added with, and was not changed right afterwards."""
        for seen_ns, noted in ((status.st_mtime_ns, entry.mtime), (status.st_ctime_ns, entry.ctime)):
            seconds, rest = noted if isinstance(noted, tuple) else (int(noted), 0)
            if seen_ns // 10**9 != seconds or (rest and seen_ns % 10**9 != rest):
                return False
        return status.st_size & 0xFFFFFFFF == entry.size and status.st_mtime_ns < self._written_ns

    def _is_same(self, place: bytes, status: os.stat_result, entry: "IndexEntry") -> bool:
        # Git, too, takes another size for another content, save 0, which it notes of what was changed while it looked.
        if entry.size not in (0, status.st_size & 0xFFFFFFFF):
            return False
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(place)
            return _git_id(target) == entry.sha
        sha1, sha256 = hashlib.sha1(b"blob %d\0" % status.st_size, usedforsecurity=False), hashlib.sha256()
        has_return = False
        for chunk in _chunks(place):
            sha1.update(chunk)
            sha256.update(chunk)
            has_return = has_return or b"\r" in chunk
        if sha1.hexdigest().encode() == entry.sha:
            return True
        content = self._read_blob(GitId(entry.sha.decode()))
        pointer = find_pointer(content) if len(content) < POINTER_LIMIT else None
        if pointer is not None:
            return (pointer.oid, pointer.size) == (sha256.hexdigest(), status.st_size)
        return has_return and _git_id(b"".join(_chunks(place)).replace(b"\r\n", b"\n")) == entry.sha


def _chunks(place: bytes) -> Iterator[bytes]:
    descriptor = open_any(place)
    try:
        while chunk := os.read(descriptor, _CHUNK):
            yield chunk
    finally:
        os.close(descriptor)


def _git_id(content: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest().encode()


def _has_modes(common_dir: Path) -> bool:
    """Returns whether files in the work tree have modes that mean something: `core.fileMode`."""
    path = common_dir / "config"
    try:
        config = parse(path.read_bytes(), str(path))
    except (OSError, ConfigSyntaxError):
        return True
    return (config.get("core", None, "filemode") or "true").lower() not in ("false", "no", "off", "0")
