"""A file system that really is full: at every size of a tmpfs, from too small for anything to large enough."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.scenarios import aged
from tests.shell import Shell, files_of

STEP = 64 << 10


def _mount(place: Path, size: int) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)


@pytest.fixture
def tmpfs(tmp_path: Path) -> Callable[[int], Path]:
    """Makes, and remakes, a tmpfs of a size."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a tmpfs needs root")
    try:
        _mount(place, 1 << 20)
    except subprocess.CalledProcessError:
        pytest.skip("this system mounts no tmpfs")
    subprocess.run(["umount", str(place)], check=True)

    def remake(size: int) -> Path:
        _mount(place, size)
        return place

    return remake


def test_add_and_commit_at_every_size(tmpfs: Callable[[int], Path]) -> None:
    succeeded = False
    for size in range(STEP, 100 * STEP, STEP):
        place = tmpfs(size)
        try:
            succeeded = _try(place)
        finally:
            subprocess.run(["umount", str(place)], check=True)
        if succeeded:
            break
    assert succeeded
    assert size > 10 * STEP, "the first sizes must have been too small"


def _try(place: Path) -> bool:
    content = {f"data/f{number}": os.urandom(9000) for number in range(20)} | {"data/large": os.urandom(200_000)}
    try:
        for path, data in content.items():
            (place / path).parent.mkdir(exist_ok=True)
            (place / path).write_bytes(data)
    except OSError:
        return False
    for arguments in (["init"], ["add", "data"], ["commit", "-m", "m"]):
        done = subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=place, capture_output=True, text=True)
        assert "Traceback" not in done.stderr, done.stderr
        assert files_of(place) == content, "the user's files are untouched"
        if done.returncode:
            assert done.returncode == 8, done.stderr
            assert "space" in done.stderr or "full" in done.stderr, done.stderr
            return False
    shell = Shell(place)
    assert shell("fsck").code == 0
    return True


def test_what_is_in_the_way_goes_from_a_disk_without_a_free_byte(tmpfs: Callable[[int], Path]) -> None:
    place = tmpfs(8 << 20)
    try:
        _prune_full(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _prune_full(place: Path) -> None:
    aimdvc(place, "init")
    (place / "data").mkdir()
    for number in range(3):
        (place / "data/large").write_bytes(os.urandom(1 << 20))
        (place / "data/small").write_bytes(os.urandom(1 << 10))
        aimdvc(place, "add", "data")
        if number == 1:
            aged(place / ".aimdvc")
            aimdvc(place, "prune")
    aimdvc(place, "commit", "-m", "m")
    aged(place / ".aimdvc")
    files = files_of(place)
    _fill(place)
    # From the trash first, which needs no room; then prune has some, and moves what is left.
    aimdvc(place, "trash", "empty")
    assert os.statvfs(place).f_bavail * os.statvfs(place).f_frsize > 1 << 20
    _fill(place)
    assert "Moved 1 blob" in aimdvc(place, "prune", code=-1) or len(os.listdir(place / ".aimdvc/trash")) == 1
    aimdvc(place, "trash", "empty")
    assert os.statvfs(place).f_bavail * os.statvfs(place).f_frsize >= 1 << 20
    aimdvc(place, "prune")
    assert files_of(place) | {"filler": b""} == files | {"filler": b""}
    Shell(place)("fsck")


def _fill(place: Path) -> None:
    """Uses up every byte."""
    with (place / ".aimdvc" / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 10))
        except OSError:
            pass
    assert os.statvfs(place).f_bavail == 0


def aimdvc(here: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=here, capture_output=True, text=True)
    assert done.returncode == code or (code == -1 and done.returncode in (0, 8)), done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout
