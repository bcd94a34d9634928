"""Real Git goes about the code: after it, `status` tells the truth and `checkout` gives the bytes of that commit."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.coding import Code, clone_code, make_code
from tests.shell import Shell, files_of, git


@pytest.fixture(params=["hooks", "no hooks"])
def code(request: pytest.FixtureRequest, tmp_path: Path) -> Code:
    """A code repository with four versions of `data`, each in a commit of its own; with Git's hooks and without."""
    made = make_code(tmp_path / "code")
    if request.param == "hooks":
        made.shell("hooks", "install")
    for content in "1234":
        made.version(content, f"code {content}")
    return made


def follow(code: Code, content: str) -> None:
    """Checks out what the lock says; both tell the truth before and after."""
    told = code.artifact()
    assert told["lock"] == ("same" if told["commit"] == code.pinned() else "moved")
    code.shell("checkout")
    assert code.text() == content
    told = code.artifact()
    assert (told["lock"], told["commit"], told["unstaged"]) == ("same", code.pinned(), [])
    assert code.git("status", "--porcelain") == ""


def test_checkout_of_a_code_commit_gives_its_bytes(code: Code) -> None:
    for steps, content in ((3, "1"), (1, "3"), (2, "2"), (0, "4")):
        code.git("checkout", "-q", f"main~{steps}")
        follow(code, content)
    code.git("checkout", "-q", "main")
    follow(code, "4")
    assert code.artifact()["branch"] == "refs/heads/main"


def test_a_worktree_shares_the_store_and_stands_where_its_commit_is(code: Code, tmp_path: Path) -> None:
    code.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), "main~2")
    tree = Code(tmp_path / "tree", Shell(tmp_path / "tree"))
    tree.shell("checkout")
    assert (tree.text(), code.text()) == ("2", "4")
    assert not (tmp_path / "tree/.git").is_dir()
    assert tree.artifact()["code_pin"] == tree.artifact()["pin"]
    assert tree.artifact()["pin"] != code.artifact()["pin"]
    git(tree.here, "checkout", "-q", "main~3")
    follow(tree, "1")
    follow(code, "4")


def test_a_stash_of_a_moved_pin_and_its_pop(code: Code) -> None:
    code.shell.write("data/a", "5")
    code.shell.commit("data")
    assert "v4? in the code's HEAD, v5? in aimdvc.lock, not committed" in code.shell("status").out
    code.git("stash", "-q")
    assert "aimdvc.lock names another commit" in code.shell("status").out
    follow(code, "4")
    code.git("stash", "pop", "-q")
    code.shell("checkout")
    assert code.text() == "5"
    assert "v4? in the code's HEAD, v5? in aimdvc.lock, not committed" in code.shell("status").out


def test_a_rebase_of_a_branch_that_moves_another_artifact(code: Code) -> None:
    code.git("checkout", "-q", "-b", "topic", "main~1")
    follow(code, "3")
    code.shell.write("model.bin", "m1")
    code.shell.commit("model.bin")
    code.record("a model")
    code.git("rebase", "-q", "main")
    follow(code, "4")
    assert (code.here / "model.bin").read_text() == "m1"
    code.git("checkout", "-q", "main")
    code.shell("checkout")
    assert not (code.here / "model.bin").exists()
    code.git("checkout", "-q", "topic")
    code.shell("checkout")
    assert (code.here / "model.bin").read_text() == "m1"


def test_a_merge_of_two_branches_that_moved_different_artifacts(code: Code) -> None:
    code.git("checkout", "-q", "-b", "topic")
    code.shell.write("model.bin", "m1")
    code.shell.commit("model.bin")
    code.record("a model")
    code.git("checkout", "-q", "main")
    code.shell("checkout")
    code.version("5")
    code.git("merge", "-q", "--no-edit", "topic")
    follow(code, "5")
    assert (code.here / "model.bin").read_text() == "m1"


