"""An ext4 file system in a file, whose power is cut: what was not synced is not in a copy of the file."""

import gc
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MIB = 64


class Image:
    """An ext4 file system in a file, with no help for programs that don't sync."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "disk.img"
        self.base = directory / "base.img"
        self.copy = directory / "copy.img"
        self.mount_point = directory / "disk"
        self.mount_point.mkdir()
        with self.file.open("wb") as file:
            file.truncate(_MIB << 20)
        run("mkfs.ext4", "-q", str(self.file))

    def mount(self) -> None:
        run("mount", "-o", "loop,noauto_da_alloc,commit=600", str(self.file), str(self.mount_point))

    def unmount(self) -> None:
        gc.collect()  # The killed command's files must be closed.
        run("umount", str(self.mount_point))

    def cut(self) -> None:
        """Keeps what is on the disk at this moment."""
        shutil.copyfile(self.file, self.copy)

    def cut_to(self, copy: Path) -> None:
        """Keeps it in a file of its own; of which only what is not empty takes room."""
        run("cp", "--sparse=always", str(self.file), str(copy))

    @contextmanager
    def mounted(self, copy: Path) -> Iterator[Path]:
        """Mounts a copy beside the file system itself while the `with` lasts; then the copy goes."""
        point = self.file.with_name("mounted-copy")
        point.mkdir(exist_ok=True)
        run("mount", "-o", "loop", str(copy), str(point))
        try:
            yield point
        finally:
            gc.collect()
            run("umount", str(point))
            copy.unlink()


def run(*arguments: str) -> None:
    """Runs a command, which has to succeed."""
    subprocess.run(arguments, check=True, capture_output=True)
