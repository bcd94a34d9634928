"""What aimdvc pushes, stock git and git-lfs read; what they push, aimdvc pulls. Over HTTP and from a folder."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.buckets import BucketServer
from tests.postgres import Postgres
from tests.shell import Shell, files_of, git

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)


@pytest.fixture
def bucket_server(tmp_path: Path, home: Path, postgres: Postgres, nanio: BucketServer) -> Iterator[EmbeddedServer]:
    """A server over PostgreSQL and S3, whose key is stored."""
    with EmbeddedServer(tmp_path / "server", database_url=postgres.database(), storage_url=nanio.bucket()) as running:
        Shell(home)("login", running.url, typed=running.admin_key or "")
        yield running


@pytest.fixture(params=["server", "bucket_server", "folder"])
def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The remote's URL for aimdvc, and for git."""
    if request.param == "folder":
        place = tmp_path / "remote"
        place.mkdir()
        return str(place), place.as_uri()
    server = request.getfixturevalue(request.param)
    assert isinstance(server, EmbeddedServer)
    return server.url, server.url.replace("http://", f"http://any:{server.admin_key}@")


def seen_by_git(root: Path) -> dict[str, bytes]:
    return {path: content for path, content in files_of(root).items() if not path.startswith((".aimd/", ".gitattr"))}


def test_stock_clients_agree(shell: Shell, addresses: tuple[str, str], tmp_path: Path) -> None:
    ours, theirs = addresses
    source = random.Random(3)
    for number in range(150):
        shell.write(f"data/d{number % 7}/f{number}.bin", source.randbytes(300 + number))
    shell.write("data/large.bin", source.randbytes(3 << 20))
    shell.write("data/empty", "")
    shell.write("data/notes.md", "# Notes\n")
    shell.write("data/run.sh", "#!/bin/sh\n").chmod(0o755)
    (shell.here / "data/link").symlink_to("notes.md")
    shell("remote", "add", "origin", ours)
    shell.commit("data", "first")
    shell("push")
    git(tmp_path, "lfs", "install", "--skip-repo")
    clone = tmp_path / "stock"
    for address in (f"{theirs}/data.git", f"{theirs}/data") if ours.startswith("http") else (f"{theirs}/data.git",):
        shutil.rmtree(clone, ignore_errors=True)
        git(tmp_path, "clone", "-q", address, "stock")
        git(clone, "lfs", "pull")
        assert seen_by_git(clone) == files_of(shell.here / "data")
        assert os.access(clone / "run.sh", os.X_OK)
        assert git(clone, "status", "--porcelain") == ""
        git(clone, "fsck", "--strict")
        assert "OK" in git(clone, "lfs", "fsck")
        assert git(clone, "tag").split() == ["v1"]
    (clone / "large.bin").write_bytes(source.randbytes(2 << 20))
    (clone / "d0/new.bin").write_bytes(b"new")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "by stock git")
    git(clone, "push", "-q", "origin", "HEAD")
    shell("pull")
    assert files_of(shell.here / "data") == seen_by_git(clone)
    assert "by stock git" in shell("log", "-n", "1").out
    assert shell("status", "-s").out == ""
    if ours.startswith("http"):
        assert shell("log", "-n", "1", "--json").json["versions"][0]["version"] == "v2"
    shell.write("data/after", "a")
    shell.commit("data", "after")
    shell("push")
    git(clone, "pull", "-q")
    assert (clone / "after").read_bytes() == b"a"


def test_a_repository_of_stock_git_is_cloned(tmp_path: Path, server: EmbeddedServer) -> None:
    work = tmp_path / "stock"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    git(work, "lfs", "install", "--local")
    git(work, "lfs", "track", "*.bin")
    (work / "a.bin").write_bytes(b"a" * 100_000)
    (work / "readme.txt").write_text("text\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "first")
    git(work, "remote", "add", "origin", server.url.replace("http://", f"http://x:{server.admin_key}@") + "/made")
    git(work, "push", "-q", "origin", "main")
    Shell(tmp_path)("clone", f"{server.url}/made", "clone")
    clone = Shell(tmp_path / "clone")
    assert files_of(clone.here) == files_of(work)
    assert clone("status", "-s").out == ""
    clone.write("b.bin", b"b" * 70_000)
    clone.write("c.dat", b"\0not tracked by lfs")
    clone.commit(".", "second")
    clone("push")
    git(work, "pull", "-q", "origin", "main")
    assert (work / "b.bin").read_bytes() == b"b" * 70_000
    assert git(work, "lfs", "ls-files", "-n").split() == ["a.bin", "b.bin"]
    assert git(work, "status", "--porcelain") == ""
