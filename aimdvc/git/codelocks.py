"""Every `aimdvc.lock` that a commit of the code repository holds, of all that its refs reach.

Reads files and git objects only; no git process runs. Strict: what can't be read is an error, since what it pins is
not known.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.git.commits import parse_commit, tag_target
from aimdvc.git.kinds import BLOB, COMMIT, TAG, TREE
from aimdvc.git.objects import Objects
from aimdvc.git.refs import Refs
from aimdvc.git.trees import find_entry
from aimdvc.model.oid import EMPTY_TREE, GitId


def iter_locks(common: Path, paths: Collection[str]) -> Iterator[bytes]:
    """Yields the content of every version of the locks at these paths of the work tree, each once.

    Raises CorruptRepository for what can't be read.
    """
    objects = Objects(common)
    try:
        for git_id in sorted(_lock_ids(objects, list(Refs(common, Disk()).all().values()), paths)):
            kind, content = objects.read(git_id)
            if kind == BLOB:
                yield content
    finally:
        objects.close()


def _lock_ids(objects: Objects, pending: list[GitId], paths: Collection[str]) -> set[GitId]:
    found: set[GitId] = set()
    seen: set[GitId] = set()
    trees: set[GitId] = {EMPTY_TREE}
    while pending:
        git_id = pending.pop()
        if git_id in seen:
            continue
        seen.add(git_id)
        kind, content = objects.read(git_id)
        if kind == COMMIT:
            commit = parse_commit(git_id, content)
            pending += [commit.tree, *commit.parents]
        elif kind == TAG:
            pending.append(tag_target(git_id, content))
        elif kind == TREE and git_id not in trees:
            trees.add(git_id)
            nodes = (find_entry(lambda tree: objects.read(tree)[1], git_id, path) for path in paths)
            found |= {node.git_id for node in nodes if node is not None and node.mode != 0o160000}
    return found
