"""Joining of packs and loose objects: nothing changes for readers, stock Git agrees, and others go on meanwhile."""

import re
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git import consolidate as module
from aimdvc.git.consolidate import consolidate
from aimdvc.git.history import History
from aimdvc.git.kinds import BLOB
from aimdvc.git.packs import PackWriter, git_id_of
from aimdvc.model.oid import GitId
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobs import BlobStore
from tests.e2e.pruning import store
from tests.shell import Shell, files_of, git


def repository(shell: Shell) -> Path:
    return store(shell) / "repos/data.git"


def commits(shell: Shell, count: int, files: int = 3) -> None:
    for number in range(count):
        for name in range(files):
            shell.write(f"data/d{name}/f", f"{number} {name}\n" * 20)
        shell.commit("data", f"m{number}")


def objects_of(path: Path) -> list[str]:
    return sorted(git(path, "cat-file", "--batch-all-objects", "--batch-check").splitlines())


def packs(path: Path) -> list[Path]:
    return sorted((path / "objects/pack").glob("*.pack"))


def loose(path: Path) -> int:
    return sum(len(list(fan.iterdir())) for fan in (path / "objects").iterdir() if len(fan.name) == 2)


def test_loose_objects_and_blob_packs_are_joined(shell: Shell) -> None:
    commits(shell, 8)
    before, files = objects_of(repository(shell)), files_of(shell.here)
    done = shell("maintenance", "--json").json["joined"]
    assert done["loose_objects"] == len(before)
    assert done["blob_packs"] >= 8
    assert done["loose_refs"] == 1
    assert git(repository(shell), "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]
    assert len(packs(repository(shell))) == 1
    assert loose(repository(shell)) == 0
    assert len(list((store(shell) / "blobs/packs").iterdir())) == 1
    assert objects_of(repository(shell)) == before
    git(repository(shell), "fsck", "--strict")
    assert shell("fsck").code == 0
    shell("checkout", "data@HEAD~5")
    shell("checkout", "data@main")
    assert files_of(shell.here) == files
    assert shell("maintenance", "--json").json["joined"] == {
        "git_packs": 0,
        "loose_objects": 0,
        "loose_refs": 0,
        "blob_packs": 0,
    }


def test_packs_with_deltas_are_joined_as_they_are(shell: Shell) -> None:
    text = "\n".join(f"line {number}" for number in range(3000))
    for number in range(6):
        shell.write("data/notes.md", text + f"\n{number}")
        shell.commit("data", f"m{number}")
        if number % 2:
            git(repository(shell), "repack", "-q", "-d")
    assert len(packs(repository(shell))) == 3
    deltas = git(repository(shell), "verify-pack", "-v", *(str(path) for path in packs(repository(shell))))
    assert "chain length = 1" in deltas
    before = objects_of(repository(shell))
    size = sum(path.stat().st_size for path in packs(repository(shell)))
    assert shell("maintenance", "--json").json["joined"]["git_packs"] == 3
    (joined,) = packs(repository(shell))
    assert joined.stat().st_size < size + 1000
    assert objects_of(repository(shell)) == before
    git(repository(shell), "fsck", "--strict")
    assert shell("fsck").code == 0


def test_two_packs_whose_deltas_stand_on_each_other_make_no_circle(shell: Shell) -> None:
    shell.write("data/a.md", "x\n")
    shell.commit("data")
    one, other = b"1" * 50, b"2" * 60
    for base, made in ((one, other), (other, one)):
        delta = bytes([len(base), len(made), len(made)]) + made
        head = bytes([7 << 4 | len(delta) & 15 | 128, len(delta) >> 4])
        entry = head + bytes.fromhex(git_id_of(BLOB, base)) + zlib.compress(delta)
        directory = repository(shell) / "objects/pack"
        writer = PackWriter(Disk(), directory)
        writer.add(BLOB, base, git_id_of(BLOB, base))
        writer.add_entry(bytes.fromhex(git_id_of(BLOB, made)), entry)
        writer.publish(directory)
    before = objects_of(repository(shell))
    assert shell("maintenance", "--json").json["joined"]["git_packs"] == 2
    assert objects_of(repository(shell)) == before
    for content in (one, other):
        assert git(repository(shell), "cat-file", "blob", git_id_of(BLOB, content)).encode() == content


def test_an_outside_gc_does_no_harm(shell: Shell) -> None:
    commits(shell, 4)
    shell("checkout", "data@HEAD~2")
    shell("maintenance")
    commits_before = shell("log", "data@main", "--json").json
    git(repository(shell), "gc", "-q", "--prune=now")
    assert shell("log", "data@main", "--json").json == commits_before
    shell("checkout", "data@main")
    commits(shell, 2)
    git(repository(shell), "gc", "-q", "--prune=now", "--aggressive")
    shell("maintenance")
    assert shell("fsck").code == 0
    assert shell("prune", "--json").json["pruned"]["unreachable"] == 0
    shell("checkout", "data@HEAD~4")


def test_a_gc_keeps_what_a_reset_left(shell: Shell) -> None:
    commits(shell, 3)
    tip = git(repository(shell), "rev-parse", "main").strip()
    shell("reset", "--hard", "data@HEAD~2")
    # As old as makes git forget it, were it not told otherwise.
    log = repository(shell) / "logs/refs/heads/main"
    log.write_text(re.sub(r"> [0-9]+ ", "> 1000000000 ", log.read_text()))
    git(repository(shell), "gc", "-q", "--prune=now")
    shell("reset", "--hard", f"data@{tip}")
    assert shell("fsck").code == 0


def test_a_damaged_object_is_left_where_it_is(shell: Shell) -> None:
    commits(shell, 3)
    victim = next(path for fan in (repository(shell) / "objects").glob("??") for path in fan.iterdir())
    victim.chmod(0o644)
    victim.write_bytes(b"x")
    before = loose(repository(shell))
    assert shell("maintenance", code=3).err
    assert loose(repository(shell)) == before
    assert not packs(repository(shell))


def test_a_file_that_another_one_writes_is_no_object_however_long_its_name(shell: Shell) -> None:
    commits(shell, 2)
    fan = next(path for path in (repository(shell) / "objects").iterdir() if len(path.name) == 2)
    growing = fan / "tmp_obj_tmp-0123abcd.5987-aabbccddeeff"
    assert len(growing.name) == 38
    growing.write_bytes(b"half of an object")
    assert shell("fsck").code == 0
    shell("maintenance")
    assert growing.read_bytes() == b"half of an object"
    assert packs(repository(shell))


def test_a_pack_to_keep_stays(shell: Shell) -> None:
    commits(shell, 2)
    git(repository(shell), "repack", "-q", "-d")
    (keep,) = packs(repository(shell))
    keep.with_suffix(".keep").write_text("")
    commits(shell, 2)
    shell("maintenance")
    assert keep.exists()
    assert len(packs(repository(shell))) == 2


def test_readers_that_are_open_find_what_moved(shell: Shell) -> None:
    commits(shell, 5)
    names = [GitId(line.split()[0]) for line in objects_of(repository(shell))]
    with History.open(repository(shell), Disk()) as history, BlobStore(store(shell), Disk()) as blobs:
        oids = [pointer.oid for pointer in blobs.iter_pointers()]
        places = blobs.find_many(oids)
        history.read_object(names[0])
        shell("maintenance")
        for name in names:
            assert history.has(name)
            history.read_object(name)
        for oid in oids:
            blobs.read_packed(oid, places[oid])


def test_it_runs_by_itself_when_there_is_much(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOSE_AT", 100)
    monkeypatch.setattr("aimdvc.store.sweep.JOIN_AT", 6)
    commits(shell, 60)
    assert loose(repository(shell)) < 300
    assert packs(repository(shell))
    assert len(list((store(shell) / "blobs/packs").iterdir())) < 8
    assert shell("fsck").code == 0


def test_eight_processes_commit_while_others_join(shell: Shell) -> None:
    shell.write("data/first", "1")
    shell.commit("data", "first")
    deadline = time.monotonic() + 12

    def work(number: int) -> int:
        turn = 0
        while time.monotonic() < deadline:
            turn += 1
            if number < 2:
                run(shell.here, "maintenance")
            elif number == 2:
                run(shell.here, "log", "data")
                run(shell.here, "prune", "--expire", "1")
            else:
                shell.write(f"data/p{number}/f{turn}", f"{number} {turn}\n" * 100)
                run(shell.here, "add", f"data/p{number}")
                run(shell.here, "commit", "-m", f"{number} {turn}")
        return turn

    with ThreadPoolExecutor(8) as pool:
        turns = list(pool.map(work, range(8)))
    assert shell("fsck").code == 0
    held = {f"data/{entry['path']}" for entry in shell("ls", "data", "--json").json["entries"]}
    assert held == set(files_of(shell.here))
    assert len(held) == 1 + sum(turns[3:])
    git(repository(shell), "fsck", "--strict")


def run(here: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_one_at_work_is_left_alone(shell: Shell) -> None:
    commits(shell, 2)
    with Workspace.open(shell.here) as workspace:
        path = workspace.repository_path("data")
        from_within: list[object] = []

        class Nested(Disk):
            def create_temp(self, directory: Path, prefix: str = ""):  # type: ignore[no-untyped-def]
                from_within.append(consolidate(path, Disk(), is_forced=True))
                return super().create_temp(directory, prefix)

        assert consolidate(path, Nested(), is_forced=True) is not None
        assert from_within[0] is None
