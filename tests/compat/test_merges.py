"""Merges by path against `git merge-tree`: the same tree where Git has no conflict, and a conflict where it has one."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.model.commits import CommitDraft, Signature
from aimdvc.model.entries import Entry, Mode
from aimdvc.model.merge import merge_entries
from aimdvc.model.oid import GitId

WHO = Signature("A", "a@b.c", 1_700_000_000, 0)
PATHS = ["a", "d", "d/x", "d/y", "d/e/z", "f"]
TREES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["one", "two", "three"]), max_size=5)


def _tree(history: History, files: dict[str, str]) -> GitId:
    # No content is at two paths, so that Git sees no renames; a file wins over what would lie below it.
    kept = {
        path: content
        for path, content in files.items()
        if not any(path.startswith(other + "/") for other in files if other != path)
    }
    with history.writer() as writer:
        edits = {path: (int(Mode.FILE), writer.blob(f"{path} {content}\n".encode())) for path, content in kept.items()}
        return writer.tree(None, {**edits, "always": (int(Mode.FILE), writer.blob(b"there\n"))})


def _commit(history: History, tree: GitId, parents: tuple[GitId, ...]) -> GitId:
    with history.writer() as writer:
        return writer.commit(CommitDraft(tree, parents, WHO, WHO, "m\n"))


def _git_merge(repository: Path, ours: GitId, theirs: GitId) -> tuple[bool, str]:
    done = subprocess.run(
        ["git", "merge-tree", "--write-tree", ours, theirs],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0, done.stdout.split()[0]


def _edit(entry: Entry | None) -> tuple[int, GitId] | None:
    return (entry.mode, entry.git_id) if entry is not None else None


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History.create(tmp_path_factory.mktemp("merges") / "x.git", Disk())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TREES, TREES, TREES)
def test_a_merge_is_git_s(history: History, base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]) -> None:
    trees = [_tree(history, files) for files in (base, ours, theirs)]
    root = _commit(history, trees[0], ())
    is_clean, expected = _git_merge(
        history.path, _commit(history, trees[1], (root,)), _commit(history, trees[2], (root,))
    )
    merged = merge_entries(history.tree_changes(trees[0], trees[1]), history.tree_changes(trees[0], trees[2]))
    assert (not merged.conflicts) == is_clean
    if is_clean:
        assert history.tree_id(trees[1], {path: _edit(entry) for path, entry in merged.edits.items()}) == expected
