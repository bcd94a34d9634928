"""Fixtures of the crash tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.image import Image


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a file system needs root and mkfs.ext4")
    made = Image(tmp_path)
    try:
        made.mount()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this system mounts no loop files: {error.stderr.decode(errors='replace').strip()}")
    yield made
    subprocess.run(["umount", str(made.mount_point)], capture_output=True)
