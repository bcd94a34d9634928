"""Reverting: stock Git is the judge of the commits, and conflicts are settled as in a merge."""

import shutil

import pytest

from tests.e2e.diverging import conflicts, data, in_git, repository, two_lines, write_all
from tests.shell import Shell, git


def test_a_revert_is_what_git_would_make(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "second\n", "new": "n\n", "dir/d": None}, {})
    second = in_git(shell, "rev-parse", "main")
    write_all(shell, {"b.txt": "third\n"})
    shell.commit("data", "third")
    shell("revert", "HEAD~1")
    tip = in_git(shell, "rev-parse", "main")
    clone = shell.here / "judge"
    git(shell.here, "clone", "-q", str(repository(shell)), str(clone))
    git(clone, "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false", "reset", "-q", "--hard", f"{tip}~1")
    git(clone, "revert", "--no-edit", second)
    assert git(clone, "rev-parse", "HEAD^{tree}").strip() == in_git(shell, "rev-parse", f"{tip}^{{tree}}")
    assert git(clone, "log", "-1", "--format=%B") == in_git(shell, "log", "-1", "--format=%B", tip) + "\n\n"
    assert data(shell) == {"a.txt": b"a\n", "b.txt": b"third\n", "c.md": b"c\n", "dir/d": b"d\n"}
    shutil.rmtree(clone)
    assert "nothing to revert" in shell("revert", f"@{second[:12]}").out
    assert in_git(shell, "rev-parse", "main") == tip


def test_a_revert_that_conflicts_is_settled_like_a_merge(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "second\n", "b.txt": "second\n"}, {})
    write_all(shell, {"a.txt": "third\n"})
    shell.commit("data", "third")
    before = data(shell)
    assert shell("revert", "HEAD~1", "--json", code=1).json["error"] == "merge-conflict"
    assert conflicts(shell) == ["a.txt"]
    shell("revert", "--abort")
    assert data(shell) == before
    shell("revert", "HEAD~1", code=1)
    shell("merge", "--theirs")
    shell("commit")
    assert in_git(shell, "log", "-1", "--format=%s", "main") == 'Revert "ours"'
    assert len(in_git(shell, "log", "-1", "--format=%P", "main").split()) == 1
    assert data(shell)["a.txt"] == b"a\n"


def test_a_revert_of_a_merge_asks_which_parent_comes_back(shell: Shell) -> None:
    two_lines(shell, {"a.txt": "ours\n"}, {"c.md": "theirs\n"})
    shell("merge", "topic")
    assert "-m N" in shell("revert", "HEAD", code=2).err
    assert "a merge of 2 parents" in shell("revert", "-m", "3", "HEAD", code=2).err
    shell("revert", "-m", "1", "HEAD")
    assert in_git(shell, "rev-parse", "main^{tree}") == in_git(shell, "rev-parse", "main~2^{tree}")
    assert "reversing\nchanges made to" in in_git(shell, "log", "-1", "--format=%B", "main")
    assert "no merge" in shell("revert", "-m", "1", "HEAD", code=2).err
    assert "first version" in shell("revert", "topic~1", code=2).err


@pytest.mark.parametrize("revision", ["HEAD", "main", "latest", "main~0"])
def test_a_revert_that_was_cut_is_not_undone_by_running_it_again(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    two_lines(shell, {"a.txt": "second\n"}, {})

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("aimdvc.store.state.State.move_head", stop)
        shell("revert", f"data@{revision}", code=130)
    shell("revert", f"data@{revision}")
    assert data(shell)["a.txt"] == b"a\n"
    assert in_git(shell, "log", "-1", "--format=%s", "main") == 'Revert "ours"'
