"""The local verbs, at the command line: what each does, and what it refuses."""

import json
import os
from pathlib import Path

import pytest

from tests.shell import Shell, files_of, git


def test_a_directory_becomes_an_artifact_and_a_version(shell: Shell) -> None:
    shell.write("data/a.bin", b"\0\1\2")
    shell.write("data/deep/er/b.txt", "text\n")
    shell.write("data/empty", "")
    added = shell("add", "data", "--type", "dataset", "--json").json["artifacts"][0]
    assert (added["artifact"], added["is_new"], added["added"]) == ("data", True, 3)
    made = shell("commit", "-m", "First", "--json").json["commits"][0]
    assert made["version"] == "v1?"
    assert shell("ls").out == "data  v1?  'data'  3 files\n", "what aimdvc keeps in the tree is no file of the user's"
    listed = shell("ls", "data", "--json").json["entries"]
    assert [entry["path"] for entry in listed] == [
        "a.bin",
        "deep/er/b.txt",
        "empty",
    ]
    assert shell("cat", "data:a.bin").raw == b"\0\1\2"
    assert shell("cat", "data@v1?:deep/er/b.txt").out == "text\n"
    assert shell("meta", "get", "data", "type").out == "dataset\n"
    lock = (shell.here / "aimdvc.lock").read_text()
    assert f"commit = {made['commit']}" in lock
    assert '[artifact "data"]' in lock


def test_a_lone_file_becomes_an_artifact(shell: Shell) -> None:
    shell.write("models/net.safetensors", b"w" * 100_000)
    shell("add", "models/net.safetensors", "-n", "net")
    shell("commit", "-m", "weights")
    shell.write("models/net.safetensors", b"x" * 100_000)
    assert shell("status", "-s").out == " M models/net.safetensors\n"
    shell("commit", "-am", "better")
    assert shell("cat", "net@HEAD~1:net.safetensors").raw == b"w" * 100_000
    shell("checkout", "net@HEAD~1")
    assert (shell.here / "models/net.safetensors").read_bytes() == b"w" * 100_000


def test_status_tells_apart_what_is_staged_changed_and_untracked(shell: Shell) -> None:
    for name in "abcd":
        shell.write(f"data/{name}", name * 10)
    shell.commit("data")
    shell.write("data/a", "staged")
    shell("add", "data/a")
    shell.write("data/a", "and changed")
    shell.write("data/b", "changed")
    (shell.here / "data/c").unlink()
    shell.write("data/new", "n")
    assert shell("status", "-s").out.splitlines() == ["MM data/a", " M data/b", " D data/c", "?? data/new"]
    found = shell("status", "--json").json["artifacts"][0]
    assert [change["path"] for change in found["staged"]] == ["a"]
    assert found["untracked"] == ["new"]


def test_a_change_that_stat_can_not_see_is_seen(shell: Shell) -> None:
    path = shell.write("data/a", "one")
    shell.commit("data")
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shell("status", "-s").out == " M data/a\n"


