"""Brings blobs into a workspace: each file, or new directory, under a temporary name, then renamed, never by a link.

The temporary lies in the store's `tmp/` when it can be renamed from there, so that nothing half-written is ever seen in
the workspace. Bytes are hashed on the way. A path that changed since the plan was made is left as it is. One syncfs at
the end makes all of it durable.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from aimdvc.errors import AimdvcError, ChangedMeanwhile, CorruptBlob, MissingBlob, UnsafePath, WrongSize
from aimdvc.fs.directories import (
    Directories,
    Handle,
    Place,
    close_directory,
    create_in,
    link_in,
    open_directory,
    rename_in,
    rmdir_in,
    stat_in,
    symlink_in,
    unlink_in,
)
from aimdvc.fs.disk import Disk, current_umask, reflink
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import temporary_name
from aimdvc.fs.probe import can_rename
from aimdvc.fs.system import READ
from aimdvc.model.entries import Mode, path_bytes, path_text
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.settings import Link
from aimdvc.store.blobs import BlobStore
from aimdvc.store.catalog import PackedBlob
from aimdvc.store.copying import copy_hashed
from aimdvc.store.staging import Staging, missing_top
from aimdvc.store.state import Stat, stat_of

Advance = Callable[[int], None]
"""Takes the bytes that were written since the last call."""

_BATCH = 4096


class Job(NamedTuple):
    """One file to write: its path below the root, its mode as Git has it, its bytes or the blob that holds them.

    `seen` is the stat of what is at the path and may be replaced, None for nothing.
    """

    path: str
    mode: int
    source: Pointer | bytes
    seen: Stat | None


def materialise(
    place: Place, jobs: Iterable[Job], store: BlobStore, disk: Disk, link: Link, advance: Advance
) -> dict[str, Stat]:
    """Writes the files and returns their stat by path, durable. Safe to repeat.

    Raises UnsafePath where a link stands in the way, ChangedMeanwhile, MissingBlob, CorruptBlob (the blob is then set
    aside, so that a rerun fetches it), StorageError; what was written stays.
    """
    disk.make_directory(Path(place.base))
    stats: dict[str, Stat] = {}
    pending = iter(jobs)
    with _Writer(place, store, disk, link, advance) as writer:
        while batch := list(islice(pending, _BATCH)):
            places = store.find_many(job.source.oid for job in batch if isinstance(job.source, Pointer))
            for job in batch:
                stats[job.path] = writer.write(job, places)
        writer.publish()
    disk.sync_filesystem(Path(place.full))
    return stats


class _Writer:
    """Writes one file after the other; holds the directory for temporary files, and the new directory being filled."""

    def __init__(self, place: Place, store: BlobStore, disk: Disk, link: Link, advance: Advance) -> None:
        self._base = place.base
        self._root_path = place.full
        self._inner = b"" if place.inner == "." else path_bytes(place.inner)
        self._store = store
        self._disk = disk
        self._link = link
        self._advance = advance
        self._directories = Directories(os.fsencode(place.base))
        temporary = store.layout.temporary
        is_near = can_rename(temporary, place.full if os.path.isdir(place.full) else place.base)
        self._temporary = open_directory(os.fsencode(temporary)) if is_near else None
        self._prefix = os.fsencode(temporary_name("tmp-")) + b"-"
        self._count = 0
        self._staging: Staging | None = None
        umask = current_umask()
        self._modes = {int(Mode.FILE): 0o666 & ~umask, int(Mode.EXECUTABLE): 0o777 & ~umask}

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        # After an error or an interrupt, too, the files that are whole stay: the next run keeps them.
        staging = self._staging
        try:
            self.publish()
        except (OSError, AimdvcError):
            assert staging is not None
            staging.discard()
        finally:
            self._directories.close()
            if self._temporary is not None:
                close_directory(self._temporary)

    def write(self, job: Job, places: dict[Oid, PackedBlob]) -> Stat:
        parent, _, name = path_bytes(job.path).rpartition(b"/")
        parent = b"/".join(filter(None, (self._inner, parent)))
        full = f"{self._root_path}/{job.path}"
        with mapped(full):
            self._disk.before("write", full)
            try:
                staging = self._staging_of(parent)
                if staging is not None:
                    return self._write_staged(staging, job, places, parent, name)
                directory = self._directories.open(parent, make=True)
            except NotADirectoryError as error:
                raise UnsafePath(job.path, "a link or a file is in the way of its directory") from error
            return self._write_renamed(job, places, directory, name, full)

    def publish(self) -> None:
        """Shows the new directory that was being filled, if there is one."""
        staging, self._staging = self._staging, None
        if staging is not None:
            full = os.path.join(self._base, path_text(staging.path))
            staging.close()
            with mapped(full):
                self._disk.before("rename", full)
                staging.publish(self._directories.open(staging.path.rpartition(b"/")[0]))

    def _staging_of(self, parent: bytes) -> Staging | None:
        """Returns the new directory that a directory is in or below; None when it is there already."""
        staging = self._staging
        if staging is not None and staging.holds(parent) and not staging.is_full:
            return staging
        self.publish()
        if self._temporary is None:
            return None
        missing = missing_top(self._directories, parent)
        if missing is not None:
            self._staging = Staging(missing, str(self._store.layout.temporary))
        return self._staging

    def _write_staged(
        self, staging: Staging, job: Job, places: dict[Oid, PackedBlob], parent: bytes, name: bytes
    ) -> Stat:
        if job.seen is not None:
            raise ChangedMeanwhile(job.path)
        directory = staging.open(parent, job.source.size if isinstance(job.source, Pointer) else len(job.source))
        try:
            self._create(job, places, name, directory)
        except FileExistsError as error:
            raise UnsafePath(job.path, "this file system takes another name of that version for the same") from error
        return stat_of(stat_in(directory, name))

    def _write_renamed(
        self, job: Job, places: dict[Oid, PackedBlob], directory: Handle, name: bytes, full: str
    ) -> Stat:
        self._count += 1
        temp = self._prefix + b"%d" % self._count
        temp_directory = directory if self._temporary is None else self._temporary
        if self._temporary is None:
            temp = b"." + temp
        try:
            self._create(job, places, temp, temp_directory)
            self._disk.before("rename", full)
            if not _is_as_seen(name, directory, job.seen):
                raise ChangedMeanwhile(job.path)
            rename_in(temp_directory, temp, directory, name)
            if self._link == "hardlink":
                # Between two names of one file rename does nothing, and leaves both (rename(2)).
                with suppress(FileNotFoundError):
                    unlink_in(temp_directory, temp)
        except BaseException:  # An interrupt, too, leaves no file that no one will rename.
            with suppress(FileNotFoundError):
                unlink_in(temp_directory, temp)
            raise
        return stat_of(stat_in(directory, name))

    def _create(self, job: Job, places: dict[Oid, PackedBlob], name: bytes, directory: Handle) -> None:
        """Writes the file under a name that is free. What is not whole does not stay."""
        source = job.source
        if job.mode == Mode.SYMLINK:
            target = source if isinstance(source, bytes) else self._store.read(source.oid)
            symlink_in(directory, name, target)
            return
        place = places.get(source.oid) if isinstance(source, Pointer) else None
        if isinstance(source, Pointer) and place is None:
            self._place_file(source, job, name, directory)
            return
        content = source if isinstance(source, bytes) else self._store.read_packed(source.oid, place)  # type: ignore[arg-type]
        if isinstance(source, Pointer) and len(content) != source.size:
            raise WrongSize(source.oid, source.size, len(content))
        descriptor = create_in(directory, name, self._mode(job))
        try:
            _write_all(descriptor, content)
        except BaseException:  # An interrupt, too, leaves no half-written file behind.
            unlink_in(directory, name)
            raise
        finally:
            os.close(descriptor)
        self._advance(len(content))

    def _mode(self, job: Job) -> int:
        return self._modes[job.mode]

    def _place_file(self, pointer: Pointer, job: Job, name: bytes, directory: Handle) -> None:
        blob = self._store.path_of(pointer.oid)
        if blob is None:
            raise MissingBlob(pointer.oid)
        if self._link == "hardlink" and job.mode == Mode.FILE and self._link_file(pointer, blob, name, directory):
            return
        source = os.open(blob, READ)
        try:
            self._copy(source, pointer, blob, job, name, directory)
        except CorruptBlob:
            self._store.set_aside(pointer.oid)
            raise
        finally:
            os.close(source)

    def _copy(self, source: int, pointer: Pointer, blob: Path, job: Job, name: bytes, directory: Handle) -> None:
        target = create_in(directory, name, self._mode(job))
        try:
            if self._link == "reflink" and reflink(source, target):
                self._check(pointer, blob)
            else:
                copy_hashed(source, target, pointer, self._advance, may_share=self._link == "reflink")
        except BaseException:  # An interrupt, too, leaves no half-written file behind.
            unlink_in(directory, name)
            raise
        finally:
            os.close(target)

    def _link_file(self, pointer: Pointer, blob: Path, name: bytes, directory: Handle) -> bool:
        """Makes a name of the blob's own file; returns False where it can't: another file system, too many links."""
        if blob.stat().st_mode & 0o222:
            blob.chmod(0o444)  # Through another of its names somebody made it writable.
        try:
            link_in(directory, name, blob)
        except OSError:
            return False
        try:
            self._check(pointer, blob)
        except BaseException:  # An interrupt, too, leaves no name behind.
            unlink_in(directory, name)
            raise
        return True

    def _check(self, pointer: Pointer, blob: Path) -> None:
        """Reads and hashes a blob that was shared, and not read on the way."""
        size = blob.stat().st_size
        self._store.check(pointer.oid, self._advance)
        if size != pointer.size:
            raise WrongSize(pointer.oid, pointer.size, size)


def opened(place: Place) -> Directories:
    """Opens the root of the files; every component below the base is a real directory, or UnsafePath is raised."""
    with mapped(place.full):
        try:
            with Directories(os.fsencode(place.base)) as base:
                base.open(path_bytes(place.inner) if place.inner != "." else b"")
            return Directories(os.fsencode(place.full))
        except NotADirectoryError as error:
            raise UnsafePath(place.inner, "is reached through a symbolic link, or is no directory") from error


def _is_as_seen(name: bytes, directory: Handle, seen: Stat | None, or_gone: bool = False) -> bool:
    """Returns whether what is at a name is still what the plan saw there, None for nothing."""
    try:
        status = stat_in(directory, name)
    except FileNotFoundError:
        return seen is None or or_gone
    found = stat_of(status)
    if seen is not None and stat.S_ISREG(status.st_mode) and found != seen:
        # Another name of the same file that came or went, a blob's or a twin's that was just replaced, changes the time
        # of the inode and nothing else.
        found = found._replace(ctime_ns=seen.ctime_ns)
    return found == seen


def _write_all(descriptor: int, content: bytes | memoryview) -> None:
    written = os.write(descriptor, content)
    if written < len(content):
        view = memoryview(content)[written:]
        while view:
            view = view[os.write(descriptor, view) :]


def remove(place: Place, paths: Iterable[str], seen: Mapping[str, Stat | None], disk: Disk) -> None:
    """Removes files, and directories that this empties; never through a link. Files that are gone are fine.

    Raises ChangedMeanwhile for a file that is not as it was `seen`; it stays, as do the rest.
    """
    parents: set[bytes] = set()
    if not os.path.isdir(place.full):
        return
    with opened(place) as directories:
        for path in paths:
            parent, _, name = path_bytes(path).rpartition(b"/")
            disk.before("unlink", f"{place.full}/{path}")
            with mapped(os.path.join(place.full, path)):
                try:
                    directory = directories.open(parent)
                    if not _is_as_seen(name, directory, seen.get(path), or_gone=True):
                        raise ChangedMeanwhile(path)
                    unlink_in(directory, name)
                except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                    continue
            while parent:
                parents.add(parent)
                parent = parent.rpartition(b"/")[0]
        _remove_empty(directories, sorted(parents, key=len, reverse=True))


def clear(place: Place, paths: Iterable[str]) -> None:
    """Removes directories that stand in the way of files and hold nothing but directories; others stay."""
    for path in paths:
        full = os.path.join(path_bytes(place.full), path_bytes(path))
        inner = [os.path.join(path_bytes(path), os.path.relpath(found[0], full)) for found in os.walk(full)]
        with opened(place) as directories:
            _remove_empty(directories, sorted(map(os.path.normpath, inner), key=len, reverse=True))


def _remove_empty(directories: Directories, paths: Iterable[bytes]) -> None:
    for path in paths:
        parent, _, name = path.rpartition(b"/")
        try:
            directory = directories.open(parent)
            if stat.S_ISDIR(stat_in(directory, name).st_mode):
                rmdir_in(directory, name)
        except OSError:
            continue  # Not empty, or already gone: both are as they should be.
    directories.forget()
