"""`fsck --repair`: what is damaged is healed from whatever has it, and what can't be is named."""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from tests.shell import Shell, files_of, git

BIG = random.Random(1).randbytes(200_000)
OTHER = random.Random(2).randbytes(200_000)


@pytest.fixture
def pushed(shell: Shell, tmp_path: Path) -> Shell:
    """Three versions of large, small and git-held files, pushed to a folder."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    for number in range(1, 4):
        shell.write("data/big.bin", BIG if number == 1 else OTHER)
        shell.write("data/small.bin", b"%d" % number * 1000)
        shell.write("data/sub/notes.md", f"{number}\n")
        shell.commit("data", f"m{number}")
    shell("push")
    return shell


def repository(shell: Shell) -> Path:
    return shell.here / ".aimdvc/repos/data.git"


def store(shell: Shell) -> Path:
    return shell.here / ".aimdvc"


def blob_files(shell: Shell) -> list[Path]:
    return sorted((store(shell) / "blobs/files").glob("*/*"))


def packs(shell: Shell) -> list[Path]:
    return sorted((store(shell) / "blobs/packs").glob("*.pack"))


def flip(path: Path, position: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))


def truncate(path: Path, size: int) -> None:
    path.chmod(0o644)
    os.truncate(path, size)


def append(path: Path) -> None:
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b"x")


BLOB_DAMAGE: dict[str, Callable[[Path], None]] = {
    "flip at the start": lambda path: flip(path, 0),
    "flip in the middle": lambda path: flip(path, path.stat().st_size // 2),
    "flip at the end": lambda path: flip(path, path.stat().st_size - 1),
    "cut to nothing": lambda path: truncate(path, 0),
    "cut in half": lambda path: truncate(path, path.stat().st_size // 2),
    "one byte more": append,
}


def repaired(shell: Shell) -> dict[str, str]:
    """Repairs, which must heal all; returns what was healed, and how."""
    done = shell("fsck", "--repair", "--json").json
    assert done["is_whole"]
    found = shell("fsck", "--json").json["checked"]
    assert found["damage"] == []
    assert shell("fsck", "--repair", "--json").json["healed"] == [], "a second repair has nothing to do"
    return {one["what"]: one["how"] for one in done["healed"]}


@pytest.mark.parametrize("kind", BLOB_DAMAGE)
@pytest.mark.parametrize("source", ["remote", "file"])
def test_a_damaged_blob_is_healed(pushed: Shell, kind: str, source: str) -> None:
    if source == "file":
        pushed("remote", "remove", "origin")
        # The blob of version 1 has no file: it is healed from one that has another name, but not as a hard link to it.
        pushed.write("data/again.bin", BIG)
        pushed.commit("data", "again")
    else:
        pushed("checkout", "data@v2")
        (pushed.here / "data/big.bin").unlink()
    before = files_of(pushed.here)
    for path in blob_files(pushed):
        oid = path.name
        BLOB_DAMAGE[kind](path)
        assert oid in pushed("fsck", code=3).out
        how = repaired(pushed)[oid]
        assert ("file 'data:" in how) if source == "file" else ("fetched from" in how)
        assert (store(pushed) / "damaged" / oid).exists()
    assert files_of(pushed.here) == before
    pushed("checkout", "--force", "data@v1")
    assert (pushed.here / "data/big.bin").read_bytes() == BIG


def test_swapped_blobs_are_put_right_by_themselves(pushed: Shell) -> None:
    pushed("remote", "remove", "origin")
    (pushed.here / "data/big.bin").unlink()
    one, other = blob_files(pushed)
    one.rename(one.with_name("x"))
    other.rename(one)
    one.with_name("x").rename(other)
    assert set(repaired(pushed)) == {one.name, other.name}


@pytest.mark.parametrize("position", [3, 20, 60])
def test_a_blob_pack_keeps_its_whole_frames(pushed: Shell, position: int) -> None:
    for path in packs(pushed):
        if path.stat().st_size > 1000:
            break
    flip(path, position)
    pushed("fsck", code=3)
    healed = repaired(pushed)
    assert healed
    assert not path.exists()
    for number in range(1, 4):
        assert pushed("cat", f"data@v{number}:small.bin").raw == b"%d" % number * 1000


@pytest.mark.parametrize("has_catalog", [True, False])
def test_a_cut_blob_pack_stops_no_command(pushed: Shell, has_catalog: bool) -> None:
    path = max(packs(pushed), key=lambda path: path.stat().st_size)
    truncate(path, path.stat().st_size - 45)
    if not has_catalog:
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            (store(pushed) / name).unlink(missing_ok=True)
    pushed("status")
    assert path.name in pushed("fsck", code=3).out
    repaired(pushed)


def test_a_store_db_that_lost_rows_or_pages_is_made_anew(pushed: Shell) -> None:
    database = store(pushed) / "store.db"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("DELETE FROM blob")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    pushed("remote", "remove", "origin")
    (pushed.here / "data/small.bin").unlink()
    for path in (repository(pushed) / "refs/remotes").rglob("*"):
        if path.is_file():
            path.unlink()
    assert "store.db had forgotten" in str(repaired(pushed))
    for offset in range(4096, database.stat().st_size, 4096):
        flip(database, offset)
        flip(database, offset + 3)
    pushed("cat", "data@v1:small.bin")
    assert (store(pushed) / "store.damaged").exists()
    repaired(pushed)


def test_what_nobody_has_is_named_with_its_versions(pushed: Shell) -> None:
    pushed("remote", "remove", "origin")
    shutil.rmtree(repository(pushed) / "refs/remotes")
    (pushed.here / "data/big.bin").unlink()
    path = next(path for path in blob_files(pushed) if path.read_bytes() == OTHER)
    flip(path, 1000)
    for _ in range(2):
        done = pushed("fsck", "--repair", "--json", code=3).json
        assert [(one["what"], one["needed_by"]) for one in done["checked"]["damage"]] == [
            (path.name, ["data@v2:big.bin", "data@v3:big.bin"])
        ]
    assert (store(pushed) / "damaged" / path.name).exists()


def test_a_second_remote_heals_what_the_first_has_not(pushed: Shell, tmp_path: Path) -> None:
    (pushed.here / "data/big.bin").unlink()
    shutil.copytree(tmp_path / "remote", tmp_path / "mirror")
    shutil.rmtree(tmp_path / "remote/data.git/lfs")
    pushed("remote", "add", "mirror", str(tmp_path / "mirror"))
    for path in blob_files(pushed):
        flip(path, 0)
    assert all("mirror" in how for how in repaired(pushed).values())


def test_a_server_heals_blobs_and_git_objects(server: object, tmp_path: Path, shell: Shell) -> None:
    url = server.url  # type: ignore[attr-defined]
    shell("remote", "add", "origin", f"{url}/team")
    shell.write("data/big.bin", BIG)
    shell.write("data/notes.md", "notes\n")
    shell.commit("data", "one")
    shell.write("data/big.bin", OTHER)
    shell.commit("data", "two")
    shell("push")
    for path in blob_files(shell):
        flip(path, 0)
    shutil.rmtree(repository(shell) / "objects")
    (repository(shell) / "objects/pack").mkdir(parents=True)
    repaired(shell)
    git(repository(shell), "fsck", "--strict")


def loose_objects(shell: Shell) -> list[Path]:
    return sorted((repository(shell) / "objects").glob("??/*"))


def test_each_damaged_loose_object_is_healed(pushed: Shell) -> None:
    shutil.copytree(pushed.here, pushed.here.parent / "intact")
    for path in loose_objects(pushed):
        shutil.rmtree(pushed.here)
        shutil.copytree(pushed.here.parent / "intact", pushed.here)
        flip(path, path.stat().st_size // 2)
        found = pushed("fsck", code=3)
        assert path.parent.name + path.name in found.out, found.err
        repaired(pushed)
    git(repository(pushed), "fsck", "--strict")


def test_all_git_objects_of_the_tree_come_back_without_a_remote(pushed: Shell) -> None:
    pushed("remote", "remove", "origin")
    with History(repository(pushed), Disk()) as history:
        tip = history.commit(history.refs()["refs/heads/main"])
        names = {tip.tree} | {entry.git_id for entry in history.iter_entries(tip.tree)}
    for path in loose_objects(pushed):
        if path.parent.name + path.name in names:
            path.unlink()
    pushed("fsck", code=3)
    assert set(repaired(pushed).values()) == {"made anew from the index and the files"}


def packed(shell: Shell) -> Path:
    git(repository(shell), "gc", "-q")
    return next((repository(shell) / "objects/pack").glob("*.pack"))


@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_a_damaged_git_pack_or_index_is_named_and_healed(pushed: Shell, suffix: str) -> None:
    size = packed(pushed).with_suffix(suffix).stat().st_size
    for position in (0, 9, 30, size // 3, size // 2, size - 30, size - 1):
        path = packed(pushed).with_suffix(suffix)
        flip(path, position)
        assert path.name in pushed("fsck", code=3).out
        for verb in ("status", "log", "commit"):
            done = pushed(verb, *(["-m", "x"] if verb == "commit" else []), code=-1)
            assert done.code in (0, 3), f"{verb} at {position}: {done.err}"
        repaired(pushed)
        git(repository(pushed), "fsck", "--strict")


def test_a_git_pack_without_index_and_without_remote_is_indexed_again(pushed: Shell) -> None:
    pushed("remote", "remove", "origin")
    index = packed(pushed).with_suffix(".idx")
    index.unlink()
    assert index.name in pushed("fsck", code=3).out
    assert repaired(pushed)[str(index)] == "made anew from its pack"
    git(repository(pushed), "fsck", "--strict")


@pytest.mark.parametrize("name", ["HEAD", "config", "refs/heads/main", "packed-refs"])
@pytest.mark.parametrize("content", [b"", b"rubbish\n", bytes(41), b"\xff\xfe" * 20])
def test_a_damaged_file_of_the_repository_is_named_and_healed(pushed: Shell, name: str, content: bytes) -> None:
    path = repository(pushed) / name
    tip = git(repository(pushed), "rev-parse", "refs/heads/main").strip()
    if name == "packed-refs":
        git(repository(pushed), "pack-refs", "--all")
        content = content.strip(b"\0") + b"\n" if content else b"x\n"
    path.write_bytes(content)
    found = pushed("fsck", code=3)
    assert name in found.out
    if name == "refs/heads/main":
        assert f"by its reflog it stood at {tip}" in found.out
    for verb in ("status", "log"):
        assert pushed(verb, code=-1).code in (0, 3)
    healed = repaired(pushed)
    assert any(what.endswith(name) for what in healed)
    assert git(repository(pushed), "rev-parse", "refs/heads/main").strip() == tip
    assert (store(pushed) / "damaged/data.git" / name).read_bytes() == content


def test_no_bit_of_a_database_or_ref_makes_a_traceback(pushed: Shell) -> None:
    git(repository(pushed), "pack-refs", "--all")
    files = [store(pushed) / "state.db", store(pushed) / "store.db", repository(pushed) / "packed-refs"]
    for database in files[:2]:
        connection = sqlite3.connect(database, isolation_level=None)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    shutil.copytree(pushed.here, pushed.here.parent / "intact")
    rng = random.Random(5)
    for path in files:
        for _ in range(25):
            shutil.rmtree(pushed.here)
            shutil.copytree(pushed.here.parent / "intact", pushed.here)
            flip(path, rng.randrange(path.stat().st_size))
            for arguments in (["status"], ["fsck"], ["fsck", "--repair"]):
                done = pushed(*arguments, code=-1)
                assert done.code in (0, 1, 2, 3), f"{path.name}: {done.err}"


def test_a_pointer_with_a_wrong_size_is_damage_and_not_the_blob(pushed: Shell, tmp_path: Path) -> None:
    from_stock = tmp_path / "stock"
    git(tmp_path, "clone", "-q", str(tmp_path / "remote/data.git"), str(from_stock), "-c", "filter.lfs.smudge=cat")
    pointer = from_stock / "big.bin"
    pointer.write_bytes(pointer.read_bytes().replace(b"200000", b"199999"))
    git(from_stock, "-c", "filter.lfs.clean=cat", "-c", "filter.lfs.process=", "commit", "-qam", "wrong size")
    git(from_stock, "-c", "core.hooksPath=/dev/null", "push", "-q")
    before = files_of(pushed.here)
    failed = pushed("pull", code=3)
    assert "200000" in failed.err
    assert files_of(pushed.here) == before
    assert "says 199999 bytes, the blob has 200000" in pushed("fsck", code=3).out
    done = pushed("fsck", "--repair", "--json", code=3).json
    assert [damage["kind"] for damage in done["checked"]["damage"]] == ["pointer"]
    assert len(blob_files(pushed)) == 2, "the blob is whole, and stays"


def test_a_subset_reads_its_part_and_all_parts_read_all(pushed: Shell) -> None:
    read = [pushed("fsck", "--subset", f"{number}/3", "--json").json["checked"] for number in (1, 2, 3)]
    assert sum(one["read"] for one in read) == read[0]["blobs"] == pushed("fsck", "--json").json["checked"]["read"]
    path = blob_files(pushed)[0]
    flip(path, 9)
    codes = [pushed("fsck", "--subset", f"{number}/3", code=-1).code for number in (1, 2, 3)]
    assert sorted(codes) == [0, 0, 3]
    for wrong in ("0/3", "4/3", "x", "1", "1/0"):
        pushed("fsck", "--subset", wrong, code=2)


def test_an_edit_in_place_stays_a_change_and_its_blob_is_healed(pushed: Shell) -> None:
    pushed("config", "core.link", "hardlink")
    pushed("checkout", "--relink")
    path = pushed.here / "data/big.bin"
    path.chmod(0o644)
    append(path)
    path.chmod(0o444)
    oid = pushed("status", "--json", code=3).json["artifacts"][0]["edited"][0]["oid"]
    assert "fetched from" in repaired(pushed)[oid]
    assert path.read_bytes() == OTHER + b"x"
    assert path.stat().st_mode & 0o200
    assert pushed("status", "-s").out == " M data/big.bin\n"
    pushed("commit", "-a", "-m", "edited")
