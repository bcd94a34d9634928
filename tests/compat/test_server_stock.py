"""Stock git and git-lfs as clients of our server, over granian and cheroot."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)


@pytest.fixture(params=["granian", "cheroot", "granian-postgresql-s3"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    backend, *others = request.param.split("-")
    url = request.getfixturevalue("postgres").with_tables() if others else None
    bucket = request.getfixturevalue("nanio").bucket() if others else None
    start: StartBackend = GranianBackend if backend == "granian" else CherootBackend
    with EmbeddedServer(tmp_path / "srv", backend=start, database_url=url, storage_url=bucket) as running:
        yield running


class Stock:
    """A stock clone, in a home of its own."""

    def __init__(self, home: Path, server: EmbeddedServer) -> None:
        home.mkdir()
        self.home = home
        self.path = home / "work"
        self.url = server.url.replace("http://", f"http://any:{server.admin_key}@")

    def git(self, *arguments: str, fails: bool = False, cwd: Path | None = None) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
        done = subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *arguments],
            cwd=cwd or (self.path if self.path.exists() else self.home),
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, artifact: str) -> "Stock":
        self.git("init", "-q", str(self.path))
        self.git("lfs", "install", "--local")
        self.git("lfs", "track", "*.bin")
        self.git("remote", "add", "origin", f"{self.url}/{artifact}")
        return self

    def clone(self, artifact: str) -> "Stock":
        self.git("lfs", "install", "--skip-repo")
        self.git("clone", "-q", f"{self.url}/{artifact}", str(self.path))
        return self

    def commit(self, **files: bytes) -> str:
        for name, content in files.items():
            (self.path / name.replace("_", ".")).write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "m")
        return self.git("rev-parse", "HEAD").strip()


def _files(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and ".git" not in file.relative_to(path).parts
    }


@pytest.mark.parametrize("suffix", ["", ".git"])
def test_a_clone_gives_the_same_bytes_and_is_clean(server: EmbeddedServer, tmp_path: Path, suffix: str) -> None:
    one = Stock(tmp_path / "one", server).start(f"sets/mnist{suffix}")
    commit = one.commit(big_bin=random.Random(1).randbytes(3_000_000), empty_bin=b"", small_bin=b"s", readme_md=b"hi\n")
    assert "v1 is" in one.git("push", "origin", "main")
    two = Stock(tmp_path / "two", server).clone(f"sets/mnist{suffix}")
    assert _files(two.path) == _files(one.path)
    assert two.git("status", "--porcelain") == ""
    assert two.git("fsck", "--strict") == ""
    assert "OK" in two.git("lfs", "fsck")
    assert two.git("rev-parse", "v1").strip() == commit


def test_pushes_after_the_first_go_both_ways_and_are_numbered(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"1", text_txt=b"line\n" * 4000)
    one.git("push", "origin", "main")
    two = Stock(tmp_path / "two", server).clone("a")
    for number in range(3):
        two.commit(a_bin=b"%d" % number, text_txt=b"line\n" * 4000 + b"%d\n" % number)
    two.git("push", "origin", "main")
    one.git("pull", "-q", "--tags", "origin", "main")
    assert _files(one.path) == _files(two.path)
    assert one.git("tag").split() == ["v1", "v2", "v3", "v4"]
    three = Stock(tmp_path / "three", server).clone("a")
    assert three.git("fsck", "--strict") == ""
    shallow = Stock(tmp_path / "shallow", server)
    shallow.git("clone", "-q", "--depth=1", f"{shallow.url}/a", str(shallow.path))
    assert len(shallow.git("log", "--format=%h").split()) == 1
    shallow.git("fetch", "-q", "--unshallow")
    assert len(shallow.git("log", "--format=%h").split()) == 4


def test_a_shallow_clone_deepens_pulls_and_pushes(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    for number in range(10):
        one.commit(a_bin=b"%d" % number, text_txt=b"line\n" * 4000 + b"%d\n" % number)
    one.git("tag", "-a", "-m", "annotated", "five", "HEAD~5")
    one.git("push", "-q", "--follow-tags", "origin", "main")
    two = Stock(tmp_path / "two", server)
    two.git("clone", "-q", "--depth=2", f"{two.url}/a", str(two.path))

    def count() -> int:
        assert two.git("fsck", "--strict", "--no-dangling") == ""
        return len(two.git("log", "--format=%h", "origin/main").split())

    assert count() == 2
    two.git("fetch", "-q", "--no-tags", "--deepen=2")
    assert count() == 4
    two.git("fetch", "-q", "--no-tags", "--depth=6")
    assert count() == 6
    one.commit(a_bin=b"new")
    one.git("push", "-q", "origin", "main")
    two.git("pull", "-q", "--ff-only")
    assert count() == 7
    two.commit(a_bin=b"from a shallow clone")
    two.git("push", "-q", "origin", "HEAD:main")
    one.git("pull", "-q", "origin", "main")
    assert _files(one.path) == _files(two.path)
    three = Stock(tmp_path / "three", server)
    three.git("lfs", "install", "--skip-repo")
    three.git("clone", "-q", "--depth=1", "--branch=v3", f"{two.url}/a", str(three.path))
    assert (three.path / "a.bin").read_bytes() == b"2"
    three.git("fetch", "-q", "--depth=1", "origin", "tag", "five")
    assert three.git("cat-file", "-t", "five").strip() == "tag"
    assert three.git("fsck", "--strict", "--no-dangling") == ""
    two.git("fetch", "-q", "--unshallow")
    assert count() == 12
    assert two.git("rev-parse", "--is-shallow-repository").strip() == "false"


def test_a_fetch_after_a_fetch_brings_only_what_is_new(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    for number in range(40):
        one.commit(a_bin=b"%d" % number)
    one.git("push", "-q", "origin", "main")
    two = Stock(tmp_path / "two", server).clone("a")
    for number in range(30):
        two.commit(b_bin=b"local %d" % number)
    one.commit(c_bin=b"new")
    one.git("push", "-q", "origin", "main")
    before = set(two.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    trace = two.git("-c", "fetch.unpackLimit=1", "fetch", "-v", "origin")
    after = set(two.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    assert len(after - before) == 3, trace
    assert two.git("fsck", "--strict") == ""


def test_150_blobs_go_in_one_push(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(**{f"f{number}_bin": b"%d" % number * 9 for number in range(150)})
    one.git("push", "origin", "main")
    assert _files(Stock(tmp_path / "two", server).clone("a").path) == _files(one.path)


def test_a_push_over_1_mib_comes_chunked(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(noise_dat=random.Random(2).randbytes(2_500_000))
    one.git("push", "origin", "main")
    assert _files(Stock(tmp_path / "two", server).clone("a").path) == _files(one.path)


def test_a_fetch_with_a_long_history_comes_gzipped(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"1")
    for number in range(60):
        one.git("commit", "-q", "--allow-empty", "-m", f"c{number}")
    one.git("push", "origin", "main")
    two = Stock(tmp_path / "two", server).clone("a")
    for number in range(60):
        two.git("commit", "-q", "--allow-empty", "-m", f"local{number}")
    one.commit(b_bin=b"2")
    one.git("push", "origin", "main")
    two.git("fetch", "-q", "origin")
    assert two.git("rev-parse", "origin/main") == one.git("rev-parse", "main")
    assert two.git("fsck", "--strict") == ""


def test_the_loser_of_a_race_is_told_to_fetch_first(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"1")
    one.git("push", "origin", "main")
    two = Stock(tmp_path / "two", server).clone("a")
    one.commit(a_bin=b"2")
    two.commit(a_bin=b"3")
    # The other side wins between this push's advertisement and its POST: the hook runs just there.
    hook = two.path / ".git" / "hooks" / "pre-push"
    hook.write_text(f"#!/bin/sh\nunset GIT_DIR\ngit lfs pre-push \"$@\" && git -C '{one.path}' push -q origin main\n")
    hook.chmod(0o755)
    told = two.git("push", "--atomic", "origin", "main", "HEAD:refs/aliases/mine", fails=True)
    assert "fetch first" in told
    assert "refs/aliases/mine" not in two.git("ls-remote", "origin")
    hook.unlink()
    two.git("pull", "-q", "--no-rebase", "-X", "ours", "origin", "main")
    two.git("push", "origin", "main")
    assert "refs/tags/v4" in two.git("ls-remote", "origin")


def test_a_push_without_its_blobs_is_refused_by_name(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"content")
    told = one.git("-c", "core.hooksPath=/dev/null", "push", "origin", "main", fails=True)
    assert "1 blobs are missing" in told
    assert "remote: missing blob ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73" in told
    assert one.git("ls-remote", "origin") == ""
    one.git("push", "origin", "main")


def test_aliases_and_versions_follow_the_rules(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"1")
    one.git("push", "--atomic", "origin", "main", "HEAD:refs/aliases/production")
    assert "refs/aliases/production" in one.git("ls-remote", "origin")
    assert "push to refs/aliases/" in one.git("push", "origin", "HEAD:refs/heads/aliases/x", fails=True)
    one.commit(a_bin=b"2")
    assert "versions are immutable" in one.git("push", "-f", "origin", "HEAD:refs/tags/v1", fails=True)
    one.git("commit", "-q", "--amend", "-m", "other")
    one.git("push", "origin", "main")
    one.git("commit", "-q", "--amend", "-m", "another")
    assert "non-fast-forward" in one.git("push", "-f", "origin", "main", fails=True)
    one.git("push", "-f", "origin", "HEAD:refs/heads/try")
    one.git("push", "origin", ":refs/heads/try", ":refs/aliases/production")
    one.git("tag", "-a", "-m", "annotated", "release")
    assert "main" not in one.git("push", "origin", "release")
    two = Stock(tmp_path / "two", server).clone("a")
    assert two.git("cat-file", "-t", "release").strip() == "tag"
    assert two.git("fsck", "--strict") == ""


def test_a_wrong_key_and_a_reader_are_turned_away(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"1")
    one.git("push", "origin", "main")
    reader = server.site.accounts.add_user("reader")
    key = server.site.accounts.add_key(reader, "read")
    wrong = server.url.replace("http://", "http://any:wrong@")
    assert "Authentication failed" in one.git("ls-remote", f"{wrong}/a", fails=True)
    other = server.url.replace("http://", f"http://any:{key}@")
    assert "not found" in one.git("ls-remote", f"{other}/admin/a", fails=True)
    assert "not found" in one.git("push", f"{other}/b", "main", fails=True)


def test_fetching_aliases_into_a_stock_clone_works(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    commit = one.commit(a_bin=b"1")
    one.git("push", "origin", "main", "HEAD:refs/aliases/best")
    two = Stock(tmp_path / "two", server).clone("a")
    two.git("fetch", "-q", "origin", "+refs/aliases/*:refs/aliases/*")
    assert two.git("rev-parse", "aliases/best").strip() == commit
    mirror = Stock(tmp_path / "mirror", server)
    mirror.git("clone", "-q", "--mirror", f"{mirror.url}/a", str(mirror.path))
    assert mirror.git("rev-parse", "refs/aliases/best").strip() == commit


def test_stock_locks_hold_off_the_pushes_of_others(server: EmbeddedServer, tmp_path: Path) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.commit(a_bin=b"1", b_bin=b"1")
    one.git("push", "-q", "origin", "main")
    accounts = server.site.accounts
    key = accounts.add_key(accounts.add_user("bob"))
    admin = accounts.caller(server.admin_key or "")
    assert admin is not None
    server.site.folders.share(admin, "admin/a", "user", "bob", "edit")
    two = Stock(tmp_path / "two", server)
    two.url = server.url.replace("http://", f"http://any:{key}@")
    two.clone("admin/a")
    assert "Locked a.bin" in one.git("lfs", "lock", "a.bin")
    assert "a.bin\tadmin\t" in two.git("lfs", "locks")
    assert "already" in two.git("lfs", "lock", "a.bin", fails=True)
    two.commit(a_bin=b"2")
    assert "'a.bin' is locked by admin" in two.git("push", "origin", "main", fails=True)
    two.git("config", "lfs.locksverify", "true")
    assert "a.bin" in two.git("push", "origin", "main", fails=True)
    assert "admin's" in two.git("lfs", "unlock", "a.bin", fails=True)
    one.git("lfs", "unlock", "a.bin")
    assert one.git("lfs", "locks") == ""
    two.git("push", "-q", "origin", "main")
