"""Trees: rewriting them agrees with a dict of paths, and what can't be a tree is told as damage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimdvc.errors import CorruptRepository, UnsafePath
from aimdvc.git.kinds import TREE
from aimdvc.git.packs import git_id_of
from aimdvc.git.trees import (
    DEPTH_LIMIT,
    Edits,
    Node,
    compare_trees,
    dump_tree,
    edit_tree,
    iter_files,
    iter_new_objects,
    parse_tree,
)
from aimdvc.model.entries import Mode
from aimdvc.model.oid import EMPTY_TREE, GitId

NAMES = st.sampled_from(["a", "b", "a.c", "a-"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
BLOBS = st.integers(1, 9).map(lambda number: (int(Mode.FILE), GitId(str(number) * 40)))


class Trees:
    """Trees in memory, by id."""

    def __init__(self) -> None:
        self.contents = {EMPTY_TREE: b""}

    def read(self, git_id: GitId) -> bytes:
        return self.contents[git_id]

    def write(self, content: bytes) -> GitId:
        git_id = git_id_of(TREE, content)
        self.contents[git_id] = content
        return git_id

    def edit(self, base: GitId | None, edits: Edits) -> GitId:
        return edit_tree(self.read, self.write, base, edits)

    def files(self, tree: GitId) -> dict[str, tuple[int, GitId]]:
        return {raw.path.decode(): (raw.mode, raw.git_id) for raw in iter_files(self.read, tree)}

    def nested(self, depth: int) -> GitId:
        tree = self.write(dump_tree({b"f": Node(int(Mode.FILE), GitId("1" * 40))}))
        for _ in range(depth):
            tree = self.write(dump_tree({b"d": Node(int(Mode.TREE), tree)}))
        return tree


def is_below(path: str, directory: str) -> bool:
    return path.startswith(directory + "/")


def without_clashes(files: dict[str, tuple[int, GitId]]) -> dict[str, tuple[int, GitId]]:
    return {path: value for path, value in files.items() if not any(is_below(other, path) for other in files)}


def model(before: dict[str, tuple[int, GitId]], edits: Edits) -> dict[str, tuple[int, GitId]]:
    after = {path: value for path, value in before.items() if path not in edits}
    for path, edit in edits.items():
        if edit is not None:
            after = {
                other: value
                for other, value in after.items()
                if not is_below(other, path) and not is_below(path, other)
            }
    return after | {path: edit for path, edit in edits.items() if edit is not None}


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(PATHS, BLOBS), st.dictionaries(PATHS, BLOBS), st.sets(PATHS), st.randoms())
def test_edits_agree_with_a_dict_whatever_their_order(
    before: dict[str, tuple[int, GitId]], sets: dict[str, tuple[int, GitId]], removals: set[str], random: object
) -> None:
    before, sets = without_clashes(before), without_clashes(sets)
    edits: dict[str, tuple[int, GitId] | None] = {**dict.fromkeys(removals), **sets}
    shuffled = list(edits.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    trees = Trees()
    base = trees.edit(None, before)
    assert trees.files(base) == before
    assert trees.files(trees.edit(base, dict(shuffled))) == model(before, edits)


def test_a_file_replaces_a_directory_whose_files_go() -> None:
    trees = Trees()
    file = (int(Mode.FILE), GitId("1" * 40))
    base = trees.edit(None, {"dir/f": file, "dir/deep/g": file})
    edits: dict[str, tuple[int, GitId] | None] = {"dir": file, "dir/f": None, "dir/deep/g": None}
    assert trees.files(trees.edit(base, edits)) == {"dir": file}
    assert trees.files(trees.edit(base, dict(reversed(edits.items())))) == {"dir": file}


@pytest.mark.parametrize("mode", [b"", b"10x644", b"-1", b"1006440000"])
def test_an_entry_with_a_bad_mode_is_damage(mode: bytes) -> None:
    with pytest.raises(CorruptRepository, match="mode"):
        parse_tree(mode + b" name\0" + b"1" * 20)


def test_trees_deeper_than_the_limit_are_damage() -> None:
    trees = Trees()
    fine, deep = trees.nested(DEPTH_LIMIT), trees.nested(2000)
    assert len(trees.files(fine)) == 1
    assert len(list(compare_trees(trees.read, None, fine))) == 1
    assert len(list(iter_new_objects(trees.read, None, fine, set()))) == DEPTH_LIMIT + 2
    for walk in (
        iter_files(trees.read, deep),
        compare_trees(trees.read, None, deep),
        iter_new_objects(trees.read, None, deep, set()),
    ):
        with pytest.raises(CorruptRepository, match="512 directories deep"):
            list(walk)


def test_a_path_deeper_than_the_limit_is_refused() -> None:
    with pytest.raises(UnsafePath, match="directories deep"):
        Trees().edit(None, {"d/" * 600 + "f": (int(Mode.FILE), GitId("1" * 40))})
