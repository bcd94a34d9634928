"""Where a workspace and its store lie: with Git and without, in worktrees, after a loss, and as aimdvc.lock says."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shell import Shell, files_of


def test_init_is_safe_to_repeat_and_keeps_settings(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell("init", "--remote", "https://aimd.example.org/team", "--json").json["is_new"] is True
    assert shell("init", "--json").json["is_new"] is False
    assert shell("remote", "list", "--json").json == {"remotes": {"origin": "https://aimd.example.org/team"}}


def test_init_in_a_code_repository_keeps_the_store_out_of_the_work_tree(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("init")
    shell.write("data/a", "1")
    shell.commit("data")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert shell("init").out.count("Moved the store")
    assert shell("log", "--oneline").out.startswith("v1? ")
    subprocess.run(["git", "clean", "-fdxq", "-e", "data"], cwd=tmp_path, check=True)
    shell("init")
    assert shell("fsck").code == 0
    assert "clean" in shell("status").out


def test_outside_of_a_workspace(tmp_path: Path) -> None:
    done = Shell(tmp_path)("status", "--json", code=2)
    assert done.json["error"] == "no-workspace"
    assert done.json["hint"] == "run `aimdvc init` first"


def test_a_new_worktree_gets_its_files_from_the_shared_store(tmp_path: Path) -> None:
    code = tmp_path / "code"
    subprocess.run(["git", "init", "-q", str(code)], check=True)
    shell = Shell(code)
    shell("init")
    shell.write("data/a", "1")
    shell.write("model.bin", b"w" * 100_000)
    shell.commit("data", "one")
    shell.commit("model.bin", "one")
    for arguments in (["add", "-A"], ["commit", "-qm", "code"], ["worktree", "add", "-q", "../other"]):
        subprocess.run(["git", *arguments], cwd=code, check=True, capture_output=True)
    other = Shell(tmp_path / "other")
    assert "pinned in aimdvc.lock, not here" in other("status").out
    moved = other("checkout", "--json").json
    assert [one["artifact"] for one in moved["artifacts"]] == ["data", "model.bin"]
    assert files_of(other.here) == files_of(code)
    assert other("status", "-s").out == ""
    other.write("data/a", "2")
    other("commit", "-am", "two")
    assert "another workspace moved it" in shell("commit", "--allow-empty", "-m", "three", code=5).err
    shell("checkout", "data@main")
    assert (code / "data/a").read_text() == "2"


def test_a_lost_state_is_made_anew_from_the_lock(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.write("data/b", "2")
    shell.commit("data", "one")
    shell.write("data/a", "precious")
    for path in (shell.here / ".aimdvc").glob("state.db*"):
        path.unlink()
    done = shell("checkout", "--json", code=1)
    assert done.json["error"] == "local-change"
    assert (shell.here / "data/a").read_text() == "precious"
    shell("checkout", "--force")
    assert (shell.here / "data/a").read_text() == "1"
    assert shell("log", "--oneline").out.startswith("v1?")
    assert shell("checkout", "--json").json == {"artifacts": [], "missing": [], "unpinned": []}


def test_a_lost_catalogue_of_blobs_is_made_anew_from_the_packs(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    for damage in (b"", b"\0" * 8192, None):
        database = shell.here / ".aimdvc/store.db"
        for suffix in ("-wal", "-shm"):
            database.with_name(f"store.db{suffix}").unlink(missing_ok=True)
        if damage is None:
            database.unlink()
        else:
            database.write_bytes(damage)
        (shell.here / "data/a").unlink()
        shell("restore", "data/a")
        assert (shell.here / "data/a").read_text() == "1"
        assert shell("fsck").code == 0


def test_checkout_follows_the_lock(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    lock = (shell.here / "aimdvc.lock").read_bytes()
    shell.write("data/a", "2")
    shell.commit("data", "two")
    (shell.here / "aimdvc.lock").write_bytes(lock)
    assert "another commit" in shell("status").out
    shell("checkout")
    assert (shell.here / "data/a").read_text() == "1"
    assert (shell.here / "aimdvc.lock").read_bytes() == lock


def test_a_worktree_knows_the_user_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "code"
    for arguments in (["init", "-q", str(code)], ["-C", str(code), "commit", "-q", "--allow-empty", "-m", "c"]):
        subprocess.run(["git", *arguments], check=True)
    subprocess.run(["git", "worktree", "add", "-q", "../other"], cwd=code, check=True, capture_output=True)
    subprocess.run(["git", "config", "user.name", "Repository User"], cwd=code, check=True)
    subprocess.run(["git", "config", "user.email", "user@repository.example"], cwd=code, check=True)
    for role in ("NAME", "EMAIL"):
        monkeypatch.delenv(f"GIT_AUTHOR_{role}")
    other = Shell(tmp_path / "other")
    other("init")
    other.write("data/a", "1")
    other.commit("data", "one")
    assert "Repository User <user@repository.example>" in other("log").out


@pytest.mark.parametrize(
    "command",
    [
        ["commit", "-a", "-m", "x"],
        ["switch", "data@topic"],
        ["reset", "data@HEAD~1"],
        ["reset", "--hard", "data@HEAD~1"],
        ["revert", "data@HEAD"],
    ],
)
def test_a_lock_that_cannot_be_read_stops_a_command_before_it_changes_anything(
    shell: Shell, command: list[str]
) -> None:
    for number in range(2):
        shell.write("data/a", f"{number}\n")
        shell.commit("data", f"{number}")
    shell("switch", "-c", "data@topic")
    shell.write("data/t", "t\n")
    shell.commit("data", "on topic")
    shell("switch", "data@main")
    if command[0] in ("commit", "reset"):
        shell.write("data/a", "changed\n")
    lock = shell.here / "aimdvc.lock"
    conflict = b"<<<<<<< ours\n" + lock.read_bytes() + b"=======\n>>>>>>> theirs\n"
    whole = lock.read_bytes()
    before = files_of(shell.here), shell("branch", "-v", "data").out, shell("status", "-s").out
    lock.write_bytes(conflict)
    assert "a merge conflict is not settled" in shell(*command, code=2).err
    assert lock.read_bytes() == conflict
    lock.write_bytes(whole)
    assert (files_of(shell.here), shell("branch", "-v", "data").out, shell("status", "-s").out) == before


def test_a_checkout_of_what_is_not_here_fails_and_a_fetch_brings_it(shell: Shell, tmp_path: Path) -> None:
    shell.write("data/a", "a\n")
    shell.commit("data", "a")
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell("push")
    other = Shell(tmp_path / "other")
    shutil.copytree(shell.here / ".aimdvc", other.here / ".aimdvc", ignore=lambda *_: ["repos", "blobs", "workspaces"])
    for name in ("state.db", "store.db", "state.db-wal", "state.db-shm", "store.db-wal", "store.db-shm"):
        (other.here / ".aimdvc" / name).unlink(missing_ok=True)
    shutil.copyfile(shell.here / "aimdvc.lock", other.here / "aimdvc.lock")
    assert other("checkout", "--json", code=1).json["missing"] == ["data"]
    assert other("fetch").out == "data: new v1\n"
    assert not (other.here / "data").exists()
    other("checkout")
    assert (other.here / "data/a").read_text() == "a\n"


def test_histories_without_a_common_version_are_merged_only_when_asked(shell: Shell, tmp_path: Path) -> None:
    shell.write("data/a", "a\n")
    shell.commit("data", "mine")
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    other = Shell(tmp_path / "other")
    other.here.mkdir()
    other("init")
    other("remote", "add", "origin", str(tmp_path / "remote"))
    other.write("data/b", "b\n")
    other.commit("data", "theirs")
    other("push")
    assert "different artifacts of one name" in shell("pull", code=1).err
    assert files_of(shell.here / "data") == {"a": b"a\n"}
    shell("merge", "--allow-unrelated-histories", "data")
    assert files_of(shell.here / "data") == {"a": b"a\n", "b": b"b\n"}


def test_a_branch_that_another_worktree_is_on_is_neither_deleted_nor_renamed(tmp_path: Path) -> None:
    code = tmp_path / "code"
    subprocess.run(["git", "init", "-q", str(code)], check=True)
    shell = Shell(code)
    shell("init")
    shell.write("data/a", "1")
    shell.commit("data", "one")
    for arguments in (["add", "-A"], ["commit", "-qm", "code"], ["worktree", "add", "-q", "../other"]):
        subprocess.run(["git", *arguments], cwd=code, check=True, capture_output=True)
    other = Shell(tmp_path / "other")
    other("checkout")
    other("switch", "-c", "data@topic")
    for arguments in (["-d", "data@topic"], ["-D", "data@topic"], ["-m", "data@topic", "new"]):
        refused = shell("branch", *arguments, code=1).err
        assert f"branch 'topic' of 'data' is checked out in '{other.here}'" in refused
        # As `worktree.useRelativePaths` of later Gits has it.
        (code / ".git/worktrees/other/gitdir").write_text("../../../../other/.git\n")
    other("switch", "data@main")
    shell("branch", "-m", "data@topic", "new")
    shell("branch", "-d", "data@new")
