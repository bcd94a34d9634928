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
    shell("ref", "add", "s3://bucket/raw.tar", "data:raw/all.tar", "--size", "1048576")
    shell("ref", "add", "https://example.org/x%20y.csv", "data:raw/x y.csv")
    shell("commit", "-m", "what lies elsewhere")
    shell("push")


def from_a_part(url: str, tmp_path: Path) -> None:
    """Adds, replaces and removes files in workspaces that have only a part, one of them only the newest version."""
    for place, options in (("part", ["--include", "small.bin"]), ("newest", ["--depth", "1", "--exclude", "*.bin"])):
        Shell(tmp_path)("clone", f"{url}/data", place, *options)
        part = Shell(tmp_path / place)
        assert not (part.here / "large.bin").exists()
        part.write("small.bin", f"from {place}".encode())
        part.write(f"added-in-{place}.bin", place.encode() * 20_000)
        part("add", "small.bin", f"added-in-{place}.bin")
        if place == "newest":
            part("rm", "run.sh")
            part("ref", "rm", "data:raw/all.tar")
        part("commit", "-m", f"from {place}")
        part("push")


def tagged_by_git(server: EmbeddedServer, tmp_path: Path) -> None:
    """Pushes a tag that is a git object of its own, and one that is none, of names that no version has."""
    git(tmp_path, "clone", "-q", f"{with_key(server)}/data.git", "tagging")
    git(tmp_path / "tagging", "tag", "-a", "-m", "As published", "paper/2026", "v3")
    git(tmp_path / "tagging", "tag", "plain", "v2")
    git(tmp_path / "tagging", "push", "-q", "origin", "paper/2026", "plain")


def git_objects(repository: Path) -> list[str]:
    """Returns id, kind and size of every git object, reachable or not."""
    return sorted(git(repository, "cat-file", "--batch-all-objects", "--batch-check").splitlines())


def test_everything_survives_a_mirror_by_stock_clients(
    shell: Shell, server: EmbeddedServer, home: Path, tmp_path: Path
) -> None:
    shell("remote", "add", "origin", server.url)
    everything(shell)
    from_a_part(server.url, tmp_path)
    git(tmp_path, "lfs", "install", "--skip-repo")
    tagged_by_git(server, tmp_path)
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
        git(tmp_path, "clone", "-q", "--mirror", target, "again.git")
        assert git_objects(mirror) == git_objects(tmp_path / "again.git")
        git(tmp_path / "again.git", "lfs", "fetch", "--all")
        blobs = [files_of(tmp_path / place / "lfs/objects") for place in ("mirror.git", "again.git")]
        assert blobs[0] == blobs[1] != {}
        assert git(mirror, "cat-file", "-t", "paper/2026").strip() == "tag"
        for place, one in (("from-first", server), ("from-second", second)):
            Shell(tmp_path)("clone", f"{one.url}/data", place)
            Shell(tmp_path / place)("fetch")
        first, other = Shell(tmp_path / "from-first"), Shell(tmp_path / "from-second")
        log = first("log", "data", "--json").json
        assert log == other("log", "data", "--json").json
        versions = [one["version"] for one in log["versions"]]
        assert versions[:3] == ["v8", "v7", "v6"]
        seen: set[str] = set()
        for revision in ("main", "production", "candidate", "origin/topic", *versions):
            for clone in (first, other):
                clone("checkout", f"data@{revision}")
            files = files_of(first.here)
            assert files == files_of(other.here) != {}
            seen |= files.keys()
            listed = [clone("ls", f"data@{revision}", "--json").json["entries"] for clone in (first, other)]
            for entry in (*listed[0], *listed[1]):
                del entry["is_here"]
            assert listed[0] == listed[1]
        assert {"added-in-part.bin", "added-in-newest.bin", "link", "empty", "odd \xe9\n.bin", "topic.bin"} <= seen
        for revision, keys in (("v6", {"raw/all.tar", "raw/x y.csv"}), ("v8", {"raw/x y.csv"})):
            found = other("ls", f"data@{revision}", "--json").json["entries"]
            assert {one["path"] for one in found if one["mode"] == "reference"} == keys
        assert other("fsck").code == 0
        for clone in (first, other):
            git(clone.here, "--git-dir", str(clone.here / ".aimdvc/repos/data.git"), "fsck", "--strict")


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
