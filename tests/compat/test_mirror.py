"""A history with everything in it survives stock clients: mirrored from one server, pushed to an empty second one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of, git

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)


def with_key(server: EmbeddedServer) -> str:
    return server.url.replace("http://", f"http://any:{server.admin_key}@")


def everything(shell: Shell) -> None:
    """Makes and pushes two branches, a merge of them, a revert, aliases that moved, and odd files."""
    shell.write("data/large.bin", b"1" * 200_000)
    shell.write("data/small.bin", b"one")
    shell.write("data/notes.md", "# Notes\n")
    shell.write("data/empty", "")
    shell.write("data/run.sh", "#!/bin/sh\n").chmod(0o755)
    shell.write("data/odd \xe9\n.bin", b"odd")
    (shell.here / "data/link").symlink_to("notes.md")
    shell.commit("data", "first")
    shell("alias", "set", "data@HEAD", "production")
    shell("push")
    shell("switch", "-c", "topic")
    shell.write("data/topic.bin", b"topic" * 30_000)
    shell.commit("data", "on topic")
    shell("push")
    shell("switch", "main")
    shell.write("data/small.bin", b"two")
    shell.write("data/large.bin", b"2" * 200_000)
    shell.commit("data", "second")
    shell("merge", "topic")
    shell("meta", "set", "data", "description", "Everything")
    shell("commit", "-m", "described")
    shell("revert", "HEAD~2")
    shell("alias", "set", "data@HEAD", "production")
    shell("alias", "set", "data@HEAD~1", "candidate")
    shell("push")


def test_everything_survives_a_mirror_by_stock_clients(
    shell: Shell, server: EmbeddedServer, home: Path, tmp_path: Path
) -> None:
    shell("remote", "add", "origin", server.url)
    everything(shell)
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(tmp_path, "clone", "-q", "--mirror", f"{with_key(server)}/data.git", "mirror.git")
    mirror = tmp_path / "mirror.git"
    git(mirror, "lfs", "fetch", "--all")
    git(mirror, "fsck", "--strict")
    with EmbeddedServer(tmp_path / "second") as second:
        Shell(home)("login", second.url, typed=second.admin_key or "")
        target = f"{with_key(second)}/data.git"
        git(mirror, "lfs", "push", "--all", target)
        git(mirror, "push", "-q", "--mirror", target)
        assert git(tmp_path, "ls-remote", target) == git(tmp_path, "ls-remote", f"{with_key(server)}/data.git")
        for place, one in (("from-first", server), ("from-second", second)):
            Shell(tmp_path)("clone", f"{one.url}/data", place)
            Shell(tmp_path / place)("fetch")
        first, other = Shell(tmp_path / "from-first"), Shell(tmp_path / "from-second")
        for revision in ("main", "production", "candidate", "origin/topic", "v1", "v2"):
            for clone in (first, other):
                clone("checkout", f"data@{revision}")
            assert files_of(first.here) == files_of(other.here) != {}
        assert first("log", "data", "--json").json == other("log", "data", "--json").json
        assert other("fsck").code == 0


def test_a_mirror_that_lacks_blobs_is_refused(shell: Shell, server: EmbeddedServer, home: Path, tmp_path: Path) -> None:
    shell("remote", "add", "origin", server.url)
    everything(shell)
    git(tmp_path, "clone", "-q", "--mirror", f"{with_key(server)}/data.git", "mirror.git")
    with EmbeddedServer(tmp_path / "second") as second:
        target = f"{with_key(second)}/data.git"
        done = subprocess.run(
            ["git", "push", "-q", "--mirror", "--no-verify", target],
            cwd=tmp_path / "mirror.git",
            capture_output=True,
            text=True,
        )
        assert done.returncode != 0
        assert "blob" in done.stderr
