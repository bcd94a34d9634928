"""A blob that rots on the server comes back from who has it: by `aimdvc push --restore`, by `git lfs push --all`."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, git

LARGE = b"\x07" * 1_500_000


def rot(directory: Path) -> str:
    """Turns a bit of the one blob that is a file; returns its oid."""
    blob = next(path for path in (directory / "blobs/files").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"\x08" + blob.read_bytes()[1:])
    return blob.name


def test_push_restore_gives_a_server_the_blobs_that_it_lost(
    server: EmbeddedServer, tmp_path: Path, shell: Shell
) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/large.bin", LARGE)
    shell.commit("data")
    shell.write("data/large.bin", b"1" * 20)
    shell.commit("data")
    shell("push")
    assert "nothing to push" in shell("push", "--restore").out
    machine = Shell(tmp_path / "server")
    oid = rot(machine.here)
    told = machine("server", "scrub", code=3).out
    assert f"damaged: admin/data: blob {oid}" in told and "push --restore" in told and told.endswith("all were read\n")
    assert "is gone" in machine("server", "verify", code=3).out
    # Nobody takes it for there: not who would have it, nor who would let go of a copy.
    Shell(tmp_path)("clone", f"{server.url}/data", "other")
    other = Shell(tmp_path / "other")
    assert oid in other("checkout", "@v1", code=-1).err
    shell("prune", "--remote", "origin")
    assert shell("cat", "data@v1:large.bin").raw == LARGE
    assert "nothing to push" in shell("push").out
    assert "blobs that neither the remote nor this store has: 1" in other("push", "--restore").err
    done = shell("push", "--restore", "--json").json["artifacts"][0]
    assert (done["healed"], done["healed_size"]) == (1, len(LARGE))
    assert "nothing to push" in shell("push", "--restore").out
    assert "all whole" in machine("server", "verify", "--data").out
    other("checkout", "@v1")
    assert (other.here / "large.bin").read_bytes() == LARGE


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_git_lfs_push_all_gives_it_back_too(server: EmbeddedServer, tmp_path: Path, shell: Shell) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/large.bin", LARGE)
    shell.commit("data")
    shell("push")
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(tmp_path, "clone", "-q", f"http://x:{server.admin_key}@{urlsplit(server.url).netloc}/data", "stock")
    assert (tmp_path / "stock/large.bin").read_bytes() == LARGE
    machine = Shell(tmp_path / "server")
    rot(machine.here)
    assert machine("server", "verify").code == 0
    assert "set aside" in machine("server", "verify", "--data", code=3).out
    git(tmp_path / "stock", "lfs", "push", "--all", "origin")
    assert "all whole" in machine("server", "verify", "--data").out
    assert "1 blob, 1.4 MiB; the next run goes on here" in machine("server", "scrub", "--limit", "1M").out
    assert "--rate is 0" in machine("server", "scrub", "--rate", "0", code=2).err


def test_a_backup_gives_a_server_in_use_the_blobs_that_it_lost(
    server: EmbeddedServer, tmp_path: Path, shell: Shell
) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/large.bin", LARGE)
    shell.commit("data")
    shell("push")
    machine = Shell(tmp_path / "server")
    machine("server", "backup", "../backup")
    shell.write("data/later", "2\n")
    shell.commit("data")
    shell("push")
    oid = rot(machine.here)
    assert "or from a backup" in machine("server", "scrub", code=3).out
    assert "Got back 1 blob, 1.4 MiB" in machine("server", "restore", "--lost", "../backup").out
    assert "all whole" in machine("server", "verify", "--data").out
    rot(machine.here)
    rot(tmp_path / "backup")
    machine("server", "scrub", code=3)
    assert f"damaged: admin/data: blob {oid}" in machine("server", "restore", "--lost", "../backup", code=3).out
    # What the backup lacks, too, is known after a restore.
    (tmp_path / "new").mkdir()
    told = Shell(tmp_path / "new")("server", "restore", "../backup", code=3).out
    assert told.count(f"blob {oid}: is gone") == 1
