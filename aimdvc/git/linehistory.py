"""What lay at one path of the code, commit by commit, on the line of first parents: for `import`.

Reads git objects only; contents of files are catfile.py's.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aimdvc.fs.disk import Disk
from aimdvc.git.code import check_code_format, head_commit
from aimdvc.git.history import History
from aimdvc.git.trees import Node, compare_trees, find_entry, iter_files
from aimdvc.model.commits import Commit
from aimdvc.model.entries import Mode, path_text
from aimdvc.model.oid import GitId

_FILES = (Mode.FILE, Mode.EXECUTABLE)


class Step(NamedTuple):
    """A commit, and what lies at the path since: by path relative to it, None for what went away."""

    commit: Commit
    changes: Mapping[str, Node | None]


def node_at_head(git_dir: Path, common_dir: Path, path: str) -> Node | None:
    """Returns what HEAD has at a path of the work tree, None for nothing. Raises CorruptRepository."""
    check_code_format(common_dir)
    head = head_commit(git_dir, common_dir)
    with History(common_dir, Disk()) as history:
        return find_entry(history.read_tree, history.commit(head).tree, path) if head is not None else None


def find_submodule(git_dir: Path, common_dir: Path, path: str) -> str | None:
    """Returns the path of a submodule that HEAD has below a directory of the work tree, None where it has none."""
    node = node_at_head(git_dir, common_dir, path)
    if node is None or node.mode != Mode.TREE:
        return None
    with History(common_dir, Disk()) as history:
        files = iter_files(history.read_tree, node.git_id)
        return next((f"{path}/{path_text(one.path)}" for one in files if one.mode == Mode.GITLINK), None)


def iter_steps(git_dir: Path, common_dir: Path, path: str, is_whole: bool = True) -> Iterator[Step]:
    """Yields the commits that changed what lies at a path, oldest first, from HEAD back by first parents.

    Only those where it is what it is at HEAD, a directory or a file; without `is_whole` HEAD alone. A shallow clone's
    line ends early. Submodules are left out. Raises CorruptRepository.
    """
    with History(common_dir, Disk()) as history:
        found: list[tuple[Commit, Node]] = []
        current = head_commit(git_dir, common_dir)
        while current is not None:
            commit = history.commit(current)
            node = find_entry(history.read_tree, commit.tree, path)
            if node is not None and (not found or _is_same_kind(node, found[0][1])):
                if found and found[-1][1] == node:
                    found.pop()
                found.append((commit, node))
            is_end = not commit.parents or current in history.shallow or not is_whole
            current = None if is_end else commit.parents[0]
        before: Node | None = None
        for commit, node in reversed(found):
            yield Step(commit, _changes(history, path, before, node))
            before = node


def is_shallow(common_dir: Path) -> bool:
    """Returns whether the clone of the code lacks the beginning of its history."""
    return (common_dir / "shallow").exists()


def _is_same_kind(one: Node, other: Node) -> bool:
    return (one.mode == Mode.TREE) == (other.mode == Mode.TREE)


def _changes(history: History, path: str, before: Node | None, now: Node) -> dict[str, Node | None]:
    if now.mode != Mode.TREE:
        return {path.rpartition("/")[2]: now}
    changes: dict[str, Node | None] = {}
    for old, new in compare_trees(history.read_tree, before.git_id if before is not None else None, now.git_id):
        was = old is not None and old.mode != Mode.GITLINK
        if new is not None and new.mode != Mode.GITLINK:
            changes[path_text(new.path)] = Node(new.mode, new.git_id)
        elif was and old is not None:
            changes[path_text(old.path)] = None
    return changes


def iter_files_of_line(
    git_dir: Path, common_dir: Path, paths: Sequence[str], is_whole: bool = True
) -> Iterator[tuple[Commit, dict[str, GitId]]]:
    """Yields each commit from HEAD back by first parents, newest first, with those of these files that it has.

    Without `is_whole` HEAD alone. Raises UnsupportedFormat, CorruptRepository.
    """
    check_code_format(common_dir)
    with History(common_dir, Disk()) as history:
        current = head_commit(git_dir, common_dir)
        while current is not None:
            commit = history.commit(current)
            nodes = {path: find_entry(history.read_tree, commit.tree, path) for path in paths}
            yield (
                commit,
                {path: node.git_id for path, node in nodes.items() if node is not None and node.mode in _FILES},
            )
            is_end = not commit.parents or current in history.shallow or not is_whole
            current = None if is_end else commit.parents[0]
