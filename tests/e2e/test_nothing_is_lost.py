"""Local changes, stored contents and files elsewhere: what no command may lose, whatever stands in the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.errors import ChangedMeanwhile
from aimdvc.fs.disk import Disk
from aimdvc.model.progress import Silent
from aimdvc.ops.blobs import Means
from aimdvc.ops.checkout import CheckoutOptions, checkout
from aimdvc.ops.connect import Connector
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.session import Session
from tests.shell import Shell, files_of


def two_versions(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.write("data/big", b"1" * 200_000)
    shell.commit("data", "one")
    shell.write("data/a", "2")
    shell.write("data/big", b"2" * 200_000)
    shell.commit("data", "two")


@pytest.mark.parametrize("kind", ["file to directory", "directory to file", "directory to link"])
def test_a_path_that_changes_its_kind_is_committed_as_it_is(shell: Shell, kind: str) -> None:
    shell.write("data/kept", "k")
    if kind == "file to directory":
        shell.write("data/p", "file")
    else:
        shell.write("data/p/f", "in a directory")
    shell.commit("data", "one")
    first = files_of(shell.here)
    if kind == "file to directory":
        (shell.here / "data/p").unlink()
        shell.write("data/p/f", "in a directory")
    else:
        (shell.here / "data/p/f").unlink()
        (shell.here / "data/p").rmdir()
        if kind == "directory to file":
            shell.write("data/p", "file")
        else:
            (shell.here / "data/p").symlink_to("kept")
    shell.commit("data", "two")
    second = files_of(shell.here)
    assert shell("status", "-s").out == ""
    assert {f"data/{entry['path']}" for entry in shell("ls", "data", "--json").json["entries"]} == set(second)
    for revision, expected in (("HEAD~1", first), ("main", second)):
        shell("checkout", f"data@{revision}")
        assert files_of(shell.here) == expected
        assert shell("status", "-s").out == ""


def test_staged_text_that_git_keeps_can_be_compared_and_put_back(shell: Shell) -> None:
    shell.write("data/notes.md", "one\n")
    shell.commit("data", "one")
    shell.write("data/notes.md", "two\n")
    shell("add", "data")
    shell.write("data/notes.md", "three\n")
    assert "-two\n+three" in shell("diff").out
    assert "-one\n+three" in shell("diff", "data@HEAD").out
    shell("restore", "data/notes.md")
    assert (shell.here / "data/notes.md").read_text() == "two\n"


def test_staged_content_is_not_dropped_by_a_checkout(shell: Shell) -> None:
    two_versions(shell)
    shell.write("data/a", "PRECIOUS")
    shell("add", "data/a")
    (shell.here / "data/a").unlink()
    assert shell("checkout", "data@HEAD~1", "--json", code=1).json["error"] == "local-change"
    shell("restore", "data/a")
    assert (shell.here / "data/a").read_text() == "PRECIOUS"


def test_an_untracked_directory_in_the_way_of_a_file_stays(shell: Shell) -> None:
    two_versions(shell)
    (shell.here / "data/a").unlink()
    shell.write("data/a/mine", "mine")
    for command in (["restore", "data/a"], ["checkout", "--force", "data@HEAD~1"], ["reset", "--hard", "data@HEAD"]):
        assert shell(*command, "--json", code=1).json["error"] == "local-change"
        assert (shell.here / "data/a/mine").read_text() == "mine"
    (shell.here / "data/a/mine").unlink()
    (shell.here / "data/a/empty").mkdir()
    shell("restore", "data/a")
    assert (shell.here / "data/a").read_text() == "2"


@pytest.mark.parametrize("force", [False, True])
def test_a_parent_that_became_a_link_leads_nowhere(shell: Shell, tmp_path: Path, force: bool) -> None:
    shell.write("sub/data/f", "1")
    shell.commit("sub/data", "one")
    shell.write("sub/data/f", "2")
    shell.write("sub/data/g", "2")
    shell.commit("sub/data", "two")
    decoy = tmp_path / "decoy"
    (decoy / "data").mkdir(parents=True)
    (decoy / "data/f").write_text("mine")
    (decoy / "data/g").write_text("mine")
    (shell.here / "sub").rename(tmp_path / "moved")
    (shell.here / "sub").symlink_to(decoy)
    before = files_of(decoy)
    arguments = ["checkout", "data@HEAD~1", *(["--force"] if force else []), "--json"]
    assert shell(*arguments, code=4).json["error"] == "unsafe-path"
    assert files_of(decoy) == before


def test_a_workspace_whose_own_directory_is_a_link_is_refused(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "code"
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    (place / ".aimdvc").symlink_to(".git")
    before = (place / ".git/config").read_bytes()
    for command in (["init", "--remote", "https://aimd.example.org"], ["remote", "add", "x", "https://a.example.org"]):
        assert Shell(place)(*command, "--json", code=4).json["error"] == "unsafe-path"
    assert (place / ".git/config").read_bytes() == before


@pytest.mark.parametrize("step", ["unlink", "write", "rename"])
def test_a_file_that_is_edited_while_a_checkout_runs_is_left_alone(shell: Shell, step: str) -> None:
    shell.write("data/gone", "g")
    two_versions(shell)
    (shell.here / "data/gone").unlink()
    shell.commit("data", "three")
    target = shell.here / "data/a"
    shell("checkout", "data@HEAD~1")
    if step == "unlink":
        target = shell.here / "data/gone"

    def edit(operation: str, path: Path | str) -> None:
        if operation == step and str(path).startswith(str(shell.here / "data")):
            target.write_text("hours of work")

    def no_session() -> Session:
        raise AssertionError("nothing is fetched")

    revision = "main" if step == "unlink" else "HEAD~1"
    means = Means(blob_fetcher(Connector(no_session)), Silent())
    with Workspace.open(shell.here, Disk(edit)) as workspace, pytest.raises(ChangedMeanwhile):
        checkout(workspace, "data", revision, CheckoutOptions(), means)
    assert target.read_text() == "hours of work"
    assert shell("fsck").code == 0


def damage(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["big", "a"])
def test_a_damaged_blob_is_replaced_by_the_good_bytes_that_are_added(shell: Shell, name: str) -> None:
    two_versions(shell)
    content = (shell.here / "data" / name).read_bytes()
    store = shell.here / ".aimdvc/blobs"
    for path in [*store.glob("files/*/*"), *store.glob("packs/*")]:
        damage(path)
    shell.write("data/copy", content)
    shell("add", "data")
    (shell.here / "data" / name).unlink()
    shell("restore", f"data/{name}")
    assert (shell.here / "data" / name).read_bytes() == content


def test_a_damaged_blob_is_fetched_again(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    two_versions(shell)
    shell("push")
    store = shell.here / ".aimdvc/blobs"
    for path in [*store.glob("files/*/*"), *store.glob("packs/*")]:
        damage(path)
    (shell.here / "data/big").unlink()
    done = shell("restore", "data/big", "--json", code=3)
    assert done.json["error"] == "corrupt-blob"
    shell("restore", "data/big")
    assert (shell.here / "data/big").read_bytes() == b"2" * 200_000
    assert len(list((shell.here / ".aimdvc/damaged").iterdir())) == 1


def test_wrong_bytes_are_not_printed(shell: Shell) -> None:
    shell.write("data/big", b"1" * 3_000_000)
    shell.commit("data", "one")
    damage(next((shell.here / ".aimdvc/blobs/files").glob("*/*")))
    done = shell("cat", "data:big", code=3)
    assert len(done.raw) < 3_000_000


def test_git_init_after_work_stops_every_command_until_the_store_is_moved(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("init")
    shell.write("data/a", "1")
    shell.commit("data", "one")
    shell.write("data/a", "staged")
    shell("add", "data")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for command in (["status"], ["add", "data"], ["log"]):
        assert "aimdvc init" in shell(*command, "--json", code=2).json["hint"]
    shell("init")
    assert shell("status", "-s").out == "M  data/a\n"
    assert shell("log", "--oneline").out.startswith("v1?")


def test_a_damaged_state_is_set_aside_and_made_anew(shell: Shell) -> None:
    two_versions(shell)
    state = shell.here / ".aimdvc/state.db"
    for suffix in ("-wal", "-shm"):
        state.with_name(f"state.db{suffix}").unlink(missing_ok=True)
    state.write_bytes(b"\0" * 8192)
    assert "pinned in aimdvc.lock, not here" in shell("status").out
    shell("checkout")
    assert shell("status", "-s").out == ""
    assert files_of(shell.here)["data/a"] == b"2"


def test_checkout_alone_brings_removed_files_back_and_keeps_changed_ones(shell: Shell) -> None:
    two_versions(shell)
    (shell.here / "data/big").unlink()
    shell.write("data/a", "mine")
    assert shell("checkout", "--json").json["artifacts"][0]["written"] == 1
    assert files_of(shell.here) == {"data/a": b"mine", "data/big": b"2" * 200_000}
    shell("checkout", "--force")
    assert files_of(shell.here)["data/a"] == b"2"


def test_two_checkouts_at_once_do_not_mix(shell: Shell) -> None:
    for number in range(300):
        shell.write(f"data/f{number}", "1")
    shell.commit("data", "one")
    for number in range(300):
        shell.write(f"data/f{number}", "two")
    shell.commit("data", "two")
    first = shell("log", "--json").json["versions"][1]["commit"]["id"]
    for _ in range(3):
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "aimdvc", "checkout", "--force", f"data@{revision}"],
                cwd=shell.here,
                stderr=-1,
                stdout=-1,
            )
            for revision in (first, "main")
        ]
        codes = [process.wait() for process in running]
        for process in running:
            process.communicate()
        assert set(codes) <= {0, 5} and 0 in codes, codes
        shell("checkout", "--force")
        assert shell("status", "-s").out == ""
        assert len(set(files_of(shell.here).values())) == 1


def test_a_file_that_vanishes_while_it_is_added_is_as_good_as_never_seen(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    os.mkfifo(shell.here / "data/pipe")
    shell.write("data/b", "2")
    shell("add", "data")
    assert shell("status", "-s").out == "A  data/b\n"


def test_a_file_edited_through_a_hard_link_does_not_change_what_history_holds(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell("config", "core.link", "hardlink")
    shell.write("data/big", b"1" * 200_000)
    shell.commit("data", "one")
    shell("push")
    (shell.here / "data/big").unlink()
    shell("restore", "data/big")
    linked = shell.here / "data/big"
    assert linked.stat().st_nlink == 2
    linked.chmod(0o644)
    with linked.open("ab") as file:
        file.write(b"edited in place")
    assert "set aside" in shell("add", "data", code=3).err
    shell("commit", "-m", "two")
    shell("checkout", "data@HEAD~1")
    assert linked.read_bytes() == b"1" * 200_000
    shell("checkout", "data@main")
    assert linked.read_bytes() == b"1" * 200_000 + b"edited in place"
    assert not list((shell.here / ".aimdvc/tmp").glob("tmp-*"))
    assert shell("fsck").code == 0


def test_an_artifact_that_was_added_by_mistake_is_forgotten_again(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shell = Shell(tmp_path)
    shell("init")
    shell.write("oops/f", "1")
    shell("add", "oops")
    assert (tmp_path / ".gitignore").read_text() == "/oops\n"
    shell("reset", "oops")
    assert not (tmp_path / ".gitignore").exists()
    assert (tmp_path / "oops/f").read_text() == "1"
    assert "No artifacts yet" in shell("status").out
    shell("add", "oops", "-n", "right")
    shell("commit", "-m", "one")


@pytest.mark.parametrize("verb", ["clone", "get"])
def test_a_clone_that_was_killed_at_its_start_is_run_again(shell: Shell, tmp_path: Path, verb: str) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    two_versions(shell)
    shell("push")
    place = tmp_path / "place"
    (place / ".aimdvc").mkdir(parents=True)
    (place / ".aimdvc/.tmp-1-abc").write_text("half a mark")
    address = str(tmp_path / "remote/data")
    Shell(tmp_path)(*([verb, address, "place"] if verb == "clone" else [verb, address, "--out", "place"]))
    assert files_of(place) == files_of(shell.here / "data")
    Shell(tmp_path)(*([verb, address, "place"] if verb == "clone" else [verb, address, "--out", "place"]), code=2)


def test_what_can_not_be_cloned_leaves_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    two_versions(shell)
    shell("push")
    here = Shell(tmp_path)
    for arguments in (["clone", f"{tmp_path}/remote/typo", "x"], ["get", f"{tmp_path}/remote/data@v9", "--out", "x"]):
        assert here(*arguments, code=-1).code in (2, 6)
        assert not (tmp_path / "x").exists()
    assert "there are v1 to v2" in here("get", f"{tmp_path}/remote/data@v9", "--json", code=2).json["hint"]
    shell("clone", f"{tmp_path}/remote/typo", "typo", code=6)
    assert [one["artifact"] for one in shell("ls", "--json").json["artifacts"]] == ["data"]


def test_a_first_pull_that_failed_is_run_again(shell: Shell, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    shell("remote", "add", "origin", str(remote))
    shell.write("models/net.bin", b"w" * 100_000)
    shell("add", "models/net.bin", "-n", "net")
    shell("commit", "-m", "one")
    shell("push")
    subprocess.run(["git", "init", "-q"], cwd=shell.here, check=True)
    shell("init")
    for arguments in (["add", ".aimdvc", "aimdvc.lock"], ["commit", "-qm", "code"]):
        subprocess.run(["git", *arguments], cwd=shell.here, check=True)
    subprocess.run(["git", "clone", "-q", str(shell.here), str(tmp_path / "code")], check=True)
    code = Shell(tmp_path / "code")
    remote.rename(tmp_path / "away")
    code("pull", code=6)
    (tmp_path / "away").rename(remote)
    code("pull")
    assert (tmp_path / "code/models/net.bin").read_bytes() == b"w" * 100_000
    assert (tmp_path / "code/models/.gitignore").read_text() == "/net.bin\n"
    assert code("status", "-s").out == ""
