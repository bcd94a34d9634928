"""`check`: what is wrong between aimdvc.lock, the workspace and the store, and what a remote lacks of the pins."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.ops.check import check_local, check_lock
from aimdvc.ops.workspace import Workspace
from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, git


@pytest.fixture
def code(shell: Shell) -> Shell:
    """A workspace in a code repository: `data` and `net` at v1, committed."""
    git(shell.here, "init", "-q", "-b", "main")
    shell("init")
    shell.write("data/small", "1")
    shell.write("data/large", b"w" * 100_000)
    shell.write("net.bin", b"n" * 70_000)
    shell.commit("data")
    shell("add", "net.bin"), shell("commit", "-m", "m", "net.bin")
    git(shell.here, "add", "-A"), git(shell.here, "commit", "-qm", "code")
    return shell


def kinds(shell: Shell, *arguments: str) -> list[tuple[str, str]]:
    found = shell("check", "--json", *arguments, code=-1)
    assert found.code == (1 if found.json["findings"] else 0)
    assert found.json["is_good"] is (found.code == 0)
    return [(one["artifact"], one["kind"]) for one in found.json["findings"]]


def test_nothing_is_wrong_after_a_commit(code: Shell) -> None:
    assert kinds(code) == []
    assert "nothing is uncommitted" in code("check").out


def test_what_is_uncommitted_is_told_with_its_paths(code: Shell) -> None:
    code.write("data/small", "2")
    code.write("data/new", "n")
    (code.here / "net.bin").unlink()
    assert kinds(code) == [("data", "uncommitted"), ("net.bin", "uncommitted")]
    assert kinds(code, "data") == [("data", "uncommitted")]
    told = code("check", code=1).out
    assert "2 uncommitted changes; `aimdvc add data` and `aimdvc commit data` save them" in told
    assert "    new\n    small\n" in told
    code("add", "data")
    assert kinds(code, "data") == [("data", "uncommitted")]
    code("commit", "-m", "m", "data")
    assert kinds(code, "data") == []


def test_a_lock_that_git_changed_and_one_that_lacks_an_artifact_are_told(code: Shell) -> None:
    code.write("data/small", "2")
    code("commit", "-am", "two")
    git(code.here, "checkout", "-q", "aimdvc.lock")
    assert kinds(code) == [("data", "other-commit")]
    assert "the lock pins v1?, checked out is v2?" in code("check", code=1).out
    code("checkout", "data@HEAD")
    assert kinds(code) == []
    lock = (code.here / "aimdvc.lock").read_bytes()
    (code.here / "aimdvc.lock").write_bytes(lock.replace(b"path = data\n", b"path = other\n"))
    assert kinds(code) == [("data", "other-path")]


def test_a_branch_of_the_code_without_an_artifact_is_in_order(code: Shell) -> None:
    lock = (code.here / "aimdvc.lock").read_bytes()
    (code.here / "aimdvc.lock").write_bytes(lock[: lock.index(b'\n[artifact "net.bin"]')])
    assert kinds(code) == []


def test_a_lock_that_only_was_not_staged_names_git_add(code: Shell) -> None:
    staged, _ = check_lock((code.here / "aimdvc.lock").read_bytes())
    code.write("data/small", "2")
    code("commit", "-am", "two")
    code.write("more/x", "x")
    code.commit("more")
    with Workspace.open(code.here) as workspace:
        found = check_local(workspace, staged)
    assert [(one.artifact, one.kind, one.hint) for one in found] == [
        ("data", "other-commit", "`git add aimdvc.lock`"),
        ("more", "not-pinned", "`git add aimdvc.lock`"),
    ]


@pytest.mark.parametrize("change", [lambda raw: raw.replace(b"\n", b"\r\n"), lambda raw: b"# mine\n" + raw])
def test_a_lock_in_another_form_is_told_and_checkout_writes_it_anew(code: Shell, change: object) -> None:
    lock = (code.here / "aimdvc.lock").read_bytes()
    (code.here / "aimdvc.lock").write_bytes(change(lock))  # type: ignore[operator]
    assert kinds(code) == [("", "not-canonical")]
    code("checkout")
    assert (code.here / "aimdvc.lock").read_bytes() == lock
    assert kinds(code) == []


def test_a_lock_that_cannot_be_read_is_one_finding(code: Shell) -> None:
    (code.here / "aimdvc.lock").write_bytes(b"[artifact]\n")
    assert kinds(code) == [("", "unreadable")]


def test_a_blob_that_is_gone_and_an_artifact_that_is_not_here_are_told(code: Shell, tmp_path: Path) -> None:
    blobs = code.here / ".git/aimdvc/blobs/files"
    shutil.rmtree(blobs)
    assert kinds(code) == [("data", "missing-blobs"), ("net.bin", "missing-blobs")]
    git(tmp_path, "clone", "-q", str(code.here), "other")
    assert kinds(Shell(tmp_path / "other")) == [("data", "not-here"), ("net.bin", "not-here")]


def test_what_a_partial_checkout_leaves_out_is_not_needed(code: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    code("remote", "add", "origin", server.url)
    code("push")
    git(code.here, "commit", "-qam", "remote")
    git(tmp_path, "clone", "-q", str(code.here), "other")
    other = Shell(tmp_path / "other")
    other("pull", "data", "--include", "small")
    assert kinds(other, "data") == []


def test_a_remote_is_asked_for_every_pin_and_nothing_is_downloaded(code: Shell, remote: str, tmp_path: Path) -> None:
    code("remote", "add", "origin", remote)
    git(code.here, "commit", "-qam", "remote")
    assert kinds(code, "--remote") == [("data", "no-artifact"), ("net.bin", "no-artifact")]
    code("push")
    assert kinds(code, "--remote") == []
    assert "data: v1 is whole on 'origin'" in code("check", "data", "--remote").out
    first = git(code.here, "rev-parse", "HEAD").strip()
    code.write("data/small", "2")
    code("commit", "-am", "two")
    git(code.here, "commit", "-qam", "two")
    assert kinds(code, "--remote", "origin") == [("data", "not-on-remote")]
    assert kinds(code, "--remote", "--code", "HEAD~1") == []
    git(tmp_path, "clone", "-q", str(code.here), "other")
    other = Shell(tmp_path / "other")
    told = other("check", "--remote", code=1).out
    assert "data: commit " in told and "is not on 'origin'; `aimdvc push data`" in told
    assert kinds(other, "--remote", "--code", first) == []
    assert not [*(other.here / ".git/aimdvc/blobs").rglob("*.pack")]
    assert not (other.here / "data").exists()


def test_a_blob_that_a_remote_lost_is_told(code: Shell, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    code("remote", "add", "origin", str(tmp_path / "remote"))
    code("push")
    lost = [path for path in (tmp_path / "remote/data.git").rglob("*") if path.is_file() and len(path.name) == 64]
    assert lost
    lost[0].unlink()
    found = code("check", "--remote", "--json", code=1).json["findings"]
    assert [(one["artifact"], one["kind"], len(one["paths"])) for one in found] == [("data", "blobs-not-on-remote", 1)]


def test_what_could_not_be_found_out_is_no_answer(code: Shell, server: EmbeddedServer, home: Path) -> None:
    code("remote", "add", "origin", "http://127.0.0.1:9/team")
    code("remote", "add", "good", server.url)
    assert code("check", "--remote", "--json", code=6).json["failed"][0]["exit_code"] == 6
    shutil.rmtree(home / ".config/aimdvc")
    assert code("check", "--remote", "good", "--json", code=7).json["findings"] == []
    assert "names come first" in code("check", "--remote", "data", code=2).err
    assert "no remote 'x'" in code("check", "--remote", "x", code=2).err
    assert "goes with --remote" in code("check", "--code", "HEAD", code=2).err
    assert "no revision 'y'" in code("check", "--remote", "--code", "y", code=2).err


def test_a_check_loads_nothing_for_the_network(code: Shell) -> None:
    script = (
        "import sys; from aimdvc.cli.main import run; code = run(['check']);"
        "print(code, [name for name in ('requests', 'urllib3', 'dulwich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=code.here, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
