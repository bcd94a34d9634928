"""A remote that went back, as after a restore from an older backup: noticed, and given back on request."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of, git


class Remote:
    """A remote whose directory is saved and put back while it is stopped."""

    def __init__(self, place: Path, home: Path, is_server: bool) -> None:
        self._place = place
        self._home = home
        self._is_server = is_server
        self._server: EmbeddedServer | None = None
        self._key = ""
        place.mkdir()
        self.start()

    def start(self) -> None:
        if self._is_server:
            self._server = EmbeddedServer(self._place)
            self._key = self._server.admin_key or self._key
            Shell(self._home)("login", self.url, typed=self._key)

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def url(self) -> str:
        return self._server.url if self._server is not None else str(self._place)

    def save(self) -> None:
        self.stop()
        shutil.copytree(self._place, self._place.with_name("backup"))
        self.start()

    def restore(self) -> None:
        self.stop()
        shutil.rmtree(self._place)
        shutil.copytree(self._place.with_name("backup"), self._place)
        self.start()


@pytest.fixture(params=["server", "folder"])
def remote(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Remote]:
    made = Remote(tmp_path / "remote", home, request.param == "server")
    yield made
    made.stop()


def follow(shell: Shell, remote: Remote) -> None:
    """The port of a server that was started again is another one."""
    shell("remote", "set-url", "origin", remote.url)


def versions(shell: Shell) -> list[str]:
    return [one["version"] for one in shell("log", "--json").json["versions"]]


def publish(shell: Shell, content: str) -> None:
    shell.write("data/a.bin", content)
    shell.commit("data", content)
    shell("push")


@pytest.fixture
def behind(shell: Shell, remote: Remote) -> Shell:
    """A workspace that published v1 to v4, and one commit more, at a remote that went back to v2."""
    shell("remote", "add", "origin", remote.url)
    publish(shell, "one")
    shell("alias", "set", "data@HEAD", "production")
    publish(shell, "two")
    remote.save()
    follow(shell, remote)
    publish(shell, "three")
    shell("alias", "set", "data@HEAD", "production")
    shell("alias", "set", "data@v1", "first")
    publish(shell, "four")
    shell.write("data/a.bin", "five")
    shell.commit("data", "five")
    remote.restore()
    follow(shell, remote)
    return shell


def refs(shell: Shell) -> str:
    return git(shell.here / ".aimdvc/repos/data.git", "for-each-ref", "refs/heads", "refs/tags", "refs/aliases")


@pytest.mark.parametrize("verb", ["fetch", "pull", "push"])
def test_each_verb_notices_it_and_keeps_what_is_here(behind: Shell, verb: str) -> None:
    before, files = refs(behind), files_of(behind.here)
    assert behind("status", "--json").json["artifacts"][0]["has_remote_gone_back"] is False
    done = behind(verb, "--json", code=5).json
    assert done["error"] == "remote-went-back"
    assert "lacks v3, v4, which the remote had: it went back, or is another one; all is kept here" in done["message"]
    assert "`aimdvc push --restore data`" in done["hint"]
    assert (refs(behind), files_of(behind.here)) == (before, files)
    assert "origin went back when last asked: `aimdvc push --restore`" in behind("status").out
    assert versions(behind) == ["v5?", "v4", "v3", "v2", "v1"]
    behind(verb, code=5)


def test_restore_gives_it_back_under_the_same_numbers(behind: Shell, remote: Remote, tmp_path: Path) -> None:
    behind("fetch", code=5)
    done = behind("push", "--restore", "--json").json["artifacts"][0]
    assert done["versions"] == ["v3", "v4", "v5"]
    assert sorted(done["aliases"]) == ["first", "production"]
    assert "went back" not in behind("status").out
    assert behind("push").out == "data: nothing to push\n"
    assert "nothing to push" in behind("push", "--restore").out
    Shell(tmp_path)("clone", f"{remote.url}/data", "clone")
    clone = Shell(tmp_path / "clone")
    assert files_of(clone.here) == {"a.bin": b"five"}
    assert versions(clone) == ["v5", "v4", "v3", "v2", "v1"]
    assert refs(clone) == refs(behind)


def test_restore_gives_back_what_was_seen_where_main_here_is_behind_that(behind: Shell, remote: Remote) -> None:
    behind("checkout", "data@v4")
    git(behind.here / ".aimdvc/repos/data.git", "update-ref", "refs/heads/main", "refs/tags/v1")
    assert behind("push", "--restore", "--json").json["artifacts"][0]["versions"] == ["v3", "v4"]
    ours, first = git(behind.here / ".aimdvc/repos/data.git", "rev-parse", "refs/heads/main", "v1").split()
    assert ours == first


def test_one_without_the_blobs_restores_nothing(behind: Shell, remote: Remote, tmp_path: Path) -> None:
    Shell(tmp_path)("clone", f"{remote.url}/data", "clone")
    clone = Shell(tmp_path / "clone")
    behind("push", "--restore")
    clone("fetch")
    remote.restore()
    follow(clone, remote)
    clone("pull", code=5)
    assert clone("push", "--restore", "--json", code=3).json["error"] == "missing-blob"
    clone("fetch", code=5)


def test_force_follows_it_and_what_it_lost_is_unpublished(behind: Shell) -> None:
    behind("fetch", code=5)
    behind("fetch", "--force")
    assert versions(behind) == ["v5?", "v4?", "v3?", "v2", "v1"]
    assert "3 ahead of the remote" in behind("status").out
    assert behind("push", "--json").json["artifacts"][0]["versions"] == ["v3", "v4", "v5"]


def test_others_who_pushed_since_are_not_overwritten(behind: Shell, remote: Remote, tmp_path: Path) -> None:
    Shell(tmp_path)("clone", f"{remote.url}/data", "clone")
    clone = Shell(tmp_path / "clone")
    clone.write("b.bin", "theirs")
    clone.commit(".", "theirs")
    clone("push")
    behind("fetch", code=5)
    failed = behind("push", "--restore", "--json", code=5).json
    assert failed["error"] == "ref-moved"
    assert "`aimdvc fetch --force data`" in failed["hint"]
    behind("fetch", "--force")
    behind("pull")
    behind("push")
    assert versions(behind)[0] == "v4"
    clone("pull")
    assert files_of(clone.here) == {"a.bin": b"five", "b.bin": b"theirs"}
    assert versions(clone) == versions(behind)


def test_a_force_push_that_leaves_the_versions_is_followed(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "remote"
    place.mkdir()
    shell("remote", "add", "origin", str(place))
    for content in ("one", "two"):
        publish(shell, content)
    bare = place / "data.git"
    git(bare, "update-ref", "refs/heads/main", "refs/tags/v1")
    shell("fetch")
    assert "1 ahead of the remote" in shell("status").out
    tree = git(bare, "rev-parse", "main^{tree}").strip()
    made = git(bare, "commit-tree", tree, "-m", "rewritten").strip()
    git(bare, "update-ref", "refs/heads/main", made)
    shell("fetch")
    assert "1 behind" in shell("status").out


def test_without_versions_a_main_behind_what_was_seen_went_back(tmp_path: Path) -> None:
    bare = tmp_path / "remote/data.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    tree = git(bare, "mktree", "--batch").strip() or "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    one = git(bare, "commit-tree", tree, "-m", "one").strip()
    two = git(bare, "commit-tree", tree, "-m", "two", "-p", one).strip()
    git(bare, "update-ref", "refs/heads/main", two)
    Shell(tmp_path)("clone", f"{bare.parent}/data", "clone")
    clone = Shell(tmp_path / "clone")
    git(bare, "update-ref", "refs/heads/main", one)
    assert "lacks commits of main, which" in clone("pull", code=5).err
    clone("push", "--restore")
    assert git(bare, "rev-parse", "main").strip() == two
