"""What is asked of a file system before it is relied on."""

import os
import subprocess
from pathlib import Path

import pytest

from aimdvc.fs.probe import can_rename, filesystem_type, is_network_filesystem


def test_a_rename_works_within_a_mount_and_not_into_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert can_rename(tmp_path / "a", tmp_path / "b")
    assert not can_rename(tmp_path / "nothing", tmp_path / "b")
    assert not can_rename(tmp_path / "a", "/proc")
    assert not list(tmp_path.glob("*/*"))
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    subprocess.run(["mount", "--bind", str(tmp_path / "b"), str(tmp_path / "b")], check=True)
    try:
        assert (tmp_path / "a").stat().st_dev == (tmp_path / "b").stat().st_dev
        assert not can_rename(tmp_path / "a", tmp_path / "b")
    finally:
        subprocess.run(["umount", str(tmp_path / "b")], check=True)


def test_the_mount_table_tells_what_kind_of_file_system_it_is() -> None:
    assert filesystem_type(Path("/proc/self")) == "proc"
    assert not is_network_filesystem(Path("/proc"))
