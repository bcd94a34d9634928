"""What a trial records of the code, with stock Git as judge: nothing of the repository is run to find out."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aimdvc.sdk.git_state import read_git_state
from tests.shell import git, unmeasured


@pytest.fixture
def code(tmp_path: Path) -> Path:
    place = tmp_path / "code"
    (place / "sub").mkdir(parents=True)
    git(place, "init", "-q", "-b", "main")
    for name in ("train.py", "sub/run.py", "data.txt"):
        (place / name).write_text(f"{name}\n")
    (place / "link").symlink_to("train.py")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "m")
    return place


def state(code: Path, entry: str | None = "train.py") -> dict[str, Any]:
    return read_git_state(code / entry if entry else None, code)


def test_the_state_is_that_of_the_repository_of_the_entry_point(code: Path, tmp_path: Path) -> None:
    git(code, "remote", "add", "origin", "https://ada:secret@example.org/team/code.git?token=x")
    head = git(code, "rev-parse", "HEAD").strip()
    assert read_git_state(code / "sub" / "run.py", tmp_path) == {
        "local_path": str(code),
        "remote_url": "https://example.org/team/code.git",
        "branch": "main",
        "commit": head,
        "is_dirty": False,
        "entrypoint": "sub/run.py",
    }
    outside = tmp_path / "script.py"
    outside.touch()
    assert read_git_state(outside, code / "sub")["entrypoint"] == str(outside)
    assert read_git_state(None, code / "sub")["commit"] == head
    git(code, "checkout", "-q", "--detach")
    assert (state(code)["branch"], state(code)["commit"]) == (None, head)


def test_outside_of_a_repository_and_before_the_first_commit_less_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    assert set(read_git_state(tmp_path / "a.py", tmp_path).values()) == {str(tmp_path / "a.py"), None}
    git(tmp_path, "init", "-q", "-b", "main")
    found = state(tmp_path, "a.py")
    assert (found["branch"], found["commit"], found["is_dirty"]) == ("main", None, False)
    git(tmp_path, "add", "a.py")
    assert state(tmp_path, "a.py")["is_dirty"] is True


CHANGES = {
    "nothing": ":",
    "another file": "touch new.py",
    "a touch": "touch -d @1 train.py",
    "the same bytes again": "echo train.py > train.py",
    "other bytes of the same size": "echo tRain.py > train.py",
    "more bytes": "echo more than that > train.py",
    "a deletion": "rm train.py",
    "a mode": "chmod 755 train.py",
    "a link elsewhere": "ln -snf data.txt link",
    "a link for a file": "ln -snf data.txt train.py",
    "a directory for a file": "rm train.py; mkdir train.py",
    "staged": "touch new.py; git add new.py",
    "to be added": "touch new.py; git add -N new.py",
    "staged, then put back": "echo x > train.py; git add train.py; echo train.py > train.py",
    "removed from the index": "git rm -q --cached data.txt",
    "not to be looked at": "git update-index --assume-unchanged train.py; echo x > train.py",
    "not checked out": "git update-index --skip-worktree train.py; rm train.py",
    "line endings": "git config core.autocrlf true; rm train.py; git checkout -q train.py; touch -d @1 train.py",
    "modes that mean nothing": "git config core.fileMode false; chmod 755 train.py",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_repository_is_dirty_when_git_says_so(code: Path, change: str) -> None:
    subprocess.run(["sh", "-ec", CHANGES[change]], cwd=code, check=True)
    found = state(code)["is_dirty"]
    assert found == git(code, "describe", "--always", "--dirty").strip().endswith("-dirty")


def test_a_conflict_is_dirty_and_a_worktree_has_a_state_of_its_own(code: Path, tmp_path: Path) -> None:
    git(code, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "train.py").write_text("side\n")
    git(tmp_path / "side", "commit", "-q", "-am", "side")
    assert state(tmp_path / "side")["commit"] == git(code, "rev-parse", "side").strip()
    assert state(tmp_path / "side")["branch"] == "side"
    (code / "train.py").write_text("main\n")
    git(code, "commit", "-q", "-am", "main")
    assert [state(place)["is_dirty"] for place in (code, tmp_path / "side")] == [False, False]
    subprocess.run(["git", "merge", "side"], cwd=code, capture_output=True, check=False)
    assert state(code)["is_dirty"] is True


def test_a_file_of_git_lfs_is_compared_by_its_pointer(code: Path) -> None:
    if subprocess.run(["git", "lfs", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("git-lfs is not installed")
    git(code, "lfs", "install", "--local")
    git(code, "lfs", "track", "*.bin")
    (code / "big.bin").write_bytes(b"x" * 1000)
    git(code, "add", ".")
    git(code, "commit", "-q", "-m", "big")
    os.utime(code / "big.bin", (1, 1))
    assert state(code)["is_dirty"] is False
    (code / "big.bin").write_bytes(b"y" * 1000)
    assert state(code)["is_dirty"] is True


def test_what_only_git_can_read_is_unknown_and_stops_nothing(code: Path) -> None:
    git(code, "update-index", "--split-index")
    found = state(code)
    assert (found["is_dirty"], found["branch"]) == (None, "main")
    (code / ".git" / "index").write_bytes(b"nonsense")
    assert state(code)["is_dirty"] is None
    (code / ".git" / "config").write_bytes(b"[core\n")
    assert state(code)["branch"] is None


def test_nothing_of_the_repository_is_run_and_variables_of_git_are_not_heeded(code: Path, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    for key in ("core.fsmonitor", "filter.x.clean", "filter.x.process", "core.sshCommand", "core.pager"):
        git(code, "config", key, f"touch {trap}")
    (code / ".gitattributes").write_text("* filter=x\n")
    (code / "git").write_text(f"#!/bin/sh\ntouch {trap}\n")
    (code / "git").chmod(0o755)
    (code / "sitecustomize.py").write_text("")
    code_text = (
        "import aimdvc, json, sys; sys.path.remove('')\n"
        "with aimdvc.create_trial() as t: print(json.dumps(t.to_dict()['_git']))"
    )
    environment = {
        **unmeasured(),
        "AIMDVC_HOME": str(tmp_path / "data"),
        "PATH": f".:{os.environ['PATH']}",
        "GIT_DIR": str(tmp_path / "nowhere"),
        "GIT_INDEX_FILE": str(tmp_path / "no-index"),
        "GIT_WORK_TREE": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code_text], cwd=code, env=environment, capture_output=True, text=True, check=True
    )
    assert f'"local_path": "{code}"' in done.stdout
    assert '"branch": "main"' in done.stdout
    assert not trap.exists()
