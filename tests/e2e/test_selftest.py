"""`selftest --durability`: what it tells of file systems that differ, and that it leaves nothing behind."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from tests.mounts import mounted
from tests.shell import Shell


def outcomes(directory: Path, code: int = 0) -> dict[str, str]:
    done = Shell(directory)("selftest", "--durability", ".", "--json", code=code).json
    assert done["is_safe"] == (code == 0)
    assert not os.listdir(directory) or os.listdir(directory) == ["lost+found"]
    return {one["name"]: one["outcome"] for one in done["probes"]}


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs", "tmpfs"])
def test_a_linux_file_system_is_safe(kind: str, tmp_path: Path) -> None:
    with mounted(tmp_path, kind) as point:
        found = outcomes(point)
    assert found.pop("reflink") == ("ok" if kind in ("btrfs", "xfs") else "note")
    assert set(found.values()) == {"ok"}, found


def test_folded_names_and_missing_links_are_noted(tmp_path: Path) -> None:
    with mounted(tmp_path, "vfat") as point:
        found = outcomes(point)
    for name in ("names", "hard link", "symbolic link", "modes", "reflink"):
        assert found[name] == "note"


def test_locks_that_do_nothing_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    (tmp_path / "place").mkdir()
    assert outcomes(tmp_path / "place")["flock"] == "note"


def test_a_sync_that_fails_is_not_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "place").mkdir()
    assert outcomes(tmp_path / "place", code=1)["fsync"] == "failed"


def test_what_is_no_directory_is_refused(shell: Shell) -> None:
    shell("selftest", "--durability", "nowhere", code=2)
    shell("selftest", code=2)
