"""The only door for durable writes: temporary file, fsync, rename, fsync of the directory.

Every step that changes the disk first calls `before(operation, path)`, so that a test can fail or stop at the n-th.
A failed fsync makes its file dead: it is written anew, never synced again (the kernel drops the pages it could not
write). Nothing here knows what it stores.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from aimdvc.errors import StorageError
from aimdvc.fs import system
from aimdvc.fs.faults import mapped
from aimdvc.fs.leftovers import temporary_name

Before = Callable[[str, Path | str], None]

_FICLONE = 0x40049409
_SYNC_FILE_RANGE_WRITE = 2
_FLUSH_EVERY = 16 << 20
ZEROS = bytes(1 << 20)
"""What a chunk of a hole reads as; it is left out when a file is written, so that a sparse file stays sparse."""


def nothing(operation: str, path: Path | str) -> None:
    """The step that a Disk takes before each operation, unless told otherwise."""


class Flusher:
    """Has the system write a growing file out while it grows, so that the fsync at its end has little left to do."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor
        self._waiting = 0

    def wrote(self, size: int) -> None:
        """Notes bytes that were appended. A hint only: durable is what was synced."""
        self._waiting += size
        if self._waiting >= _FLUSH_EVERY:
            self._waiting = 0
            start_writing(self._fd)


