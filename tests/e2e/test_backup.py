"""`aimdvc server backup` and `restore` at the command line: what comes back is what clients had pushed."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of, git


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_a_restored_server_gives_stock_clients_and_ours_the_same_bytes(
    server: EmbeddedServer, tmp_path: Path, shell: Shell
) -> None:
    shell("remote", "add", "origin", server.url)
    for number in range(3):
        shell.write("data/large.bin", bytes([number]) * 1_500_000)
        shell.write(f"data/f{number}", f"{number}\n")
        shell.write("data/README.md", f"version {number}\n")
        shell.commit("data")
    shell("alias", "set", "data@HEAD~1", "production")
    shell("push")
    machine = Shell(tmp_path / "server")
    place = str(tmp_path / "backup")
    done = machine("server", "backup", place, "--json").json
    assert (done["artifacts"], done["packs"], done["blobs"], done["damage"]) == (1, 1, 6, [])
    assert "Copied 1 artifact: 0 blobs and 0 git packs, 0 B, new to" in machine("server", "backup", place).out
    (tmp_path / "new").mkdir()
    new = Shell(tmp_path / "new")
    assert "Restored 1 artifact: 6 blobs and 1 git pack, 4.3 MiB, new" in new("server", "restore", place).out
    assert "is not empty: artifacts 1, users 1" in new("server", "restore", place, code=2).err
    with EmbeddedServer(tmp_path / "new") as restored:
        Shell(tmp_path)("login", restored.url, typed=server.admin_key or "")
        Shell(tmp_path)("clone", f"{restored.url}/data", "ours")
        assert files_of(tmp_path / "ours") == files_of(shell.here / "data")
        shell("remote", "set-url", "origin", restored.url)
        assert "nothing to push" in shell("push").out
        assert "up to date" in shell("pull").out
        parts = urlsplit(restored.url)
        git(tmp_path, "lfs", "install", "--skip-repo")
        git(tmp_path, "clone", "-q", f"http://x:{server.admin_key}@{parts.netloc}/data", "stock")
    assert (tmp_path / "stock/large.bin").read_bytes() == (shell.here / "data/large.bin").read_bytes()
    assert git(tmp_path / "stock", "tag").split() == ["v1", "v2", "v3"]
    subprocess.run(["git", "fsck", "--strict"], cwd=tmp_path / "stock", check=True, capture_output=True)


def test_backups_while_two_workspaces_push_are_whole(server: EmbeddedServer, tmp_path: Path) -> None:
    def work(name: str) -> None:
        shell = Shell(tmp_path / name)
        shell.here.mkdir()
        for command in (["init"], ["remote", "add", "origin", server.url]):
            assert run(shell.here, *command) == (0, "")
        for number in range(2):
            shell.write(f"{name}/f", bytes([number]) * 200_000)
            shell.write(f"{name}/g", f"{number}")
            for command in (["add", name], ["commit", "-m", "m"], ["push"]):
                assert run(shell.here, *command) == (0, "")

    with ThreadPoolExecutor(2) as pool:
        pushing = [pool.submit(work, name) for name in ("one", "two")]
        taken = 0
        while not all(one.done() for one in pushing):
            assert run(tmp_path / "server", "server", "backup", "../backup") == (0, "")
            assert run(tmp_path / "backup", "server", "verify", "--data") == (0, "")
            taken += 1
        for one in pushing:
            one.result()
    assert taken
    machine = Shell(tmp_path / "server")
    machine("server", "backup", "../backup")
    told = Shell(tmp_path / "backup")("server", "verify", "--data", "--json").json
    assert (told["artifacts"], told["refs"], told["damage"]) == (2, 6, [])


def run(here: Path, *arguments: str) -> tuple[int, str]:
    """Runs a process of the command line; returns its exit code, and what it printed where that is not 0."""
    done = subprocess.run([sys.executable, "-m", "aimdvc", *arguments], cwd=here, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr if done.returncode else ""


def test_what_a_backup_could_not_copy_ends_in_3(server: EmbeddedServer, tmp_path: Path, shell: Shell) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/large.bin", b"1" * 100_000)
    shell.commit("data")
    shell("push")
    blob = next(path for path in (tmp_path / "server/blobs/files").rglob("*") if path.is_file())
    blob.chmod(0o600)
    blob.write_bytes(b"2" * 100_000)
    told = Shell(tmp_path / "server")("server", "backup", "../backup", code=3).out
    assert told.startswith(f"damaged: admin/data: blob {blob.name}: 100000 bytes with another hash\n")
    assert "no server is kept in" in Shell(tmp_path)("server", "backup", "x", code=2).err
    assert "no server is kept in" in Shell(tmp_path / "home")("server", "restore", "x", code=2).err


def test_what_a_server_lost_comes_back_from_a_backup(server: EmbeddedServer, tmp_path: Path, shell: Shell) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/large.bin", b"1" * 100_000)
    shell.commit("data")
    shell("push")
    machine = Shell(tmp_path / "server")
    machine("server", "backup", "../backup")
    for blob in (path for path in (tmp_path / "server/blobs/files").rglob("*") if path.is_file()):
        blob.unlink()
    machine("server", "verify", code=3)
    told = machine("server", "restore", "../backup", "--lost").out
    assert told == f"Got back 1 blob, 97.7 KiB, from '{tmp_path}/server/../backup'\n"
    machine("server", "verify", "--data")
