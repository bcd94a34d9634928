"""Git merges aimdvc.lock by artifact: merges, rebases and cherry-picks with real Git, and what settles a conflict."""

import subprocess

import pytest

from tests.shell import Shell, files_of, git


@pytest.fixture
def code(shell: Shell) -> Shell:
    """A code repository with `data`, `net` and `far`, and Git's merge driver; `topic` stands where main does."""
    git(shell.here, "init", "-q", "-b", "main")
    shell("init")
    for name in ("data", "far", "net"):
        shell.write(f"{name}/a", "1")
        shell.commit(name)
    git(shell.here, "config", "merge.aimdvc-lock.driver", "aimdvc hook merge-driver %O %A %B %P")
    (shell.here / ".git/info/attributes").write_text("aimdvc.lock merge=aimdvc-lock\n")
    commit(shell, "one")
    git(shell.here, "branch", "topic")
    return shell


def commit(shell: Shell, message: str) -> None:
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", message)


def go(shell: Shell, branch: str) -> None:
    git(shell.here, "checkout", "-q", branch)
    shell("checkout")


def move(shell: Shell, name: str, content: str, path: str = "a") -> str:
    shell.write(f"{name}/{path}", content)
    moved = shell.commit(name, content)
    commit(shell, f"{name} {content}")
    return moved


