"""The index of a code repository, as our own reader has it: in every form that Git writes."""

import subprocess
from pathlib import Path

import pytest

from aimdvc.errors import CorruptRepository
from aimdvc.git.codeindex import iter_staged, read_raw_index


def git(cwd: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_each_version_is_read_as_git_reads_it(version: str, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for name in ("a", "a.b", "dir/aimdvc.loca", "dir/aimdvc.lock", "dir/sub/é", "z" * 200):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    git(tmp_path, "add", "-A")
    if version == "3":
        (tmp_path / "later").write_text("")
        git(tmp_path, "add", "-N", "later")
    git(tmp_path, "update-index", "--index-version", version)
    told = git(tmp_path, "ls-files", "-s", "-z").encode().split(b"\0")[:-1]
    found = [
        b"%06o %s %d\t%s" % (entry.mode, entry.git_id.encode(), entry.stage, entry.path)
        for entry in iter_staged(read_raw_index(tmp_path / ".git"))
    ]
    assert found == told
    sizes = {entry.path: entry.size for entry in iter_staged(read_raw_index(tmp_path / ".git"))}
    assert sizes[b"z" * 200] == 200


def test_what_is_no_index_or_ends_early_is_refused(tmp_path: Path) -> None:
    assert list(iter_staged(read_raw_index(tmp_path))) == []
    for raw in (b"DIRC\0\0\0\x09\0\0\0\0", b"nothing of the kind", b"DIRC\0\0\0\x02\0\0\0\x01" + bytes(70)[:62], b"DI"):
        with pytest.raises(CorruptRepository):
            list(iter_staged(raw))
