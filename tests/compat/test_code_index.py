"""The index of a code repository in each form that stock Git writes."""

import random
import shutil
import subprocess

import pytest

from aimdvc.errors import CorruptRepository, UsageError
from aimdvc.git.code import is_tracked
from tests.shell import Shell

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def code(shell: Shell) -> Shell:
    """A workspace in a code repository that tracks `src/a` and `src/b`."""
    for name in ("a", "b"):
        shell.write(f"src/{name}", name)
    git(shell, "init", "-q")
    git(shell, "add", "src")
    git(shell, "commit", "-qm", "m")
    return shell


def git(shell: Shell, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=shell.here, check=True, capture_output=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["update-index", "--index-version", "2"],
        ["update-index", "--index-version", "4"],
        ["update-index", "--force-untracked-cache"],
        ["update-index", "--force-write-index"],
    ],
    ids=lambda arguments: arguments[1] + arguments[-1],
)
def test_what_git_tracks_is_read(code: Shell, arguments: list[str]) -> None:
    git(code, *arguments)
    assert is_tracked(code.here / ".git", "src")
    assert is_tracked(code.here / ".git", "src/b")
    assert not is_tracked(code.here / ".git", "sr")


def test_a_split_index_is_named_with_what_undoes_it(code: Shell) -> None:
    git(code, "update-index", "--split-index")
    code("init")
    code.write("data/x", "x")
    done = code("add", "data", "--json", code=2).json
    assert "is a split index" in done["message"]
    assert done["hint"] == "run `git update-index --no-split-index`"
    git(code, "update-index", "--no-split-index")
    code("add", "data")


def test_a_sparse_index_is_named(code: Shell) -> None:
    code.write("other/deep/c", "c")
    git(code, "add", "other")
    git(code, "commit", "-qm", "m")
    git(code, "sparse-checkout", "init", "--cone", "--sparse-index")
    git(code, "sparse-checkout", "set", "src")
    with pytest.raises(UsageError, match="sparse index") as told:
        is_tracked(code.here / ".git", "other")
    git(code, *told.value.hint.removeprefix("run `git ").rstrip("`").split())
    assert is_tracked(code.here / ".git", "other/deep/c")


def test_a_damaged_index_is_told_as_such(code: Shell) -> None:
    path = code.here / ".git/index"
    whole = path.read_bytes()
    source = random.Random(1)
    told = 0
    for _ in range(200):
        raw = bytearray(whole[: source.randrange(len(whole))]) + source.randbytes(source.randrange(30))
        raw[source.randrange(len(raw))] = source.randrange(256)
        path.write_bytes(raw)
        try:
            is_tracked(code.here / ".git", "src")
        except CorruptRepository:
            told += 1
    assert told > 100
