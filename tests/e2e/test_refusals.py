"""What is refused, one by one: the message names the thing, and nothing was changed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer, encode_pointer
from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of, git


@pytest.fixture
def code(tmp_path: Path) -> Shell:
    """A workspace in a code repository."""
    place = tmp_path / "code"
    git(tmp_path, "init", "-q", str(place))
    shell = Shell(place)
    shell("init")
    return shell


def test_paths_that_no_artifact_may_have(code: Shell, tmp_path: Path) -> None:
    shell = code
    shell.write("tracked/a", "1")
    git(shell.here, "add", "tracked")
    (tmp_path / "elsewhere/inner").mkdir(parents=True)
    (shell.here / "link").symlink_to(tmp_path / "elsewhere")
    (shell.here / "data").mkdir()
    cases = {
        ".": "the whole workspace can't be an artifact inside a Git work tree",
        "tracked": "Git tracks files there",
        "link": "is a symbolic link",
        "link/inner": "outside the workspace",
    }
    for path, reason in cases.items():
        done = shell("add", path, "--json", code=4).json
        assert done["error"] == "unsafe-path" and reason in done["message"], path
    assert not (shell.here / ".gitignore").exists()


def test_an_artifact_is_not_made_inside_of_another(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data")
    Shell(shell.here)("add", "data/a", "-n", "inner", code=2)
    shell.write("aimdvc.lock", (shell.here / "aimdvc.lock").read_text() + '\n[artifact "x"]\n\tcommit = ' + "1" * 40)
    assert shell("status", "--json", code=4).json["error"] == "unsafe-path"


def test_a_name_that_is_taken(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.write("other/data/a", "1")
    shell.write("third/a", "1")
    shell.commit("data")
    assert "already exists at 'data'" in shell("add", "other/data", "--json", code=2).json["message"]
    assert "already exists at 'data'" in shell("add", "third", "-n", "DATA", "--json", code=2).json["message"]
    for path in (shell.here / ".aimdvc").glob("state.db*"):
        path.unlink()
    (shell.here / "aimdvc.lock").unlink()
    done = shell("add", "data", "--json", code=2).json
    assert "the store has a history of 'data' already" in done["message"]
    shell("add", "data", "-n", "anew")


def test_a_name_that_the_lock_pins(shell: Shell) -> None:
    shell.write("aimdvc.lock", '[artifact "data"]\n\tcommit = ' + "1" * 40 + "\n\tpath = data\n")
    shell.write("data/a", "1")
    assert "aimdvc.lock already pins 'data' at 'data'" in shell("add", "data", "--json", code=2).json["message"]
    assert "pinned" in shell("status").out
    assert shell("checkout", "--json", code=1).json["missing"] == ["data"]


def test_an_artifact_needs_a_name_that_it_may_have(shell: Shell) -> None:
    shell.write("a b/x", "1")
    done = shell("add", "a b", "--json", code=2).json
    assert done["error"] == "invalid-name"
    shell("add", "a b", "-n", "ab")


def test_a_file_that_is_a_pointer_is_refused(shell: Shell) -> None:
    shell.write("data/a", encode_pointer(Pointer(Oid("a" * 64), 5)))
    done = shell("add", "data", "--json", code=4).json
    assert done["hint"] == "run `git lfs pull` first"


@pytest.mark.parametrize(("name", "pattern"), [("notes.md", "*.md"), ("LICENSE", "LICENSE")])
def test_what_git_should_not_hold_is_refused_with_the_rule_to_add(shell: Shell, name: str, pattern: str) -> None:
    path = shell.write(f"data/{name}", "")
    os.truncate(path, 17 << 20)
    done = shell("add", "data", "--json", code=4).json
    assert "17 MiB" in done["message"] and f"aimdvc track '{pattern}'" in done["hint"]
    shell("track", pattern, "-n", "data")
    shell.commit("data")
    assert shell("status", "-s").out == ""


def test_users_rules_come_and_go(shell: Shell) -> None:
    shell.write("data/a.txt", "1")
    shell.write("data/b.bin", "1")
    shell.commit("data", "ours")
    shell.write("data/.gitattributes", "*.txt filter=lfs\n")
    shell.write("data/sub/.gitattributes", "*.bin filter=lfs\n")
    shell.write("data/sub/c.bin", "1")
    shell.commit("data", "theirs")
    ids = {entry["path"]: len(entry["id"]) for entry in shell("ls", "data", "--json").json["entries"]}
    assert (ids["a.txt"], ids["b.bin"], ids["sub/c.bin"]) == (64, 40, 64)
    (shell.here / "data/.gitattributes").unlink()
    (shell.here / "data/sub/.gitattributes").unlink()
    shell.commit("data", "ours again")
    ids = {entry["path"]: len(entry["id"]) for entry in shell("ls", "data", "--json").json["entries"]}
    assert (ids["a.txt"], ids["b.bin"], ids["sub/c.bin"]) == (64, 64, 64)
    assert shell("fsck", "--json").json["checked"]["warnings"] == []
    for revision in ("main~1", "main~2", "main"):
        shell("checkout", f"data@{revision}")
        assert shell("status", "-s").out == ""


def test_a_rule_that_is_no_file_any_more_says_nothing(shell: Shell) -> None:
    shell.write("data/.gitattributes", "* filter=lfs\n")
    shell.write("data/a", "1")
    shell.commit("data")
    (shell.here / "data/.gitattributes").unlink()
    (shell.here / "data/.gitattributes").symlink_to("a")
    shell.commit("data", "two")
    assert len(shell("ls", "data", "--json").json["entries"][-1]["id"]) == 40


def test_which_artifact_is_meant_has_to_be_clear(shell: Shell) -> None:
    assert "has no artifacts" in shell("log", "--json", code=2).json["message"]
    for name in "ab":
        shell.write(f"{name}/f", "1")
        shell.commit(name)
    assert shell("log", "--json", code=2).json["hint"] == "name one of: a, b"
    assert "belong to 'b'" in shell("log", "a", "--json", "--", "b/f", code=2).json["message"]


def test_revisions_that_lead_nowhere(shell: Shell) -> None:
    shell.write("data/a", "1")
    first = shell.commit("data")
    for revision in ("HEAD~1", "HEAD^2", "main~5", "0000", "origin/main", "v1~1", "nothing"):
        assert shell("cat", f"data@{revision}:a", "--json", code=2).json["error"] == "unknown-revision"
    for revision in ("HEAD~0", "HEAD^0", "main", "latest", first[:6], "v1?"):
        assert shell("cat", f"data@{revision}:a").out == "1"


def test_digits_that_fit_two_commits(shell: Shell) -> None:
    shell.write("data/a", "1")
    seen: dict[str, str] = {}
    shell("add", "data")
    for number in range(2000):
        made = shell("commit", "--allow-empty", "-m", str(number), "--json").json["commits"][0]["commit"]
        if made[:4] in seen:
            break
        seen[made[:4]] = made
    else:
        pytest.skip("no two commits begin alike")
    done = shell("cat", f"data@{made[:4]}:a", "--json", code=2).json
    assert done["error"] == "ambiguous-revision" and made in done["message"]


def test_settings_of_remotes(shell: Shell, tmp_path: Path) -> None:
    shell("config", "remote.origin.url", "https://a.example.org")
    shell("config", "remote.origin.url", "https://b.example.org")
    assert shell("config", "remote.origin.url").out == "https://b.example.org\n"
    shell("config", "--unset", "remote.origin.url")
    for key in ("remote.origin.url", "nothing", "core.pager", "remote..url"):
        assert shell("config", key, "--json", code=2).json["error"] in ("usage-error", "unknown-remote", "invalid-name")
    assert shell("remote", "set-url", "x", "https://a.example.org", code=2)


def pinned_clone(shell: Shell, tmp_path: Path) -> Shell:
    """Pushes a version, commits the code, and clones the code."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/a", "1")
    shell.commit("data", "one")
    shell("push")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "code")
    git(tmp_path, "clone", "-q", str(shell.here), "clone")
    clone = Shell(tmp_path / "clone")
    clone("pull")
    return clone


