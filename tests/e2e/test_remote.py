"""Push, clone, pull and get, against a real server over a real port, and against a folder."""

import shutil
import subprocess
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of, git

SERVERS = ["server", "folder", "file-url"]


@pytest.fixture(params=SERVERS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of each kind of remote."""
    if request.param == "server":
        server = request.getfixturevalue("server")
        assert isinstance(server, EmbeddedServer)
        return server.url
    place = tmp_path / "folder remote"
    place.mkdir()
    return str(place) if request.param == "folder" else place.as_uri()


@pytest.fixture
def pushed(shell: Shell, remote: str) -> Shell:
    """A workspace whose two versions were pushed."""
    shell("remote", "add", "origin", remote)
    shell.write("data/small.txt", "one\n")
    shell.write("data/large.bin", b"0123456789abcdef" * 20_000)
    shell.write("data/empty", "")
    shell.write("data/deep/x", b"\0\xff")
    shell.commit("data", "one")
    shell.write("data/small.txt", "one\ntwo\n")
    shell.commit("data", "two")
    shell("alias", "set", "data@HEAD~1", "production")
    done = shell("push", "--json").json["artifacts"][0]
    assert done["versions"] == ["v1", "v2"]
    assert done["aliases"] == ["production"]
    return shell


def clone(tmp_path: Path, address: str, name: str = "clone") -> Shell:
    Shell(tmp_path)("clone", address, name)
    return Shell(tmp_path / name)


def test_push_then_clone_gives_the_same_bytes(pushed: Shell, remote: str, tmp_path: Path) -> None:
    assert "nothing to push" in pushed("push").out
    other = clone(tmp_path, f"{remote}/data")
    assert files_of(other.here) == files_of(pushed.here / "data")
    assert [entry["version"] for entry in other("log", "--json").json["versions"]] == ["v2", "v1"]
    assert "clean" in other("status").out
    assert "up to date" in other("pull").out
    assert other("fsck").code == 0


def test_clone_of_a_version_or_alias_and_get(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data@production")
    assert (other.here / "small.txt").read_text() == "one\n"
    Shell(tmp_path)("get", f"{remote}/data@v2", "--out", "files")
    assert files_of(tmp_path / "files") == files_of(pushed.here / "data")
    assert not (tmp_path / "files/.aimdvc").exists()
    Shell(tmp_path)("get", f"{remote}/data@v9", "--out", "none", code=2)
    Shell(tmp_path)("clone", f"{remote}/data", "files", code=2)


def test_clone_inside_of_a_workspace_pins_it(pushed: Shell, remote: str, tmp_path: Path) -> None:
    place = tmp_path / "project"
    place.mkdir()
    project = Shell(place)
    project("init")
    project("clone", f"{remote}/data@v1", "inputs/scenes")
    assert files_of(place)["inputs/scenes/small.txt"] == b"one\n"
    lock = (place / "aimdvc.lock").read_text()
    assert "path = inputs/scenes" in lock
    assert project("remote", "list", "--json").json["remotes"]["origin"] == remote


def test_after_a_clone_of_the_code_pull_alone_gives_what_the_lock_says(
    pushed: Shell, remote: str, tmp_path: Path
) -> None:
    pushed.write("net.bin", b"weights" * 20_000)
    pushed.commit("net.bin", "net")
    pushed("push")
    pushed("checkout", "data@v1")
    subprocess.run(["git", "init", "-q"], cwd=pushed.here, check=True)
    pushed("init")
    for arguments in (["add", "-A"], ["commit", "-qm", "code"]):
        subprocess.run(["git", *arguments], cwd=pushed.here, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=pushed.here, check=True, capture_output=True, text=True).stdout
    assert listed.split() == [".aimdvc/.gitignore", ".aimdvc/config", ".gitignore", "aimdvc.lock"]
    code = tmp_path / "code"
    subprocess.run(["git", "clone", "-q", str(pushed.here), str(code)], check=True)
    shell = Shell(code)
    shell("pull")
    assert (code / "data/small.txt").read_text() == "one\n"
    assert (code / "net.bin").read_bytes() == b"weights" * 20_000
    assert "Everything is as" in shell("checkout").out
    assert shell("status", "-s").out == ""


def test_a_first_pull_that_was_cut_after_its_fetch_is_on_main_in_the_end(
    pushed: Shell, remote: str, tmp_path: Path
) -> None:
    git(pushed.here, "init", "-q")
    pushed("init")
    git(pushed.here, "add", "-A")
    git(pushed.here, "commit", "-qm", "code")
    code = tmp_path / "code"
    git(tmp_path, "clone", "-q", str(pushed.here), str(code))
    shell = Shell(code)
    shell("init")
    store = code / ".git/aimdvc"
    # What a pull leaves that was cut right after its fetch: all but main and the files.
    pulled = Shell(tmp_path / "pulled")
    git(tmp_path, "clone", "-q", str(pushed.here), str(pulled.here))
    pulled("pull")
    shutil.copytree(pulled.here / ".git/aimdvc/repos", store / "repos", dirs_exist_ok=True)
    (store / "repos/data.git/refs/heads/main").unlink()
    shell("pull")
    assert shell("status", "--json").json["artifacts"][0]["branch"] == "refs/heads/main"


def test_pull_fast_forwards_and_merges(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data")
    pushed.write("data/small.txt", "three\n")
    pushed.commit("data", "three")
    pushed("push")
    assert "fast-forward to v3" in other("pull").out
    assert (other.here / "small.txt").read_text() == "three\n"
    pushed.write("data/theirs", "t")
    pushed.commit("data", "four")
    pushed("push")
    other.write("mine", "m")
    other.commit(".", "five")
    assert other("push", "--json", code=5).json["error"] == "ref-moved"
    assert "merge to" in other("pull").out
    assert (other.here / "theirs").exists() and (other.here / "mine").exists()
    other("push")
    pushed("pull")
    assert files_of(pushed.here / "data") == files_of(other.here)
    assert other("status", "--json").json["artifacts"][0]["ahead"] == 0


def test_a_conflict_is_named_and_nothing_is_lost(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data")
    pushed.write("data/small.txt", "theirs\n")
    pushed.commit("data", "theirs")
    pushed("push")
    other.write("small.txt", "ours\n")
    other.write("extra", "e")
    other.commit(".", "ours")
    done = other("pull", "--json", code=1)
    assert done.json["error"] == "merge-conflict"
    assert "small.txt" in done.json["message"]
    assert (other.here / "small.txt").read_text() == "ours\n"
    assert other("status", "-s").out == "UU small.txt\n"
    assert other("pull", "--json", code=1).json["failed"][0]["message"].startswith("pull of 'data' has to wait")
    other("merge", "--abort")
    assert other("status", "-s").out == ""
    other("pull", "--theirs")
    assert (other.here / "small.txt").read_text() == "theirs\n"
    assert (other.here / "extra").exists()
    assert other("cat", "HEAD^2:small.txt", code=2)
    assert other("cat", "@HEAD^2:small.txt").out == "ours\n"
    other("push")


def test_pull_does_not_lose_a_local_change(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data")
    pushed.write("data/small.txt", "three\n")
    pushed.commit("data", "three")
    pushed("push")
    other.write("small.txt", "uncommitted\n")
    assert other("pull", "--json", code=1).json["error"] == "local-change"
    assert (other.here / "small.txt").read_text() == "uncommitted\n"
    other("restore", "small.txt")
    other("pull")
    assert (other.here / "small.txt").read_text() == "three\n"


def test_aliases_travel_and_a_race_over_one_is_told(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data")
    assert other("alias", "--json").json["aliases"][0]["version"] == "v1"
    pushed("alias", "set", "data@v2", "production")
    pushed("push")
    other("alias", "set", "@v1", "production")
    other("alias", "set", "@v2", "candidate")
    other("fetch")
    assert other("alias", "--json").json["aliases"][1]["version"] == "v2"
    other("push")
    pushed("fetch")
    assert {line["alias"] for line in pushed("alias", "--json").json["aliases"]} == {"candidate", "production"}
    pushed("alias", "delete", "data", "candidate")
    pushed("push")
    other("fetch")
    assert [line["alias"] for line in other("alias", "--json").json["aliases"]] == ["production"]


def test_status_tells_where_an_alias_stands_here_and_there(pushed: Shell, remote: str, tmp_path: Path) -> None:
    assert "alias" not in pushed("status").out
    other = clone(tmp_path, f"{remote}/data")
    pushed("alias", "set", "data@v2", "production")
    assert "alias production: v2 here, v1 on origin" in pushed("status").out
    pushed("push")
    other("alias", "delete", "data", "production")
    other("alias", "set", "@v1", "candidate")
    other("fetch")
    found = other("status", "--json").json["artifacts"][0]["alias_differences"]
    assert found == [
        {"alias": "candidate", "here": "v1", "there": None, "is_settled": True},
        {"alias": "production", "here": None, "there": "v2", "is_settled": False},
    ]
    assert other("push", "--json", code=5).json["error"] == "ref-moved"
    assert "alias set` or `delete` decides" in other("status").out
    other("alias", "delete", "data", "production")
    assert other("push", "--json").json["artifacts"][0]["aliases"] == ["candidate", "production"]
    pushed("fetch")
    assert [line["alias"] for line in pushed("alias", "--json").json["aliases"]] == ["candidate"]


def test_an_alias_that_moved_on_both_sides_is_settled_by_setting_it(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data")
    pushed("commit", "--allow-empty", "-m", "three")
    pushed("push")
    other("fetch")
    pushed("alias", "set", "data@v2", "production")
    pushed("push")
    other("alias", "set", "@v3", "production")
    assert other("push", "--json", code=5).json["error"] == "ref-moved"
    other("fetch")
    assert other("push", "--json", code=5).json["error"] == "ref-moved"
    other("alias", "set", "@v3", "production")
    other("push")
    pushed("fetch")
    assert pushed("alias", "--json").json["aliases"][0]["version"] == "v3"


def test_a_dry_run_sends_nothing(pushed: Shell, remote: str, tmp_path: Path) -> None:
    pushed.write("data/more", "m")
    pushed.commit("data", "three")
    assert "would push" in pushed("push", "--dry-run").out
    other = clone(tmp_path, f"{remote}/data")
    assert not (other.here / "more").exists()


def test_blobs_that_are_not_here_are_fetched_when_needed(pushed: Shell, remote: str, tmp_path: Path) -> None:
    other = clone(tmp_path, f"{remote}/data")
    assert other("cat", "@v1:small.txt").out == "one\n"
    assert "-two" in other("diff", "@v2", "@v1").out
    other("checkout", "data@v1")
    assert (other.here / "small.txt").read_text() == "one\n"


def test_an_unknown_artifact_and_an_unreachable_server(tmp_path: Path, server: EmbeddedServer) -> None:
    shell = Shell(tmp_path)
    assert shell("clone", f"{server.url}/nothing", "x", "--json", code=6).json["error"] == "remote-refused"
    assert shell("clone", f"{server.url}", "x", code=2)
    shell("logout", server.url)
    assert shell("clone", f"{server.url}/nothing", "y", "--json", code=7).json["error"] == "not-authorised"


def test_a_key_goes_only_to_its_origin(shell: Shell, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("remote", "add", "origin", server.url)
    shell.write("data/a", "1")
    shell.commit("data")
    shell("logout", server.url)
    monkeypatch.setenv("AIMDVC_API_KEY", server.admin_key or "")
    assert "AIMDVC_HOST" in shell("push", "--json", code=7).json["hint"]
    monkeypatch.setenv("AIMDVC_HOST", "http://127.0.0.1:1")
    shell("push", code=7)
    monkeypatch.setenv("AIMDVC_HOST", server.url)
    shell("push")


def test_the_key_is_kept_for_the_user_alone(home: Path, server: EmbeddedServer) -> None:
    path = home / ".config/aimdvc/keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    key = server.admin_key or ""
    assert len(key) == 36 and key in path.read_text()
    shell = Shell(home)
    assert key not in shell("login", server.url, typed=server.admin_key or "").out
    shell("login", "http://example.org", typed="key", code=4)
    shell("login", server.url, typed="two words", code=2)


def test_a_directory_that_is_again_what_it_was_goes_whole(shell: Shell, remote: str, tmp_path: Path) -> None:
    shell.write("data/d/same", "same\n")
    for content in ("one\n", "two\n", "one\n"):
        shell.write("data/d/other", content)
        shell.commit("data", content.strip())
    shell("remote", "add", "origin", remote)
    shell("push")
    Shell(tmp_path)("clone", f"{remote}/data", "clone")
    there = Shell(tmp_path / "clone")
    assert files_of(there.here) == files_of(shell.here / "data")
    git(there.here, "--git-dir", str(there.here / ".aimdvc/repos/data.git"), "fsck", "--strict")
    assert there("fsck").code == 0