def test_a_conflict_in_the_lock_is_told_and_changes_nothing(code: Code) -> None:
    code.git("checkout", "-q", "-b", "topic", "main~1")
    code.shell("checkout")
    code.shell("switch", "-c", "other", "data")
    code.version("theirs")
    code.git("checkout", "-q", "main")
    code.shell("checkout")
    before = code.text()
    code.version("5")
    merged = subprocess.run(["git", "merge", "topic"], cwd=code.here, capture_output=True, text=True)
    assert merged.returncode == 1
    for command in ("status", "checkout", "pull"):
        told = code.shell(command, code=2).err
        assert "aimdvc.lock" in told
        assert told.count("\n") <= 2 or "Traceback" in told
    assert (before, code.text()) == ("4", "5")
    code.git("merge", "--abort")
    follow(code, "5")


def test_bisect_run_finds_the_commit_that_brought_a_version(code: Code, tmp_path: Path) -> None:
    script = tmp_path / "judge"
    script.write_text('#!/bin/sh\naimdvc checkout || exit 125\ntest "$(cat data/a)" -lt 3\n')
    script.chmod(0o755)
    third = code.git("rev-parse", "main~1").strip()
    code.git("bisect", "start", "main", "main~3")
    told = code.git("bisect", "run", str(script))
    assert f"{third} is the first bad commit" in told
    code.git("bisect", "reset")
    follow(code, "4")


def test_an_artifact_that_a_code_commit_does_not_pin_is_not_there(code: Code) -> None:
    before = code.git("rev-parse", "main").strip()
    code.shell.write("more/x/b", b"b" * 70_000)
    code.shell.write("more/y/b", "2")
    code.shell.commit("more")
    code.shell("checkout", "more", "--exclude", "y/")
    code.record("more")
    code.git("checkout", "-q", before)
    if (code.here / "more").exists():
        assert "more: 'more' at v1?" in code.shell("status").out
        assert "the code doesn't pin it any more: `aimdvc checkout` takes its files away" in code.shell("status").out
        assert "more: not pinned any more: 1 file deleted" in code.shell("checkout").out
    assert "more" not in {path.split("/")[0] for path in files_of(code.here)}
    assert code.git("status", "--porcelain") == ""
    code.git("checkout", "-q", "main")
    code.shell("checkout")
    assert (code.here / "more/x/b").read_bytes() == b"b" * 70_000
    assert not (code.here / "more/y").exists()
    assert "partial: --exclude y/" in code.shell("status").out


def test_an_unpinned_artifact_with_changes_stays(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.version("1")
    code.shell.write("more/b", "1")
    code.shell.commit("more")
    code.record()
    code.shell.write("more/new", "mine")
    code.git("checkout", "-q", "main~1")
    told = code.shell("checkout", code=1).out
    assert "more: not pinned any more, and has local changes: it stays in 'more'" in told
    assert (code.here / "more/new").read_text() == "mine"
    assert "'more' is not pinned any more, and has local changes: it stays" in code.shell("pull", code=-1).err
    code.git("checkout", "-q", "main")
    assert "Everything is as aimdvc.lock says" in code.shell("checkout").out
    assert (code.here / "more/new").read_text() == "mine"


def test_an_artifact_whose_pin_is_only_taken_out_of_the_lock_by_hand_stays(tmp_path: Path) -> None:
    code = make_code(tmp_path / "code")
    code.version("1")
    git(code.here, "config", "-f", "aimdvc.lock", "--remove-section", "artifact.data")
    assert "pinned v1? in the code's HEAD, not in aimdvc.lock" in code.shell("status").out
    code.shell("checkout")
    assert code.text() == "1"
    (code.here / "aimdvc.lock").unlink()
    assert "`git checkout HEAD -- aimdvc.lock` brings it back" in code.shell("checkout", code=2).err
    assert code.text() == "1"


def test_a_pull_of_the_code_that_drops_an_artifact_takes_its_files_away(tmp_path: Path, remote: str) -> None:
    code = make_code(tmp_path / "code", remote=remote)
    code.version("1")
    code.shell.write("more/b", "1")
    code.shell.commit("more")
    code.shell("push")
    code.record()
    other = clone_code(code, tmp_path / "other")
    other.shell("pull")
    code.shell("rm", "-r", "more")
    code.record("no more")
    other.git("pull", "-q")
    assert "more: not pinned any more: 1 file deleted; the store keeps v1" in other.shell("pull").out
    assert not (other.here / "more").exists()
    assert other.git("status", "--porcelain") == ""