def test_nothing_to_commit(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data")
    assert shell("commit", "-m", "again").out == "Nothing to commit\n"
    assert shell("commit", "--allow-empty", "-m", "again", "--json").json["commits"][0]["changes"] == 0


def test_a_commit_needs_an_author_and_a_message(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.write("data/a", "1")
    shell("add", "data")
    assert shell("commit", "-m", "", "--json", code=2).json["message"] == "the message is empty"
    shell("commit", code=2)
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    assert shell("commit", "-m", "m", "--json", code=2).json["error"] == "no-author"
    monkeypatch.setenv("AIMDVC_AUTHOR", "Someone Else <else@example.org>")
    shell("commit", "-m", "m")
    assert "Someone Else <else@example.org>" in shell("log").out


def test_log_by_path_limit_and_stat(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    shell.write("data/b", "2")
    shell.commit("data", "two")
    shell.write("data/a", "3")
    shell.commit("data", "three")
    subjects = [entry["commit"]["message"] for entry in shell("log", "--json", "--", "data/a").json["versions"]]
    assert subjects == ["three\n", "one\n"]
    assert len(shell("log", "-n", "2", "--json").json["versions"]) == 2
    assert shell("log", "-n", "1", "--stat", "--json").json["versions"][0]["changes"][0]["kind"] == "modified"
    assert "three" in shell("show").out
    assert "+3" in shell("show").out


def test_diff_of_text_binary_and_renames(shell: Shell) -> None:
    shell.write("data/text.csv", "a\nb\nc\n")
    shell.write("data/pic.bin", b"\0" * 100)
    shell.write("data/old-name", "same content\n")
    shell.commit("data")
    shell.write("data/text.csv", "a\nB\nc\n")
    shell.write("data/pic.bin", b"\0" * 200)
    text = shell("diff").out
    assert "-b\n+B\n" in text
    assert "modified: 100 B → 200 B" in text
    (shell.here / "data/old-name").rename(shell.here / "data/new-name")
    shell.commit("data", "renamed")
    assert "R\tdata/old-name\tdata/new-name" in shell("diff", "data@HEAD~1", "data@HEAD", "--name-status").out
    assert shell("diff", "data@HEAD~1", "data@HEAD", "--exit-code", code=1).out
    assert shell("diff", "--exit-code").out == ""
    assert "1 file" in shell("diff", "data@HEAD~1", "--stat", "--", "data/text.csv").out


def test_checkout_goes_back_and_forth_and_guards_changes(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.write("data/gone", "g")
    shell.commit("data", "one")
    first = files_of(shell.here)
    shell.write("data/a", "2")
    (shell.here / "data/gone").unlink()
    shell.write("data/new", "n")
    shell.commit("data", "two")
    second = files_of(shell.here)
    shell("checkout", "data@v1?")
    assert files_of(shell.here) == first
    assert "detached" in shell("status").out
    shell("commit", "--allow-empty", "-m", "lost", code=1)
    shell("checkout", "data@main")
    assert files_of(shell.here) == second
    shell.write("data/a", "precious")
    done = shell("checkout", "data@v1?", "--json", code=1)
    assert done.json["error"] == "local-change"
    assert files_of(shell.here)["data/a"] == b"precious"
    shell("checkout", "data@v1?", "--force")
    assert files_of(shell.here) == first


def test_an_untracked_file_in_the_way_is_not_overwritten(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    shell.write("data/b", "2")
    shell.commit("data", "two")
    shell("checkout", "data@HEAD~1")
    shell.write("data/b", "mine")
    shell("checkout", "data@main", code=1)
    assert (shell.here / "data/b").read_text() == "mine"


def test_checkout_of_paths_restore_and_reset(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.write("data/b", "1")
    shell.commit("data", "one")
    shell.write("data/a", "2")
    shell.write("data/b", "2")
    shell.commit("data", "two")
    shell("checkout", "data@HEAD~1", "--", "data/a")
    assert files_of(shell.here) == {"data/a": b"1", "data/b": b"2"}
    assert shell("status", "-s").out == "M  data/a\n"
    shell("restore", "--staged", "data/a")
    assert shell("status", "-s").out == " M data/a\n"
    shell("restore", "data/a")
    assert files_of(shell.here)["data/a"] == b"2"
    shell("restore", "--source", "HEAD~1", "data/b")
    assert files_of(shell.here)["data/b"] == b"1"
    shell("reset")
    assert shell("status", "-s").out == " M data/b\n"
    shell("reset", "--hard", "data@HEAD~1")
    assert files_of(shell.here) == {"data/a": b"1", "data/b": b"1"}
    assert len(shell("log", "--json").json["versions"]) == 1


def test_an_empty_file_that_is_only_staged_comes_back(shell: Shell) -> None:
    shell.write("data/a", "a\n")
    shell.commit("data")
    (shell.here / "data/empty").touch()
    shell("add", "data")
    shell("maintenance")
    (shell.here / "data/empty").unlink()
    assert "empty" in shell("diff").out
    shell("restore", "data/empty")
    assert (shell.here / "data/empty").read_bytes() == b""
    assert shell("fsck").code == 0
    shell("commit", "-m", "two")
    assert shell("cat", "data:empty").out == ""
    git(shell.here, "--git-dir", ".aimdvc/repos/data.git", "fsck", "--strict")


def test_aliases_move_and_keep_their_history(shell: Shell) -> None:
    shell.write("data/a", "1")
    first = shell.commit("data", "one")
    shell.write("data/a", "2")
    second = shell.commit("data", "two")
    shell("alias", "set", "data@HEAD~1", "production")
    assert shell("alias", "list", "--json").json["aliases"][0]["commit"] == first
    shell("alias", "set", "data", "production")
    assert shell("cat", "data@production:a").out == "2"
    reflog = next(shell.here.rglob("logs/refs/aliases/production")).read_text()
    assert first in reflog and second in reflog
    shell("alias", "set", "data", "v7", code=2)
    shell("alias", "delete", "data", "production")
    assert shell("alias", "list", "--json").json["aliases"] == []


def test_track_decides_what_is_a_blob(shell: Shell) -> None:
    shell.write("data/notes.md", "# Notes\n")
    shell.write("data/table.csv", "a,b\n")
    shell.commit("data")
    by_path = {entry["path"]: entry["id"] for entry in shell("ls", "data", "--json").json["entries"]}
    shell("untrack", "*.csv")
    shell("commit", "-m", "in Git")
    now = {entry["path"]: entry["id"] for entry in shell("ls", "data", "--json").json["entries"]}
    assert len(now["table.csv"]) == 40
    shell("track", "*.csv")
    shell("commit", "-m", "as blobs")
    now = {entry["path"]: entry["id"] for entry in shell("ls", "data", "--json").json["entries"]}
    assert now["table.csv"] == by_path["table.csv"] and len(now["table.csv"]) == 64
    assert shell("status", "-s").out == ""
    assert "*.csv" in shell("track").out


def test_metadata(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell("add", "data")
    shell("meta", "set", "data", "description", "Scenes")
    shell("meta", "set", "data", "labels", "b, a")
    shell("meta", "set", "data", "metadata.license", "CC0")
    shell("commit", "-m", "m")
    found = shell("meta", "get", "data@HEAD", "--json").json["metadata"]
    assert found == {"description": "Scenes", "labels": ["a", "b"], "metadata": {"license": "CC0"}, "type": ""}
    shell("meta", "set", "data", "colour", "red", code=2)


def test_ignored_files_stay_out_unless_forced(shell: Shell) -> None:
    shell.write("data/.aimdvcignore", "*.tmp\n")
    shell.write("data/a.tmp", "t")
    shell.write("data/a", "1")
    shell.commit("data")
    assert [entry["path"] for entry in shell("ls", "data", "--json").json["entries"]] == [".aimdvcignore", "a"]
    shell("add", "-f", "data/a.tmp")
    assert shell("status", "-s").out == "A  data/a.tmp\n"


@pytest.mark.parametrize("name", ["data/.git/config", "data/sub/.GIT/x"])
def test_names_that_reach_into_git_are_never_stored(shell: Shell, name: str) -> None:
    shell.write("data/a", "1")
    shell.write(name, "[core]\n")
    shell("add", "data", code=0 if ".git/" in name else 4)


def test_links_and_executable_bits_are_kept(shell: Shell) -> None:
    shell.write("data/run.sh", "#!/bin/sh\n").chmod(0o755)
    (shell.here / "data/link").symlink_to("run.sh")
    shell.commit("data", "one")
    shell.write("data/run.sh", "changed").chmod(0o644)
    (shell.here / "data/link").unlink()
    shell.commit("data", "two")
    shell("checkout", "data@HEAD~1")
    assert os.access(shell.here / "data/run.sh", os.X_OK)
    assert (shell.here / "data/link").readlink() == Path("run.sh")


def test_strange_file_names_come_back(shell: Shell) -> None:
    names = [b"sp ace", b"-dash", b"new\nline", b"\xff\xfe", "ümlaut".encode(), b"12:30:00.png", b"n" * 255]
    (shell.here / "data").mkdir()
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(shell.here / "data"), name), "wb") as file:
            file.write(b"%d" % number)
    shell.commit("data")
    before = files_of(shell.here)
    assert len(before) == len(names)
    for path in before:
        os.unlink(os.path.join(os.fsencode(shell.here), os.fsencode(path)))
    shell("restore", "data")
    assert files_of(shell.here) == before
    assert shell("status", "-s").out == ""


def test_fsck_names_what_is_damaged_and_where(shell: Shell) -> None:
    shell.write("data/big", b"B" * 200_000)
    shell.commit("data")
    blob = next((shell.here / ".aimdvc/blobs/files").glob("*/*"))
    blob.chmod(0o644)
    blob.write_bytes(b"C" * 200_000)
    found = shell("fsck", "--json", code=3).json
    assert found["is_whole"] is False
    assert found["checked"]["damage"][0]["what"] == blob.name
    assert found["checked"]["damage"][0]["needed_by"] == ["data@v1?:big"]
    assert shell("fsck", "--quick").code == 0
    (shell.here / "data/big").unlink()
    done = shell("restore", "data/big", "--json", code=3)
    assert done.json["error"] == "corrupt-blob"


def test_du_config_version_and_completion(shell: Shell) -> None:
    shell.write("data/a", b"1" * 1000)
    shell.commit("data")
    assert shell("du", "--json").json["artifacts"][0]["size"] == 1000
    shell("config", "core.link", "copy")
    assert shell("config", "core.link").out == "copy\n"
    shell("config", "core.editor", "evil", code=2)
    shell("config", "core.link", "symlink", code=2)
    shell("config", "--unset", "core.link")
    assert shell("config", "--json").json["settings"] == {"core.link": "reflink"}
    assert "dulwich" in shell("version", "--json").json
    for name in ("bash", "zsh", "fish"):
        assert "aimdvc" in shell("completion", name).out
    assert shell("--version").out.startswith("aimdvc ")


def test_remotes(shell: Shell) -> None:
    shell("remote", "add", "origin", "https://aimd.example.org/team")
    shell("remote", "add", "origin", "https://other.example.org", code=2)
    shell("remote", "set-url", "origin", "https://other.example.org/team")
    assert shell("remote").out == "origin\thttps://other.example.org/team\n"
    for url in ("ssh://git@host/x", "git@host:x", "https://user:pw@host/x", "https://host/\nx", "ext::sh -c x", ""):
        assert shell("remote", "add", "evil", url, "--json", code=4).json["error"] == "unsafe-url"
    shell("remote", "remove", "origin")
    shell("remote", "remove", "origin", code=2)


def test_what_was_mistyped_says_so(shell: Shell) -> None:
    assert "no such command" in shell("comit", code=2).err
    assert shell("log", "nothing", "--json", code=2).json["error"] == "unknown-artifact"
    shell.write("data/a", "1")
    shell.commit("data")
    assert shell("checkout", "data@v9", "--json", code=2).json["error"] == "unknown-revision"
    assert "'nope' is not in" in shell("cat", "data:nope", code=2).err
    assert shell("add", "nothing", "--json", code=2).json["error"] == "unknown-path"
    assert shell("add", "/etc/passwd", "--json", code=4).json["error"] == "unsafe-path"
    assert shell("push", "--json", code=2).json["error"] == "unknown-remote"
    assert json.loads(shell("log", "data@@", "--json", code=2).out)["error"] == "invalid-selector"


def test_a_hostile_lock_is_refused(shell: Shell) -> None:
    commit = "a" * 40
    for path in ("../out", "/etc", ".git", ".aimdvc/x", "a/../../b"):
        shell.write("aimdvc.lock", f'[artifact "x"]\n\tcommit = {commit}\n\tpath = {path}\n')
        shell("status", code=4)
    shell.write("aimdvc.lock", "<<<<<<< ours\n")
    shell("status", code=2)
    shell.write("aimdvc.lock", f'[artifact "../x"]\n\tcommit = {commit}\n\tpath = x\n')
    shell("status", code=2)


def test_two_artifacts_may_not_overlap(shell: Shell) -> None:
    shell.write("data/sub/a", "1")
    shell("add", "data/sub", "-n", "inner")
    shell("commit", "-m", "m")
    shell.write("data/b", "1")
    assert shell("add", "data", "--json").json["artifacts"][0]["artifact"] == "inner"
    shell.write("other/a", "1")
    assert shell("add", "other", "-n", "inner", code=2)
