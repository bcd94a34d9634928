"""A file system that really is full: at every size of a tmpfs, from too small for anything to large enough."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.crash.mounts import tmpfs
from tests.crash.upkeep import aged
from tests.shell import Shell, files_of

STEP = 64 << 10


def test_add_and_commit_at_every_size(tmp_path: Path) -> None:
    succeeded = False
    for size in range(STEP, 100 * STEP, STEP):
        with tmpfs(tmp_path / "small", f"size={size}") as place:
            succeeded = _try(place)
        if succeeded:
            break
    assert succeeded
    assert size > 10 * STEP, "the first sizes must have been too small"


def test_add_and_commit_at_every_number_of_inodes(tmp_path: Path) -> None:
    """Case L10."""
    said = set()
    for inodes in range(8, 100, 6):
        with tmpfs(tmp_path / "small", f"size=64M,nr_inodes={inodes}") as place:
            try:
                content = {"data/a": b"1", "data/large": b"2" * 100_000}
                for path, data in content.items():
                    (place / path).parent.mkdir(exist_ok=True)
                    (place / path).write_bytes(data)
            except OSError:
                continue
            failed = next((done for done in _run(place) if done.returncode), None)
            assert files_of(place) == content
        if failed is None:
            break
        assert failed.returncode == 8, failed.stderr
        said.add(failed.stderr.partition(": no inodes left; free some space")[1])
    assert failed is None
    assert said == {": no inodes left; free some space"}


def _try(place: Path) -> bool:
    content = {f"data/f{number}": os.urandom(9000) for number in range(20)} | {"data/large": os.urandom(200_000)}
    try:
        for path, data in content.items():
            (place / path).parent.mkdir(exist_ok=True)
            (place / path).write_bytes(data)
    except OSError:
        return False
    for done in _run(place):
        assert "Traceback" not in done.stderr, done.stderr
        assert files_of(place) == content, "the user's files are untouched"
        if done.returncode:
            assert done.returncode == 8, done.stderr
            assert "space" in done.stderr or "full" in done.stderr, done.stderr
            return False
    shell = Shell(place)
    assert shell("fsck").code == 0
    return True


def test_what_is_in_the_way_goes_from_a_disk_without_a_free_byte(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "full", "size=8m") as place:
        _prune_full(place)


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


def _run(place: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    for arguments in (["init"], ["add", "data"], ["commit", "-m", "m"]):
        yield subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=place, capture_output=True, text=True)
