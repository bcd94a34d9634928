"""Every commit agrees with its own rules: what `.gitattributes` makes a pointer is one, and nothing else is."""

import os
import shutil
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, git

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)


def agrees(server: EmbeddedServer, tmp_path: Path, name: str) -> Path:
    """Clones an artifact with stock Git, which complains of entries that don't agree with their rules."""
    address = server.url.replace("http://", f"http://any:{server.admin_key}@")
    place = tmp_path / f"stock-{name}-{os.urandom(3).hex()}"
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(tmp_path, "clone", "-q", f"{address}/{name}", str(place))
    git(place, "lfs", "pull")
    assert git(place, "status", "--porcelain") == ""
    assert "OK" in git(place, "lfs", "fsck")
    return place


def test_a_merge_of_rules_and_new_entries(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/old.txt", "old\n")
    shell.write("data/code.py", "print(1)\n")
    shell.commit("data", "one")
    shell("push")
    Shell(tmp_path)("clone", f"{server.url}/data", "other")
    other = Shell(tmp_path / "other")
    shell("untrack", "*.txt")
    shell("track", "*.py")
    shell("commit", "-m", "rules")
    shell("push")
    other.write("new.txt", "new\n")
    other.write("more.py", "print(2)\n")
    other.commit(".", "entries")
    other("pull")
    other("push")
    stock = agrees(server, tmp_path, "data")
    assert (stock / "new.txt").read_text() == "new\n"
    assert (stock / "more.py").read_text() == "print(2)\n"
    assert "*.txt" not in git(stock, "lfs", "ls-files", "-n")
    assert git(stock, "lfs", "ls-files", "-n").split() == ["code.py", "more.py"]
    assert other("status", "-s").out == ""


@pytest.mark.parametrize("command", [["restore", "--source", "v1"], ["checkout", "data@v1", "--"]])
def test_an_entry_of_an_older_version(shell: Shell, server: EmbeddedServer, tmp_path: Path, command: list[str]) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/t.txt", "one\n")
    shell.commit("data", "one")
    shell("push")
    shell("untrack", "*.txt")
    shell.write("data/t.txt", "two\n")
    shell.commit("data", "two")
    shell(*command, "data/t.txt")
    shell("commit", "-m", "as it was")
    shell("push")
    assert (agrees(server, tmp_path, "data") / "t.txt").read_text() == "one\n"


def test_a_repository_without_rules_gets_none(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    work = tmp_path / "plain"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    (work / "t.txt").write_text("one\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "one")
    address = server.url.replace("http://", f"http://x:{server.admin_key}@") + "/plain"
    git(work, "push", "-q", address, "main")
    Shell(tmp_path)("clone", f"{server.url}/plain", "clone")
    clone = Shell(tmp_path / "clone")
    clone.write("t.txt", "two\n")
    clone.commit(".", "two")
    clone("push")
    assert (agrees(server, tmp_path, "plain") / "t.txt").read_text() == "two\n"
    clone.write("big.bin", b"b" * 100_000)
    clone("track", "*.bin")
    clone.commit(".", "three")
    assert clone("status", "-s").out == ""
    clone("push")
    stock = agrees(server, tmp_path, "plain")
    assert (stock / ".gitattributes").read_text() == "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    assert git(stock, "lfs", "ls-files", "-n").split() == ["big.bin"]


def test_a_rule_that_can_not_be_kept_changes_nothing(shell: Shell) -> None:
    shell.write("data/.gitattributes", "*.npy filter=lfs diff=lfs merge=lfs -text\n")
    shell.write("data/big.npy", b"\0" * (17 << 20))
    shell.commit("data", "one")
    assert "track" in shell("untrack", "*.npy", "--json", code=4).json["hint"]
    assert (shell.here / "data/.gitattributes").read_text() == "*.npy filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in ("", "!*.npy", "a\nb"):
        shell("track", pattern, code=2)


def test_a_link_named_as_rules_leads_nowhere(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("TOPSECRET\n")
    shell.write("data/a.bin", b"\0" * 100)
    (shell.here / "data/.gitattributes").symlink_to(tmp_path / "secret")
    shell("add", "data")
    shell("track", "*.bin", code=2)
    assert (shell.here / "data/.gitattributes").is_symlink()
    assert "TOPSECRET" not in shell("diff").out
    assert (tmp_path / "secret").read_text() == "TOPSECRET\n"
