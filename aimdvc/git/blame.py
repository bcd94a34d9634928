"""Which commit made each file of a tree what it is: the one that has it otherwise than all of its parents.

A file goes on to the first parent that has it the same, as Git's history simplification goes. Trees are compared by
their ids, so that work is proportional to what changed. Each file is followed by itself: dates only order the answers.
"""

import heapq
from collections.abc import Callable, Iterator

from aimdvc.git.history import History
from aimdvc.git.trees import Node, compare_trees, find_entry, iter_files
from aimdvc.model.commits import Commit
from aimdvc.model.entries import Mode, path_bytes, path_text
from aimdvc.model.oid import GitId


def iter_blame(
    history: History, start: GitId, path: str, is_told: Callable[[str], bool]
) -> Iterator[tuple[Commit, list[str]]]:
    """Yields commits, newest first, each with the paths of the files at or below `path` that it made what they are.

    `path` "" is all; files that are not to be told are not looked for. Holds the paths that are still looked for.
    Yields nothing where the start has nothing at the path.
    """
    first = history.commit(start)
    node = _node(history, first, path)
    base = path_bytes(path)
    files = {name: _below(base, name) for name in _files(history, node)}
    waiting = {first.id: {name: None for name, place in files.items() if is_told(place)}}
    heap = [(-first.committer.time_s, 0, first, node)]
    count = 0
    while heap:
        _, _, commit, node = heapq.heappop(heap)
        wanted = waiting.pop(commit.id, {})
        for git_id in commit.parents:
            if not wanted:
                break
            parent = history.commit(git_id)
            older = _node(history, parent, path)
            changed = _changed(history, older, node, wanted)
            same, wanted = wanted, {name: wanted.pop(name) for name in changed}
            if not same:
                continue
            if git_id in waiting:
                waiting[git_id].update(same)
                continue
            waiting[git_id] = same
            count += 1
            heapq.heappush(heap, (-parent.committer.time_s, count, parent, older))
        if wanted:
            yield commit, [files[name] for name in sorted(wanted)]


def _below(base: bytes, name: bytes) -> str:
    return path_text(base + b"/" + name if base and name else base or name)


def _node(history: History, commit: Commit, path: str) -> Node | None:
    return find_entry(history.read_tree, commit.tree, path) if path else Node(int(Mode.TREE), commit.tree)


def _files(history: History, node: Node | None) -> dict[bytes, None]:
    """Returns the files below a node by their paths from there, gitlinks aside; b"" is the node itself."""
    if node is None:
        return {}
    if node.mode != Mode.TREE:
        return {b"": None}
    files = iter_files(history.read_tree, node.git_id)
    return dict.fromkeys(file.path for file in files if file.mode != Mode.GITLINK)


def _changed(history: History, old: Node | None, new: Node | None, wanted: dict[bytes, None]) -> list[bytes]:
    """Returns which of the wanted files the older node lacks or has otherwise."""
    if old == new:
        return []
    if old is None or new is None or old.mode != Mode.TREE or new.mode != Mode.TREE:
        return list(wanted)
    pairs = compare_trees(history.read_tree, old.git_id, new.git_id)
    return [after.path for _, after in pairs if after is not None and after.path in wanted]
