"""`prune`: what goes, what stays and why, and that a root which can't be read stops it."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer, encode_pointer
from aimdvc.store.blobs import BlobStore
from tests.e2e.pruning import (
    DAY_S,
    LARGE,
    age,
    commit_code,
    forget_reflogs,
    held,
    oids,
    pinned,
    pruned,
    store,
    superseded,
    version,
)
from tests.shell import Shell, git


@pytest.fixture
def code(tmp_path: Path) -> Shell:
    """A workspace in a code repository, with one version that the code pins."""
    return pinned(tmp_path / "code")


def test_downloads_that_nobody_went_on_with_are_deleted(code: Shell) -> None:
    partial = store(code) / "tmp/partial"
    partial.mkdir(parents=True, exist_ok=True)
    for name, days in (("ab" * 32, 15), ("cd" * 32, 13), ("ref-1234", 20)):
        (partial / name).write_bytes(b"begun")
        os.utime(partial / name, (time.time() - days * DAY_S,) * 2)
    dry = pruned(code, "--dry-run")
    assert (dry["begun"], dry["begun_size"], len(list(partial.iterdir()))) == (2, 10, 3)
    assert "Would delete 2 begun downloads (10 B) that nobody went on with\n" in code("prune", "--dry-run").out
    assert "Deleted 2 begun downloads" in code("prune").out
    assert [path.name for path in partial.iterdir()] == ["cd" * 32]
    assert (pruned(code)["begun"], pruned(code, "--expire", "0")["begun"]) == (0, 1)


def test_what_nothing_needs_goes_to_the_trash_and_comes_back(code: Shell) -> None:
    gone = superseded(code)
    age(code)
    before = held(code)
    dry = pruned(code, "--dry-run")
    assert set(dry["oids"]) == gone  # type: ignore[call-overload]
    assert held(code) == before
    done = pruned(code)
    assert (done["unreachable"], done["size"]) == (2, LARGE + 1)
    assert held(code) == before - gone
    assert code("fsck").code == 0
    batch = code("trash", "--json").json["batches"]
    assert [(one["why"], one["files"], one["packs"]) for one in batch] == [("prune", 1, 1)]
    code("trash", "restore", batch[0]["name"])
    assert held(code) == before
    assert code("trash").out == "The trash is empty\n"
    assert code("fsck").code == 0
    age(code)
    pruned(code)
    code("trash", "empty")
    assert held(code) == before - gone
    assert not list((store(code) / "trash").iterdir())
    assert code("fsck").code == 0


def test_what_was_wanted_of_late_stays(code: Shell) -> None:
    gone = superseded(code)
    assert pruned(code)["young"] == len(gone)
    age(code, 13)
    assert pruned(code)["unreachable"] == 0
    assert pruned(code, "--expire", "12")["unreachable"] == len(gone)


def test_oids_are_listed_for_scripts(code: Shell) -> None:
    gone = superseded(code)
    age(code)
    listed = code("prune", "--dry-run", "-z").raw
    assert set(listed.decode().split("\0")[:-1]) == gone


@pytest.mark.parametrize(
    "how", ["alias", "branch", "reflog", "pin", "stash", "autostash", "staged pin", "detached", "worktree"]
)
def test_each_kind_of_root_keeps_what_it_names(code: Shell, how: str) -> None:
    first = code("log", "data", "--json").json["versions"][0]["commit"]["id"]
    second = version(code, 2)
    if how == "alias":
        code("alias", "set", "data@main", "keep")
    elif how == "branch":
        repository = store(code) / "repos/data.git"
        git(repository, "update-ref", "refs/heads/other", second)
    elif how == "pin":
        commit_code(code)
        git(code.here, "checkout", "-q", "-b", "other")
        git(code.here, "checkout", "-q", "main")
    elif how == "stash":
        git(code.here, "stash")
    elif how == "autostash":
        git(code.here, "commit", "-q", "--allow-empty", "-m", "more")
        (code.here / "todo").write_text('#!/bin/sh\necho break > "$1"\n')
        (code.here / "todo").chmod(0o755)
        git(code.here, "-c", f"sequence.editor={code.here}/todo", "rebase", "-q", "-i", "--autostash", "HEAD~1")
        assert (code.here / ".git/rebase-merge/autostash").exists()
    elif how == "staged pin":
        git(code.here, "add", "aimdvc.lock")
    elif how == "detached":
        code("checkout", f"data@{second}")
    elif how == "worktree":
        commit_code(code)
        git(code.here, "worktree", "add", "-q", "--detach", "../tree")
        Shell(code.here.parent / "tree")("checkout")
        git(code.here, "reset", "-q", "--hard", "HEAD~1")
        for log in (code.here / ".git/logs").rglob("*"):
            if log.is_file():
                log.write_bytes(b"")
        (code.here / ".git/ORIG_HEAD").unlink()
    repository = store(code) / "repos/data.git"
    if how == "detached":
        git(repository, "update-ref", "refs/heads/main", first)
    else:
        code("reset", "--hard", f"data@{first}")
    if how != "reflog":
        forget_reflogs(code)
    if how == "pin":
        git(code.here, "checkout", "-q", "-f", "main")
        git(code.here, "reset", "-q", "--hard", "HEAD~1")
        code("checkout")
    age(code)
    pruned(code)
    assert oids(1) | oids(2) <= held(code)
    assert code("fsck").code == 0


def test_a_version_that_was_left_goes_when_its_reflog_is_old(code: Shell) -> None:
    first = code("log", "data", "--json").json["versions"][0]["commit"]["id"]
    version(code, 2)
    code("reset", "--hard", f"data@{first}")
    age(code)
    pruned(code)
    assert held(code) == oids(1) | oids(2)
    log = store(code) / "repos/data.git/logs/refs/heads/main"
    old = str(int(time.time()) - 91 * DAY_S)
    lines = [" ".join([*line.split("\t")[0].split(" ")[:-2], old, "+0000"]) for line in log.read_text().splitlines()]
    log.write_text("".join(f"{line}\tm\n" for line in lines))
    pruned(code)
    assert held(code) == oids(1) | oids(2), "HEAD was there within 90 days, too"
    for state in (code.here / ".git/aimdvc").rglob("state.db"):
        with closing(sqlite3.connect(state)) as database, database:
            database.execute("UPDATE head_move SET time_s = ?", (int(old),))
    pruned(code)
    assert held(code) == oids(1)


def test_a_workspace_below_the_repositorys_root_keeps_what_its_pins_name(tmp_path: Path) -> None:
    place = tmp_path / "code"
    for name in ("one", "two"):
        (place / name).mkdir(parents=True)
    git(place, "init", "-q")
    shells = []
    for name in ("one", "two"):
        shell = Shell(place / name)
        shell("init")
        shell.write("data/large.bin", name.encode() * LARGE)
        shell("add", "data", "-n", name)
        shell("commit", "-m", "m")
        shells.append(shell)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "code")
    with BlobStore(place / ".git/aimdvc", Disk()) as blobs:
        needed = {pointer.oid for pointer in blobs.iter_pointers()}
    # All that is left of one of them is what the code's history pins.
    state = next(
        path for path in (place / ".git/aimdvc/workspaces").iterdir() if (path / "path").read_text() == "two\n"
    )
    (state / "state.db").unlink()
    for refs in (place / ".git/aimdvc/repos/two.git").glob("refs/heads/*"):
        refs.unlink()
    shutil.rmtree(place / ".git/aimdvc/repos/two.git/logs")
    git(place, "rm", "-q", "-r", "--cached", "two")
    git(place, "commit", "-qm", "gone")
    shutil.rmtree(place / "two")
    for path in place.glob(".git/aimdvc/blobs/files/*/*"):
        os.utime(path, (0, 0))
    assert pruned(shells[0])["unreachable"] == 0
    with BlobStore(place / ".git/aimdvc", Disk()) as blobs:
        assert {pointer.oid for pointer in blobs.iter_pointers()} == needed


def damage_tree(shell: Shell) -> None:
    tree = git(store(shell) / "repos/data.git", "rev-parse", "main^{tree}").strip()
    (store(shell) / "repos/data.git/objects" / tree[:2] / tree[2:]).unlink()


def damage_state(shell: Shell) -> None:
    other = store(shell) / "workspaces/0123456789abcdef"
    other.mkdir()
    (other / "state.db").write_bytes(b"no database" * 1000)


def damage_code(shell: Shell) -> None:
    blob = git(shell.here, "rev-parse", "HEAD:aimdvc.lock").strip()
    (shell.here / ".git/objects" / blob[:2] / blob[2:]).unlink()


def damage_ref(shell: Shell) -> None:
    (store(shell) / "repos/data.git/refs/heads/bad").write_text("no id\n")


def damage_reflog(shell: Shell) -> None:
    log = shell.here / ".git/logs/HEAD"
    log.write_text(log.read_text() + f"{'1' * 40} {'2' * 40} A <a@b> {int(time.time())} +0000\tm\n")


@pytest.mark.parametrize("damage", [damage_tree, damage_state, damage_code, damage_ref, damage_reflog])
def test_a_root_that_cant_be_read_stops_it(code: Shell, damage: object) -> None:
    superseded(code)
    age(code)
    before = held(code)
    damage(code)  # type: ignore[operator]
    error = code("prune", "--json", code=3).json
    assert error["error"] == "corrupt-repository"
    assert held(code) == before
    assert not (store(code) / "trash").exists()


def test_a_state_of_a_later_aimdvc_stops_it(code: Shell) -> None:
    superseded(code)
    age(code)
    with sqlite3.connect(store(code) / "workspaces/root/state.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    code("prune", code=4)


def test_a_table_that_a_later_verb_adds_keeps_what_it_names(code: Shell) -> None:
    gone = superseded(code)
    age(code)
    second = git(store(code) / "repos/data.git", "rev-parse", "main").strip()
    with sqlite3.connect(store(code) / "workspaces/root/state.db") as database:
        database.execute("CREATE TABLE merge (artifact INTEGER, theirs TEXT, oid BLOB)")
        for oid in gone:
            database.execute("INSERT INTO merge VALUES (1, ?, ?)", (second, bytes.fromhex(oid)))
    database.close()
    assert pruned(code)["unreachable"] == 0


def test_a_pointer_that_a_table_names_keeps_its_blob(code: Shell) -> None:
    gone = superseded(code)
    age(code)
    large = next(oid for oid in gone if (store(code) / "blobs/files" / oid[:2] / oid).exists())
    (code.here / "pointer").write_bytes(encode_pointer(Pointer(Oid(large), LARGE)))
    git_id = git(store(code) / "repos/data.git", "hash-object", "-w", str(code.here / "pointer")).strip()
    with sqlite3.connect(store(code) / "workspaces/root/state.db") as database:
        database.execute("CREATE TABLE side (artifact INTEGER, theirs TEXT)")
        database.execute("INSERT INTO side VALUES (1, ?)", (git_id,))
    database.close()
    pruned(code)
    assert gone & held(code) == {large}


def test_a_clock_that_went_back_stops_it(code: Shell) -> None:
    gone = superseded(code)
    age(code)
    later = time.time() + 400 * DAY_S
    os.utime(next(store(code).glob("blobs/files/*/*")), (later, later))
    done = code("prune", code=1)
    assert "set the clock right" in done.err
    assert pruned(code, "--trust-clock")["unreachable"] in (len(gone), len(gone) - 1)


def test_a_head_whose_history_is_gone_stops_it(code: Shell) -> None:
    (store(code) / "repos/data.git").rename(code.here / "elsewhere")
    assert "is gone, and a HEAD is at" in code("prune", code=3).err
