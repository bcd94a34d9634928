"""Names of code commits in a repository made by hand; stock Git judges in compat/test_code_revisions.py."""

import hashlib
import zlib
from pathlib import Path

import pytest

from aimdvc.errors import UnsupportedFormat, UsageError
from aimdvc.git.coderevs import read_at, read_staged, resolve_code
from aimdvc.model.oid import GitId

WHO = "A <a@example.org> 1 +0000"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    place = tmp_path / ".git"
    for directory in ("objects", "refs/heads", "refs/tags"):
        (place / directory).mkdir(parents=True)
    (place / "config").write_text("[core]\n\trepositoryformatversion = 0\n")
    (place / "HEAD").write_text("ref: refs/heads/main\n")
    return place


def put(code: Path, kind: str, content: bytes) -> GitId:
    whole = f"{kind} {len(content)}\0".encode() + content
    name = hashlib.sha1(whole).hexdigest()
    (code / "objects" / name[:2]).mkdir(exist_ok=True)
    (code / "objects" / name[:2] / name[2:]).write_bytes(zlib.compress(whole))
    return GitId(name)


def commit(code: Path, lock: bytes, *parents: GitId) -> GitId:
    blob = put(code, "blob", lock)
    tree = put(code, "tree", b"100644 aimdvc.lock\0" + bytes.fromhex(blob))
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {WHO}", f"committer {WHO}"]
    return put(code, "commit", ("\n".join(lines) + "\n\nm\n").encode())


def test_refs_come_before_abbreviated_ids_and_steps_lead_to_parents(code: Path) -> None:
    first = commit(code, b"1")
    second = commit(code, b"2")
    merge = commit(code, b"3", first, second)
    (code / "refs/heads/main").write_text(f"{merge}\n")
    (code / f"refs/heads/{merge[:8]}").write_text(f"{first}\n")
    found = {text: resolve_code(code, code, text) for text in ("HEAD", "main^2", "main~1", merge[:8], merge[:9], merge)}
    assert list(found.values()) == [merge, second, first, first, merge, merge]
    assert read_at(code, second, "aimdvc.lock") == b"2"
    assert read_at(code, second, "other") is None


def test_before_anything_is_staged_there_is_no_file(code: Path) -> None:
    assert read_staged(code, code, "aimdvc.lock") is None


@pytest.mark.parametrize("revision", ["", "nope", "HEAD", "x..y", "main@{1}", "1" * 40, "../../x", "a\nb"])
def test_what_names_nothing_says_what_to_give(code: Path, revision: str) -> None:
    with pytest.raises(UsageError) as told:
        resolve_code(code, code, revision)
    assert told.value.hint


def test_a_form_that_only_git_reads_is_named(code: Path) -> None:
    (code / "config").write_text("[extensions]\n\trefstorage = reftable\n")
    with pytest.raises(UnsupportedFormat, match="reftable"):
        resolve_code(code, code, "HEAD")
