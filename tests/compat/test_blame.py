"""`blame` names the commits that stock Git names, in histories with merges, and is quick in long ones."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git.blame import iter_blame
from aimdvc.git.history import History
from aimdvc.model.oid import GitId
from tests.shell import Shell, git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
PATHS = [f"{directory}{name}" for directory in ("", "d/", "d/e/", "f/") for name in ("a", "b", "c")]


def is_all(path: str) -> bool:
    return True


def imported(place: Path, stream: str) -> Path:
    git(place.parent, "init", "-q", "--bare", "-b", "main", str(place))
    subprocess.run(["git", "fast-import", "--quiet"], cwd=place, input=stream.encode(), check=True)
    return place


def commit_text(mark: int, parents: list[int], edits: dict[str, str | None], when: int) -> str:
    lines = ["commit refs/heads/main", f"mark :{mark}", f"committer A <a@b> {when} +0000", "data 1", "m"]
    for number, parent in enumerate(parents):
        lines.append(f"{'merge' if number else 'from'} :{parent}")
    for path, content in edits.items():
        lines += [f"D {path}"] if content is None else [f"M 100644 inline {path}", f"data {len(content)}", content]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(8))
def test_the_commits_are_those_of_stock_git(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    parts = []
    for mark in range(1, 40):
        parents = sorted(source.sample(range(1, mark), min(mark - 1, source.choice([1, 1, 2, 3]))), reverse=True)
        edits = {path: source.choice(["1", "2", None]) for path in source.sample(PATHS, source.choice([0, 1, 3]))}
        # Clocks that go wrong change no answer.
        parts.append(commit_text(mark, parents, edits, 1_700_000_000 + source.choice([mark * 10, 5])))
    place = imported(tmp_path / "r.git", "".join(parts))
    tip = GitId(git(place, "rev-parse", "main").strip())
    wanted = {
        path: git(place, "log", "-1", "--format=%H", "main", "--", path).strip()
        for path in git(place, "ls-tree", "-r", "--name-only", "main").split()
    }
    with History.open(place, Disk()) as history:
        for scope in ("", "d", "d/e", *list(wanted)[:2]):
            found = {path: commit.id for commit, paths in iter_blame(history, tip, scope, is_all) for path in paths}
            inside = {p: c for p, c in wanted.items() if not scope or p == scope or p.startswith(f"{scope}/")}
            assert found == inside


def test_ten_thousand_versions_take_seconds(tmp_path: Path) -> None:
    parts = [commit_text(1, [], dict.fromkeys(PATHS, "0"), 1)]
    parts += [commit_text(mark, [mark - 1], {"d/a": str(mark)}, mark) for mark in range(2, 10_001)]
    place = imported(tmp_path / "r.git", "".join(parts))
    tip = GitId(git(place, "rev-parse", "main").strip())
    with History.open(place, Disk()) as history:
        start = time.perf_counter()
        answers = iter_blame(history, tip, "", is_all)
        commit, paths = next(answers)
        assert (commit.id, paths) == (tip, ["d/a"])
        assert time.perf_counter() - start < 1, "the first answers wait for the last"
        assert [sorted(paths) for _, paths in answers] == [sorted(set(PATHS) - {"d/a"})]
        assert time.perf_counter() - start < 30


def test_blame_tells_version_author_and_the_commit_of_the_code(shell: Shell) -> None:
    git(shell.here, "init", "-q")
    shell("init")
    shell.write("data/a", "1")
    shell.write("data/sub/b", "1")
    shell.commit("data", "first")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "code one")
    first = git(shell.here, "rev-parse", "HEAD").strip()
    shell.write("code.py", "pass\n")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "code two")
    shell.write("data/a", "2")
    shell.commit("data", "second\n\nAimd-Code: 0123456789012345678901234567890123456789+dirty")
    lines = [line.split("\t") for line in shell("blame", "data").out.splitlines()]
    assert [(line[0], line[3], line[4], line[5], line[6]) for line in lines] == [
        ("v2?", "A User", "012345678901", "a", "second"),
        ("v1?", "A User", first[:12], "sub/b", "first"),
    ]
    assert shell("blame", "data/sub/b").out == "\t".join(lines[1]) + "\n"
    assert shell("blame", "b", at=shell.here / "data/sub").out == "\t".join(lines[1]) + "\n"
    assert shell("blame", "data@HEAD~1:a").out.startswith("v1?\t")
    assert shell("blame", "--", "data/a").out.startswith("v2?\t")
    assert shell("blame", "data/a", "-z").raw.split(b"\0")[4:7] == [
        b"0123456789012345678901234567890123456789+dirty",
        b"a",
        b"second",
    ]
    found = shell("blame", "data:sub", "--json").json["entries"]
    assert [(one["path"], one["version"], one["code"]) for one in found] == [("sub/b", "v1?", first)]
    for wrong in ("data:none", "data/none", "nothing@v1", ":x"):
        assert shell("blame", wrong, "--json", code=2).json["hint"]


def test_what_the_code_repository_holds_stops_no_blame(shell: Shell) -> None:
    git(shell.here, "init", "-q")
    shell("init")
    shell.write("data/a", "1")
    shell.commit("data", "first")
    assert "\t-\ta\t" in shell("blame", "data").out
    shell.write("aimdvc.lock", "<<<<<<< ours\n")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "conflict")
    shell("reset", "data@HEAD", code=-1)
    (shell.here / "aimdvc.lock").unlink()
    git(shell.here, "checkout", "-q", "--detach")
    assert "\t-\ta\t" in shell("blame", "data").out
