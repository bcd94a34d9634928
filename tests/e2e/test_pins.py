"""How pin, workspace, remote and the code's HEAD stand to each other, and what a pull of a fresh clone brings."""

from pathlib import Path

import pytest

from tests.e2e.coding import Code, clone_code, make_code
from tests.shell import Shell, files_of


def test_status_shows_pin_workspace_and_remote_side_by_side(tmp_path: Path, remote: str) -> None:
    code = make_code(tmp_path / "code", remote=remote)
    code.version("1")
    assert "  pinned v1?, clean, not on origin" in code.shell("status").out
    code.shell("push")
    assert "  pinned v1, clean, v1 on origin" in code.shell("status").out
    other = clone_code(code, tmp_path / "other")
    other.shell("pull")
    code.version("2")
    code.version("3")
    code.shell("push")
    other.shell("fetch")
    other.shell.write("data/a", "mine")
    assert "  pinned v1, working tree has changes, v3 on origin" in other.shell("status").out
    told = other.artifact()
    assert told["pin"] == told["code_pin"] == {"commit": other.pinned(), "version": "v1"}
    assert (told["remote_version"], told["behind"]) == ("v3", 2)


def test_status_tells_where_the_lock_and_the_code_s_head_part(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code", "sub/project")
    code.shell.write("data/a", "1")
    code.shell.commit("data")
    assert code.shell("status", "--json").json["code_lock"] == "none"
    code.record()
    assert code.shell("status", "--json").json["code_lock"] == "same"
    assert "code's HEAD" not in code.shell("status").out
    code.shell.write("data/a", "2")
    code.shell.commit("data")
    assert "  pinned v1? in the code's HEAD, v2? in aimdvc.lock, not committed" in code.shell("status").out
    assert code.shell("status", "--json").json["code_lock"] == "different"
    code.record()
    assert "code's HEAD" not in code.shell("status").out
    code.shell.write("more/b", "1")
    code.shell.commit("more")
    assert "  not pinned in the code's HEAD, v1? in aimdvc.lock, not committed" in code.shell("status").out
    code.git("gc", "-q")
    assert code.shell("status", "--json").json["code_lock"] == "different"


def test_a_lock_that_was_deleted_is_told_with_what_brings_it_back(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.version("1")
    (code.here / "aimdvc.lock").unlink()
    told = code.shell("status")
    assert "aimdvc.lock is gone, and the code's HEAD has it: `git checkout HEAD -- aimdvc.lock`" in told.out
    assert code.shell("status", "--json").json["code_lock"] == "deleted"
    code.git("checkout", "HEAD", "--", "aimdvc.lock")
    assert "  pinned v1?, clean, not on origin" in code.shell("status").out


def test_status_works_where_the_code_s_head_can_t_be_read(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.version("1")
    (code.here / ".git/refs/heads/main").write_text("1" * 40 + "\n")
    code.shell.write("data/a", "2")
    assert code.shell("status", "--json").json["code_lock"] == "unread"
    assert "  pinned v1?, working tree has changes" in code.shell("status").out


@pytest.fixture
def pushed(tmp_path: Path, remote: str) -> Code:
    """A code repository with two code commits; its workspace is a subdirectory, and `model` has a remote of its own."""
    (tmp_path / "second").mkdir()
    maker = Shell(tmp_path / "maker")
    maker.here.mkdir()
    maker("init", "--remote", str(tmp_path / "second"))
    code = make_code(tmp_path / "code", "sub/project", remote)
    code.shell("remote", "add", "second", str(tmp_path / "second"))
    for number in "12":
        for name in ("train/a", "train/b", "test/a"):
            code.shell.write(f"data/images/{name}", number)
        code.shell.write("labels.csv", number)
        code.shell("add", "data/images")
        code.shell("add", "labels.csv")
        code.shell("commit", "-m", number)
        code.shell("push")
        maker.write("model/m", number)
        maker.commit("model")
        maker("push")
        code.shell(*(["clone", f"{tmp_path}/second/model", "model"] if number == "1" else ["pull", "model"]))
        code.record(f"code {number}")
    return code


BYTES = {"data/images/train/a", "data/images/train/b", "data/images/test/a", "labels.csv", "model/m"}


@pytest.mark.parametrize("how", ["branch", "detached", "shallow"])
def test_a_pull_after_a_clone_of_the_code_gives_the_artifacts_of_that_commit(
    pushed: Code, tmp_path: Path, how: str
) -> None:
    pushed.git("branch", "older", "main~1")
    options = {"branch": ["-b", "older"], "detached": [], "shallow": ["--depth", "1", "-b", "older"]}[how]
    other = clone_code(pushed, tmp_path / "other", *options)
    if how == "detached":
        other.git("checkout", "-q", "--detach", "HEAD~1")
    other.shell("pull")
    found = {path: content for path, content in files_of(other.shell.here).items() if not path.endswith(".gitignore")}
    assert found == dict.fromkeys(BYTES, b"1")
    assert other.git("status", "--porcelain") == ""
    assert other.artifact("images")["pin"] == other.artifact("images")["code_pin"]
    other.git("fetch", "-q", "origin", "main")
    other.git("checkout", "-q", "FETCH_HEAD")
    other.shell("pull")
    assert other.shell("checkout").out == "Everything is as aimdvc.lock says\n"
    assert (other.shell.here / "model/m").read_text() == "2"


def test_a_pull_brings_only_the_artifacts_and_parts_that_are_included(pushed: Code, tmp_path: Path) -> None:
    other = clone_code(pushed, tmp_path / "other")
    shell: Shell = other.shell
    for options, told in (
        (["--include", "images:train/**", "--include", "x/**"], "'x/**' is for no artifact"),
        (["--exclude", "images"], "write images:PATTERN"),
        (["--include", "labels.csv", "--exclude", "images:b"], "--exclude names 'images', and --include doesn't"),
    ):
        assert told in shell("pull", *options, code=2).err
    assert not (shell.here / "labels.csv").exists()
    shell("pull", "--include", "images:train/**", "--include", "labels.csv", "--exclude", "images:b")
    found = {path for path in files_of(shell.here) if not path.endswith(".gitignore")}
    assert found == {"data/images/train/a", "labels.csv"}
    assert "partial: --include train/** --exclude b: 2 files not checked out" in shell("status").out
    assert "model: pinned in aimdvc.lock, not here" in shell("status").out
    shell("pull")
    assert {path for path in files_of(shell.here) if not path.endswith(".gitignore")} == found | {"model/m"}
    shell("pull", "--exclude", "images:train/")
    assert "data/images/test/a" in files_of(shell.here)
    assert "data/images/train/a" not in files_of(shell.here)


def test_gitignore_follows_an_artifact_as_it_is_made_moved_and_removed(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.shell.write("data/set/a", "1")
    code.shell.commit("data/set")
    assert (code.here / "data/.gitignore").read_text() == "/set\n"
    (code.here / "data/.gitignore").write_text("*.tmp\n/set\n")
    code.record()
    assert code.git("ls-files", "data").split() == ["data/.gitignore"]
    code.shell("mv", "data/set", "kept")
    assert (code.here / "data/.gitignore").read_text() == "*.tmp\n"
    assert "/kept" in (code.here / ".gitignore").read_text().splitlines()
    assert code.git("status", "--porcelain", "kept") == ""
    code.shell("rm", "-r", "-f", "kept")
    assert not (code.here / ".gitignore").exists() or "/kept" not in (code.here / ".gitignore").read_text()


def test_a_file_that_git_tracks_is_refused_with_the_command_that_moves_it_over(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.shell.write("data/a", "1")
    code.record()
    told = code.shell("add", "data", code=4).err
    assert "Git tracks files there" in told
    assert "`aimdvc import git 'data'` moves them over" in told