def test_a_pin_that_was_never_pushed_is_said(code: Shell, tmp_path: Path) -> None:
    clone = pinned_clone(code, tmp_path)
    code.write("data/a", "2")
    code.commit("data", "two")
    git(code.here, "commit", "-qam", "pin")
    git(clone.here, "pull", "-q")
    assert "another commit" in clone("status").out
    assert "it was not fetched yet" in clone("checkout", "--json", code=2).json["hint"]
    assert "has yet to `aimdvc push`" in clone("pull", "--json", code=2).json["hint"]
    git(tmp_path, "clone", "-q", str(code.here), "third")
    assert "has yet to `aimdvc push`" in Shell(tmp_path / "third")("pull", "--json", code=2).json["hint"]
    code("push")
    clone("pull")
    assert (clone.here / "data/a").read_text() == "2"


def test_a_detached_head_stays_where_it_is_and_says_so(code: Shell, tmp_path: Path) -> None:
    clone = pinned_clone(code, tmp_path)
    code.write("data/a", "2")
    code.commit("data", "two")
    code("push")
    clone("fetch")
    clone("pull")
    clone("checkout", "data@v1")
    assert "detached" in clone("pull").out
    assert (clone.here / "data/a").read_text() == "1"


def test_a_remote_without_a_version_is_up_to_date(shell: Shell, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", str(tmp_path / "remote/data.git"))
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/a", "1")
    shell.commit("data")
    assert "up to date" in shell("pull").out
    shell("push")
    assert "nothing to push" in shell("push").out


def test_a_restore_of_what_is_not_there_is_refused(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    (shell.here / "data/a").unlink()
    shell.write("data/b", "1")
    shell.commit("data", "two")
    assert shell("restore", "data/nothing", "--json", code=2).json["error"] == "unknown-path"
    assert shell("checkout", "data@HEAD~1", "--json", "--", "data/nothing", code=2).json["error"] == "unknown-path"
    shell.write("data/a", "mine")
    done = shell("checkout", "data@HEAD~1", "--json", "--", "data/a", code=1).json
    assert done["error"] == "local-change" and (shell.here / "data/a").read_text() == "mine"
    shell("checkout", "-f", "data@HEAD~1", "--", "data")
    assert files_of(shell.here) == {"data/a": b"1"}
    assert shell("status", "-s").out == "A  data/a\nD  data/b\n"
    shell("restore", "--staged", "data")
    assert set(shell("status", "-s").out.splitlines()) == {" D data/b", "?? data/a"}


def test_a_reset_keeps_what_is_staged_out_of_the_way(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    shell.write("data/a", "2")
    shell.write("data/b", "2")
    shell.commit("data", "two")
    shell.write("data/c", "3")
    shell("add", "data")
    shell("reset", "data@HEAD~1")
    assert shell("status", "-s").out == " M data/a\n?? data/b\n?? data/c\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_refs_that_stock_git_packed_are_moved_and_deleted(shell: Shell) -> None:
    shell.write("data/a", "1")
    shell.commit("data", "one")
    for name in ("best", "good", "old"):
        shell("alias", "set", "data@HEAD", name)
    repository = shell.here / ".aimdvc/repos/data.git"
    git(repository, "tag", "-a", "-m", "m", "annotated", "main")
    git(repository, "pack-refs", "--all")
    shell("alias", "delete", "data", "good")
    shell.write("data/a", "2")
    shell.commit("data", "two")
    shell("alias", "set", "data@HEAD", "best")
    assert {line["alias"] for line in shell("alias", "--json").json["aliases"]} == {"best", "old"}
    assert "refs/aliases/good" not in git(repository, "for-each-ref")
    git(repository, "fsck", "--strict")
    git(repository, "gc", "-q", "--prune=now")
    assert shell("log", "--oneline").out.count("\n") == 2
    assert shell("fsck").code == 0


def test_a_large_text_and_what_is_no_text_are_compared_by_size(shell: Shell) -> None:
    shell.write("data/large", "line\n" * 4_000_000)
    shell.write("data/latin", b"caf\xe9\n")
    shell.commit("data")
    shell.write("data/large", "line\n" * 4_000_001)
    shell.write("data/latin", b"caf\xe9s\n")
    shown = shell("diff").out
    assert "modified: 19.1 MiB, " in shown and "modified: 5 B → 6 B" in shown


def test_a_push_of_nothing_and_to_nowhere(shell: Shell, server: EmbeddedServer) -> None:
    assert "No artifacts" in shell("push").out
    shell.write("data/a", "1")
    shell("add", "data")
    shell("remote", "add", "origin", server.url)
    done = shell("push", code=-1)
    assert done.code in (0, 2)
    shell("commit", "-m", "m")
    shell("remote", "set-url", "origin", "http://127.0.0.1:1")
    assert shell("push", "--json", code=6).json["error"] == "remote-unreachable"


def test_ssh_is_told_in_one_line(shell: Shell) -> None:
    for url in ("ssh://h/x", "git@h:x", "git+ssh://h/x", "ftp://h/x"):
        done = shell("clone", f"{url}/data", "x", "--json", code=4).json
        assert done["error"] == "unsafe-url" and "https" in done["hint"] + "https"


def test_an_unfinished_merge_in_the_lock_stops_with_what_to_do(code: Shell, tmp_path: Path) -> None:
    clone = pinned_clone(code, tmp_path)
    for shell, content in ((code, "2"), (clone, "3")):
        shell.write("data/a", content)
        shell.commit("data", content)
        git(shell.here, "commit", "-qam", "pin")
    assert subprocess.run(["git", "pull", "-q", "--no-rebase"], cwd=clone.here, capture_output=True).returncode
    done = clone("status", "--json", code=2).json
    assert "settle the merge conflict" in done["hint"]
