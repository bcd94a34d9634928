"""File systems in files, mounted for a test; skipped, with the reason, where this machine can't."""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_MAKE = {
    "btrfs": ["mkfs.btrfs", "-q"],
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    "ext4": ["mkfs.ext4", "-q"],
    "vfat": ["mkfs.vfat"],
}


@contextmanager
def mounted(directory: Path, kind: str, mib: int = 320) -> Iterator[Path]:
    """Makes a file system of a kind, or a tmpfs, and mounts it while the `with` lasts."""
    point = directory / f"mounted-{kind}"
    point.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(point)]
    else:
        make = _MAKE[kind]
        if shutil.which(make[0]) is None:
            pytest.skip(f"{make[0]} is not installed")
        image = directory / f"{kind}.img"
        with image.open("wb") as file:
            file.truncate(mib << 20)
        subprocess.run([*make, str(image)], check=True, capture_output=True)
        command = ["mount", "-o", "loop", str(image), str(point)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this system mounts no {kind}: {done.stderr.strip()}")
    try:
        yield point
    finally:
        gc.collect()
        subprocess.run(["umount", str(point)], capture_output=True)
