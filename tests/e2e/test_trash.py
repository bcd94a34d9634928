"""`trash`: what was taken comes back when it is needed, and goes for good when it is old enough."""

import hashlib
import shutil
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.store.blobs import BlobStore
from tests.e2e.pruning import (
    LARGE,
    age,
    held,
    pinned,
    pruned,
    store,
    superseded,
    version,
)
from tests.shell import Shell, files_of, git


@pytest.fixture
def code(tmp_path: Path) -> Shell:
    """A workspace in a code repository, with one version that the code pins."""
    return pinned(tmp_path / "code")


def test_what_is_in_the_trash_comes_back_when_it_is_needed(code: Shell) -> None:
    first = held(code)
    version(code, 2)
    with BlobStore(store(code), Disk()) as blobs:
        sweeper, into = blobs.sweeper(), blobs.trash.begin("prune")
        stored = [one for one in sweeper.iter_stored() if one.oid in first]
        sweeper.take_files([one.oid for one in stored if one.pack is None], 1 << 40, into)
        sweeper.take_packed({one.oid for one in stored if one.pack is not None}, 1 << 40, into)
        assert blobs.missing(one.oid for one in stored) == {one.oid for one in stored}
    large = code("cat", "data@HEAD~1:large.bin").raw
    assert large == b"%08d" % 1 * (LARGE // 8)
    code("checkout", "data@HEAD~1")
    assert files_of(code.here)["data/small.bin"] == b"%08d" % 1
    code("trash", "restore")
    assert code("fsck").code == 0


def test_emptying_the_trash_first_puts_back_what_is_needed_again(code: Shell) -> None:
    gone = superseded(code)
    age(code)
    pruned(code)
    # A commit by stock Git needs again what was taken.
    repository = store(code) / "repos/data.git"
    large = next(oid for oid in gone if list((store(code) / "trash").glob(f"*/files/{oid}")))
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{large}\nsize {LARGE}\n"
    blob = repository / "pointer"
    blob.write_text(text)
    git_id = git(repository, "hash-object", "-w", "pointer").strip()
    git(repository, "read-tree", "--empty")
    git(repository, "update-index", "--add", "--cacheinfo", f"100644,{git_id},x.bin")
    tree = git(repository, "write-tree").strip()
    git(repository, "update-ref", "refs/heads/again", git(repository, "commit-tree", "-m", "m", tree).strip())
    assert code("trash", "empty", "--json").json["put_back"] == 1
    assert large in held(code)
    assert not (gone - {large}) & held(code)


def test_only_what_is_old_enough_is_deleted(code: Shell) -> None:
    superseded(code)
    age(code)
    pruned(code)
    assert code("trash", "empty", "--older-than", "1", "--json").json["batches"] == []
    assert len(code("trash", "--json").json["batches"]) == 1
    code("trash", "restore", "../../x", code=2)


def test_emptying_the_trash_puts_back_what_is_damaged_in_the_store(code: Shell) -> None:
    superseded(code)
    age(code)
    pruned(code)
    code.write("data/large.bin", b"x" * LARGE)
    code("add", "data")
    large = hashlib.sha256(b"x" * LARGE).hexdigest()
    path = store(code) / f"blobs/files/{large[:2]}/{large}"
    batch = next((store(code) / "trash").iterdir())
    (batch / "files").mkdir(exist_ok=True)
    shutil.copyfile(path, batch / "files" / large)
    path.chmod(0o644)
    path.write_bytes(bytes(LARGE))
    code("commit", "-m", "two")
    assert "Put back 1 blob" in code("trash", "empty").out
    assert path.read_bytes() == b"x" * LARGE
    assert code("fsck").code == 0