class TempFile:
    """A new file of one process, which vanishes unless it is published. Mode 0600, opened exclusively."""

    def __init__(self, disk: "Disk", path: Path, descriptor: int) -> None:
        self._disk = disk
        self.path = path
        self.fd = descriptor
        self._flusher = Flusher(descriptor)
        self._is_kept = False

    def write(self, content: bytes | memoryview) -> None:
        """Appends all the bytes, however short the writes are. A chunk of zeros becomes a hole."""
        self._disk.before("write", self.path)
        with mapped(self.path):
            if content == ZEROS:
                # The size tells at once what was appended: nobody has to know later that a hole comes last.
                os.ftruncate(self.fd, os.lseek(self.fd, len(content), os.SEEK_CUR))
                return
            written = os.write(self.fd, content)
            if written < len(content):
                view = memoryview(content)[written:]
                while view:
                    view = view[os.write(self.fd, view) :]
        self._flusher.wrote(len(content))

    def sync(self) -> None:
        """Makes the bytes durable. After a failure the file must be discarded."""
        self._disk.before("fsync", self.path)
        with mapped(self.path):
            os.fsync(self.fd)

    def close(self) -> None:
        """Closes the file, which stays."""
        if self.fd >= 0:
            # Noted first: a signal in between must not have it closed twice, when another file may have its number.
            descriptor, self.fd = self.fd, -1
            os.close(descriptor)

    def keep(self) -> None:
        """Closes the file, which outlives its `with`: it will be published, or removed, by its path."""
        self._is_kept = True
        self.close()

    def discard(self) -> None:
        """Closes and removes the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> "TempFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A published file has its path no more; what was not published goes.
        if not self._is_kept and (error is None or isinstance(error, Exception)):
            self.discard()
        else:
            self.close()


class Disk:
    """Durable operations on the file system; stateless but for the step that tests put in."""

    def __init__(self, before: Before = nothing) -> None:
        self.before = before

    def make_directory(self, path: Path, mode: int = 0o777) -> None:
        """Makes a directory, with this mode as far as the umask lets, and its missing parents, each durable.

        Safe to repeat: one that is there keeps its mode.

        Raises StorageError where the path, or a parent, is there and is no directory.
        """
        missing = []
        parent = path
        with mapped(path):
            while not parent.is_dir():
                # Another thread may have made it between the two looks.
                if os.path.lexists(parent) and not parent.is_dir():
                    raise StorageError(str(parent), "is no directory")
                missing.append(parent)
                parent = parent.parent
        for directory in reversed(missing):
            self.before("mkdir", directory)
            with mapped(directory):
                directory.mkdir(mode if directory == path else 0o777, exist_ok=True)
            self.sync_directory(directory.parent)

    def create_temp(self, directory: Path, prefix: str = "") -> TempFile:
        """Returns a new empty file in a directory, which exists; its name tells the process that owns it."""
        self.before("create", directory)
        while True:
            path = directory / temporary_name(f"{prefix}tmp-")
            try:
                with mapped(directory):
                    return TempFile(self, path, os.open(path, system.CREATE, 0o600))
            except FileExistsError:
                continue

    def publish(self, temp: TempFile, target: Path, mode: int) -> None:
        """Makes a written file appear under its name, whole and durable; replaces what was there."""
        temp.sync()
        with mapped(target):
            system.set_mode(temp.fd, temp.path, mode)
        temp.close()
        self.rename(temp.path, target)
        self.sync_directory(target.parent)

    def publish_all(self, files: Sequence[tuple[Path, Path]], mode: int) -> None:
        """Makes written files, each (temporary, target), appear whole and durable. All are on one file system.

        For many small ones: two syncs of the file system, where `publish` has two for each file. A kill leaves some of
        them published. Safe to repeat with those that were not.
        """
        if not files:
            return
        self.sync_filesystem(files[0][0].parent)
        if not system.HAS_DIRECTORIES:
            for temporary, _ in files:
                _sync_file(temporary)
        for temporary, target in files:
            self.make_directory(target.parent)
            with mapped(temporary):
                temporary.chmod(mode)
            self.rename(temporary, target)
        self.sync_filesystem(files[0][1].parent)

    def replace_file(self, path: Path, content: bytes, mode: int | None = None, scratch: Path | None = None) -> None:
        """Makes a small file hold these bytes, old or new whatever happens. Keeps the mode that it had.

        The temporary file lies in `scratch`, of the same file system, else beside the file.
        """
        if mode is None:
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~current_umask()
        with self.create_temp(scratch or path.parent, ".") as temp:
            temp.write(content)
            self.publish(temp, path, mode)

    def rename(self, source: Path, target: Path) -> None:
        """Renames within a file system; not durable until the directory is synced."""
        self.before("rename", target)
        with mapped(target):
            source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Makes a hard link. Raises FileExistsError."""
        self.before("link", target)
        target.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Removes a file; one that is gone is fine."""
        self.before("unlink", path)
        with mapped(path):
            path.unlink(missing_ok=True)

    def remove_tree(self, path: Path) -> None:
        """Removes a directory with all in it, durable; one that is gone is fine. Cut, a part of it is left."""
        if not path.exists():
            return
        for directory, _, names in os.walk(path, topdown=False):
            for name in names:
                self.unlink(Path(directory) / name)
            self.before("rmdir", directory)
            with mapped(directory):
                os.rmdir(directory)
        self.sync_directory(path.parent)

    def sync_directory(self, path: Path) -> None:
        """Makes the names in a directory durable."""
        self.before("fsync", path)
        if not system.HAS_DIRECTORIES:
            return
        with mapped(path):
            descriptor = os.open(path, system.READ_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def sync_filesystem(self, path: Path) -> None:
        """Makes everything written on the file system of `path` durable: cheaper than many fsyncs."""
        self.before("syncfs", path)
        if not system.HAS_DIRECTORIES:
            return
        with mapped(path):
            descriptor = os.open(path, system.READ)
            try:
                _syncfs(descriptor)
            finally:
                os.close(descriptor)


def reflink(source_fd: int, target_fd: int) -> bool:
    """Makes one file share another's blocks, copied on write; returns False where the file system can't."""
    return sys.platform.startswith("linux") and system.clone_blocks(source_fd, target_fd, _FICLONE)


def start_writing(descriptor: int) -> None:
    """Starts writing a file's dirty pages to the disk, without waiting; does nothing where the system can't."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)


def current_umask() -> int:
    """Returns the process's umask."""
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def _sync_file(path: Path) -> None:
    with mapped(path):
        descriptor = os.open(path, system.WRITE)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    if not sys.platform.startswith("linux"):
        if system.HAS_SYNC:
            os.sync()
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