def merge(shell: Shell, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(["git", *arguments], cwd=shell.here, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def part(shell: Shell) -> tuple[str, str]:
    """Moves `data` on main and on topic; returns the commits."""
    ours = move(shell, "data", "ours")
    go(shell, "topic")
    shell("switch", "-c", "data@topic")
    theirs = move(shell, "data", "theirs", "b")
    go(shell, "main")
    return ours, theirs


def test_what_each_side_did_to_another_artifact_is_taken(code: Shell) -> None:
    move(code, "data", "2")
    code("rm", "-rf", "far")
    commit(code, "far is gone")
    go(code, "topic")
    move(code, "net", "2")
    move(code, "new", "1")
    go(code, "main")
    assert merge(code, "merge", "-q", "--no-edit", "topic")[0] == 0
    code("checkout")
    assert code("check").code == 0
    lock = (code.here / "aimdvc.lock").read_text()
    assert [name for name in ("data", "far", "net", "new") if f'"{name}"' in lock] == ["data", "net", "new"]
    assert [(code.here / name / "a").read_text() for name in ("data", "net", "new")] == ["2", "2", "1"]


@pytest.mark.parametrize("how", [["merge", "--no-edit", "topic"], ["cherry-pick", "topic"], ["rebase", "topic"]])
def test_an_artifact_that_both_moved_stops_git_with_what_settles_it(code: Shell, how: list[str]) -> None:
    ours, theirs = part(code)
    status, said = merge(code, *how)
    assert status == 1
    assert f"aimdvc checkout data@{theirs[:12]}" in said and f"aimdvc checkout data@{ours[:12]}" in said
    assert "UU aimdvc.lock" in git(code.here, "status", "--short")
    lock = (code.here / "aimdvc.lock").read_text()
    assert lock.count("<<<<<<<") == 1 and lock.index(">>>>>>>") < lock.index('"far"')
    for command in (["status"], ["commit", "-m", "m"], ["pull"], ["checkout"], ["upgrade"]):
        told = code(*command, "--json", code=2).json
        assert told["error"] == "lock-conflict", command
        assert "'data'" in told["message"] and "git add aimdvc.lock" in told["hint"]
    assert code("check", "--json", code=1).json["findings"][0]["kind"] == "unreadable"
    command = told["hint"].split("`")[1].split()
    assert command[:2] == ["aimdvc", "checkout"]
    code("checkout", f"data@{theirs[:12]}")
    git(code.here, "add", "aimdvc.lock")
    assert code("check").code == 0
    assert (code.here / "data/b").read_text() == "theirs"


def test_a_merge_of_the_data_settles_the_lock_with_both_sides(code: Shell) -> None:
    _, theirs = part(code)
    assert merge(code, "merge", "--no-edit", "topic")[0] == 1
    code("merge", f"data@{theirs[:12]}")
    git(code.here, "commit", "-qam", "merged")
    assert code("check").code == 0
    assert files_of(code.here / "data") == {"a": b"ours", "b": b"theirs"}


def test_several_are_settled_one_by_one(code: Shell) -> None:
    ours, theirs = part(code)
    move(code, "net", "ours")
    go(code, "topic")
    code("switch", "-c", "net@topic")
    net = move(code, "net", "theirs")
    go(code, "main")
    assert merge(code, "merge", "--no-edit", "topic")[0] == 1
    assert {"data", "net"} == set(_named(code))
    code("checkout", f"net@{net[:12]}")
    assert _named(code) == ["data"]
    code("checkout", f"data@{ours[:12]}")
    git(code.here, "commit", "-qam", "merged")
    assert code("check").code == 0
    assert [(code.here / name / "a").read_text() for name in ("data", "net")] == ["ours", "theirs"]
    assert theirs not in (code.here / "aimdvc.lock").read_text()


def _named(code: Shell) -> list[str]:
    message = code("status", "--json", code=2).json["message"]
    return [name for name in ("data", "far", "net") if f"'{name}'" in message]


@pytest.mark.parametrize("is_kept", [True, False])
def test_an_artifact_that_one_side_removed_is_kept_or_removed(code: Shell, is_kept: bool) -> None:
    moved = move(code, "data", "2")
    go(code, "topic")
    code("rm", "-rf", "data")
    commit(code, "data is gone")
    git(code.here, "checkout", "-q", "main")
    code("checkout")
    status, said = merge(code, "merge", "--no-edit", "topic")
    assert status == 1 and "removed in theirs" in said and "`aimdvc rm -r data` removes it" in said
    code(*(["checkout", f"data@{moved[:12]}"] if is_kept else ["rm", "-rf", "data"]))
    git(code.here, "add", "-A")
    git(code.here, "commit", "-qm", "merged")
    assert ('"data"' in (code.here / "aimdvc.lock").read_text()) is is_kept
    assert code("check").code == 0


def test_both_added_one_and_without_the_driver_the_marks_of_git_do_as_well(code: Shell) -> None:
    (code.here / ".git/info/attributes").unlink()
    _, theirs = part(code)
    assert merge(code, "merge", "--no-edit", "topic")[0] == 1
    assert _named(code) == ["data"]
    code("checkout", f"data@{theirs[:12]}")
    git(code.here, "commit", "-qam", "merged")
    assert code("check").code == 0


def test_a_side_that_is_no_lock_is_not_dropped(code: Shell) -> None:
    for name, content in (("o", ""), ("a", "[artifact"), ("b", '[artifact "x"]\n')):
        code.write(name, content)
    said = code("hook", "merge-driver", "o", "a", "b", "aimdvc.lock", code=1).out
    assert "neither side was dropped" in said
    assert (code.here / "a").read_text() == '<<<<<<< ours\n[artifact\n=======\n[artifact "x"]\n>>>>>>> theirs\n'
    assert "is not there" in code("hook", "merge-driver", "none", "a", "b", code=2).err


def test_a_lock_that_one_side_deleted_and_the_other_moved_is_told(code: Shell) -> None:
    move(code, "data", "2")
    git(code.here, "checkout", "-q", "topic")
    git(code.here, "rm", "-q", "aimdvc.lock"), git(code.here, "commit", "-qm", "no lock")
    git(code.here, "checkout", "-q", "main")
    assert merge(code, "merge", "--no-edit", "topic")[0] == 1
    assert "theirs deleted aimdvc.lock" in code("status", "--json", code=2).json["message"]
    git(code.here, "add", "aimdvc.lock")
    assert code("status").code == 0
