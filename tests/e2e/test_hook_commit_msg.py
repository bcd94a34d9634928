"""The hook prepare-commit-msg: a code commit says which artifacts it moves, by real Git."""

from pathlib import Path

import pytest

from tests.e2e.projects import project
from tests.shell import Shell, git


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a project with one artifact, one published version, and the hook."""
    (tmp_path / "remote").mkdir()
    made = project(tmp_path / "project", ("prepare-commit-msg",), str(tmp_path / "remote"))
    made("push")
    return made


def next_version(shell: Shell, text: str) -> str:
    shell.write("data/images/a", text)
    shell.write(f"data/images/{text}", text)
    return shell.commit("data/images")[:12]


def message(shell: Shell) -> str:
    return git(shell.here, "log", "-1", "--format=%B").rstrip("\n")


def test_a_commit_with_a_message_says_what_moved(shell: Shell) -> None:
    commit = next_version(shell, "2")
    git(shell.here, "commit", "-qam", "Train", "-s")
    told = f"images: v1 → v2? ({commit}), +1 ~1 files"
    assert message(shell) == f"Train\n\n{told}\n\nSigned-off-by: A User <user@example.org>"
    next_version(shell, "3")
    shell("push")
    git(shell.here, "commit", "-qam", "Train")
    assert message(shell) == "Train\n\nimages: v2 → v3, +1 ~1 files"


def test_the_editor_shows_the_lines_and_git_keeps_them(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    next_version(shell, "2")
    shell("push")
    monkeypatch.setenv("GIT_EDITOR", "sed -i '1s/^/Train/'")
    git(shell.here, "commit", "-qav")
    assert message(shell) == "Train\n\nimages: v1 → v2, +1 ~1 files"


def test_nothing_is_added_when_nothing_moved_or_again_when_amended(shell: Shell) -> None:
    shell.write("code.py", "2\n")
    git(shell.here, "commit", "-qam", "code")
    assert message(shell) == "code"
    next_version(shell, "2")
    git(shell.here, "commit", "-qam", "Train")
    before = message(shell)
    git(shell.here, "commit", "-q", "--amend", "--no-edit")
    assert message(shell) == before


def test_an_artifact_that_comes_or_goes_is_told(shell: Shell) -> None:
    shell.write("data/other/a", "1")
    shell.commit("data/other")
    shell("push")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "x")
    assert message(shell) == "x\n\nother: new at v1, +1 file"
    shell("rm", "-r", "data/other")
    git(shell.here, "commit", "-qam", "x")
    assert message(shell) == "x\n\nother: no longer used, was v1"


def test_a_commit_that_is_picked_or_rebased_keeps_its_one_line(shell: Shell) -> None:
    next_version(shell, "2")
    git(shell.here, "commit", "-qam", "Train")
    told = message(shell)
    git(shell.here, "switch", "-qc", "side", "HEAD~1")
    shell.write("other.py", "2\n")
    git(shell.here, "add", "other.py")
    git(shell.here, "commit", "-qm", "code")
    git(shell.here, "cherry-pick", "main")
    assert message(shell) == told
    git(shell.here, "switch", "-q", "main")
    git(shell.here, "rebase", "-q", "side~1")
    assert message(shell) == told
