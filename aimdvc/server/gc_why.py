"""What keeps a blob on a server: which artifacts own it, and what in them names it."""

import stat
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select

from aimdvc.git.graph import Graph
from aimdvc.git.kinds import COMMIT
from aimdvc.git.trees import parse_tree
from aimdvc.model.entries import path_text
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import POINTER_LIMIT, find_pointer
from aimdvc.server.bytecopy import artifact_path
from aimdvc.server.database import Database
from aimdvc.server.refs import read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.schema import owned_blobs, released_blobs
from aimdvc.server.storage import Storage


class Keeper(NamedTuple):
    """One artifact that owns, or owned, a blob: `how` says what keeps it, with ref and path where a ref reaches it."""

    artifact: str
    how: str
    ref: str | None = None
    path: str | None = None


def keepers(database: Database, storage: Storage, oid: Oid) -> list[Keeper]:
    """Returns what keeps a blob; nothing for one that only the storage has, or nobody."""
    raw = bytes.fromhex(oid)
    with database.read() as connection:
        owners = connection.execute(
            select(owned_blobs.c.artifact, owned_blobs.c.marked_s).where(owned_blobs.c.oid == raw)
        ).all()
        former = connection.scalars(select(released_blobs.c.artifact).where(released_blobs.c.oid == raw)).all()
    found = []
    for artifact, marked_s in owners:
        path = artifact_path(database, artifact)
        with storage.repository(artifact) as repository:
            place = _place(database, artifact, repository, oid)
        if place is not None:
            found.append(Keeper(path, "a ref reaches it", *place))
        elif marked_s is not None:
            found.append(Keeper(path, "nothing names it: gc marked it"))
        else:
            found.append(Keeper(path, "no ref reaches it: it was uploaded lately, or a ref left it lately"))
    return found + [Keeper(artifact_path(database, artifact), "gc took it: it is in the trash") for artifact in former]


def _place(database: Database, artifact: str, repository: Repository, oid: Oid) -> tuple[str, str] | None:
    """Returns a ref that reaches the blob, main and its versions first, and the blob's path there."""
    names = {
        GitId(name.hex()) for name, content in _pointers(repository) if (p := find_pointer(content)) and p.oid == oid
    }
    if not names:
        return None
    refs = read_refs(database, artifact)
    seen: set[GitId] = set()
    graph = Graph(repository.read, "a repository")
    for ref in sorted(refs, key=lambda ref: (ref != MAIN, not ref.startswith("refs/tags/v"), ref)):
        *_, (last, kind, _) = graph.iter_peeled(refs[ref].target)
        if kind == COMMIT:
            path = _find(graph, graph.commit(last).tree, names, seen)
            if path is not None:
                return ref, path
    for ref in sorted(refs):
        *_, (last, kind, _) = graph.iter_peeled(refs[ref].target)
        for commit in graph.new_commits([last], [])[0] if kind == COMMIT else ():
            path = _find(graph, commit.tree, names, seen)
            if path is not None:
                return f"{ref} ({commit.id[:10]})", path
    return None


def _pointers(repository: Repository) -> Iterator[tuple[bytes, bytes]]:
    for stored in repository.iter_opened():
        for name, content in stored.iter_small_blobs(POINTER_LIMIT):
            yield name, content if content is not None else repository.read(GitId(name.hex()))[1]


def _find(graph: Graph, tree: GitId, names: set[GitId], seen: set[GitId]) -> str | None:
    """Returns the path of one of the git blobs in a tree; trees that were looked at already are left out."""
    pending = [("", tree)]
    while pending:
        prefix, tree = pending.pop()
        if tree in seen:
            continue
        seen.add(tree)
        for name, node in parse_tree(graph.tree(tree)).items():
            path = f"{prefix}{path_text(name)}"
            if stat.S_ISDIR(node.mode):
                pending.append((f"{path}/", node.git_id))
            elif node.git_id in names:
                return path
    return None
