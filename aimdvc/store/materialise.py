"""Brings blobs into a workspace: each file under a temporary name, then renamed, never through a link.

The temporary lies in the store's `tmp/` when that is the same file system, so that nothing half-written is ever seen in
the workspace. Bytes are hashed on the way. One syncfs at the end makes all of it durable.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import MissingBlob, UnsafePath
from aimdvc.fs.disk import Disk, current_umask, reflink
from aimdvc.fs.faults import mapped
from aimdvc.model.entries import Mode, path_bytes
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.model.settings import Link
from aimdvc.store.blobs import BlobStore
from aimdvc.store.catalog import PackedBlob
from aimdvc.store.copying import copy_hashed
from aimdvc.store.state import Stat

_BATCH = 4096
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Job(NamedTuple):
    """One file to write: its path below the root, its mode as Git has it, and its bytes or the blob that holds them."""

    path: str
    mode: int
    source: Pointer | bytes


def materialise(
    root: str, jobs: Iterable[Job], store: BlobStore, disk: Disk, link: Link, progress: Progress
) -> dict[str, Stat]:
    """Writes the files and returns their stat by path, durable. Safe to repeat.

    Raises UnsafePath where a link stands in the way, MissingBlob, CorruptBlob, StorageError; what was written stays.
    """
    disk.make_directory(Path(root))
    stats: dict[str, Stat] = {}
    pending = iter(jobs)
    with _Writer(root, store, disk, link) as writer:
        while batch := list(islice(pending, _BATCH)):
            places = store.find_many(job.source.oid for job in batch if isinstance(job.source, Pointer))
            for job in batch:
                stats[job.path] = writer.write(job, places)
            progress.advance(len(batch))
    disk.sync_filesystem(Path(root))
    return stats


class _Writer:
    """Holds the directory that the last file went to, and the one for temporary files."""

    def __init__(self, root: str, store: BlobStore, disk: Disk, link: Link) -> None:
        self._root_path = root
        self._store = store
        self._disk = disk
        self._link = link
        self._root = os.open(root, _DIRECTORY)
        self._directory = os.dup(self._root)
        self._inside = b""
        temporary = store.layout.temporary
        is_same = temporary.stat().st_dev == os.fstat(self._root).st_dev
        self._temporary = os.open(temporary, _DIRECTORY) if is_same else -1
        self._prefix = f"tmp-{os.getpid()}-{os.urandom(4).hex()}-"
        self._count = 0
        umask = current_umask()
        self._modes = {int(Mode.FILE): 0o666 & ~umask, int(Mode.EXECUTABLE): 0o777 & ~umask}

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._root, self._directory, self._temporary):
            if descriptor >= 0:
                os.close(descriptor)

    def write(self, job: Job, places: dict[Oid, PackedBlob]) -> Stat:
        raw = path_bytes(job.path)
        parent, _, name = raw.rpartition(b"/")
        full = f"{self._root_path}/{job.path}"
        with mapped(full):
            if parent != self._inside:
                self._enter(parent, job.path)
            self._disk.before("write", full)
            temp, temp_directory = self._write_temp(job, places)
            self._disk.before("rename", full)
            try:
                os.rename(temp, name, src_dir_fd=temp_directory, dst_dir_fd=self._directory)
            except OSError:
                os.unlink(temp, dir_fd=temp_directory)
                raise
            status = os.stat(name, dir_fd=self._directory, follow_symlinks=False)
        return Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def _enter(self, parent: bytes, path: str) -> None:
        descriptor = os.dup(self._root)
        try:
            for part in parent.split(b"/") if parent else ():
                descriptor = self._step(descriptor, part, path)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(self._directory)
        self._directory = descriptor
        self._inside = parent

    def _step(self, descriptor: int, part: bytes, path: str) -> int:
        try:
            inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
        except FileNotFoundError:
            self._disk.before("mkdir", f"{self._root_path}/{path}")
            os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
        except OSError as error:
            raise UnsafePath(path, f"'{os.fsdecode(part)}' is in the way and is no directory") from error
        os.close(descriptor)
        return inner

    def _write_temp(self, job: Job, places: dict[Oid, PackedBlob]) -> tuple[str, int]:
        self._count += 1
        name = f"{self._prefix}{self._count}"
        directory = self._temporary
        if directory < 0:
            name, directory = f".{name}", self._directory
        source = job.source
        if job.mode == Mode.SYMLINK:
            target = source if isinstance(source, bytes) else self._store.read(source.oid)
            os.symlink(target, name, dir_fd=directory)
            return name, directory
        place = places.get(source.oid) if isinstance(source, Pointer) else None
        if isinstance(source, Pointer) and place is None:
            self._place_file(source, job, name, directory)
            return name, directory
        content = source if isinstance(source, bytes) else self._store.read_packed(source.oid, place)  # type: ignore[arg-type]
        descriptor = os.open(name, _CREATE, self._modes[job.mode], dir_fd=directory)
        try:
            _write_all(descriptor, content)
        except BaseException:
            os.unlink(name, dir_fd=directory)
            raise
        finally:
            os.close(descriptor)
        return name, directory

    def _place_file(self, pointer: Pointer, job: Job, name: str, directory: int) -> None:
        blob = self._store.path_of(pointer.oid)
        if blob is None:
            raise MissingBlob(pointer.oid)
        if self._link == "hardlink" and job.mode == Mode.FILE:
            self._store.verify(pointer.oid)
            try:
                os.link(blob, name, dst_dir_fd=directory)
                return
            except OSError:
                pass  # Another file system, or too many links: a copy does as well.
        source = os.open(blob, os.O_RDONLY | os.O_CLOEXEC)
        target = os.open(name, _CREATE, self._modes[job.mode], dir_fd=directory)
        try:
            if self._link == "reflink" and reflink(source, target):
                self._store.verify(pointer.oid)
            else:
                copy_hashed(source, target, pointer)
        except BaseException:
            os.unlink(name, dir_fd=directory)
            raise
        finally:
            os.close(source)
            os.close(target)


def _write_all(descriptor: int, content: bytes | memoryview) -> None:
    written = os.write(descriptor, content)
    if written < len(content):
        view = memoryview(content)[written:]
        while view:
            view = view[os.write(descriptor, view) :]


def remove(root: str, paths: Sequence[str], disk: Disk) -> None:
    """Removes files, and directories that this empties; never through a link. Files that are gone are fine."""
    parents = set()
    for path in paths:
        full = os.path.join(path_bytes(root), path_bytes(path))
        if not _has_real_parents(path_bytes(root), path_bytes(path)):
            continue
        disk.before("unlink", f"{root}/{path}")
        with mapped(os.path.join(root, path)):
            try:
                os.unlink(full)
            except (FileNotFoundError, IsADirectoryError):
                continue
        parent = os.path.dirname(path_bytes(path))
        while parent:
            parents.add(parent)
            parent = os.path.dirname(parent)
    for parent in sorted(parents, key=len, reverse=True):
        try:
            os.rmdir(os.path.join(path_bytes(root), parent))
        except OSError:
            continue  # Not empty, or already gone: both are as they should be.


def _has_real_parents(root: bytes, path: bytes) -> bool:
    parent = os.path.dirname(path)
    while parent:
        try:
            if not stat.S_ISDIR(os.lstat(os.path.join(root, parent)).st_mode):
                return False
        except (FileNotFoundError, NotADirectoryError):
            return False
        parent = os.path.dirname(parent)
    return True
