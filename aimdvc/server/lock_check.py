"""Whether a push changes what somebody else has locked: the locked paths alone are looked up, in the old and new tree.

A lock that is made while a push is being judged counts from the next one on.
"""

from collections.abc import Mapping, Sequence

from aimdvc.git.graph import Graph
from aimdvc.git.trees import find_entry
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.server.database import Database
from aimdvc.server.lock_table import locked_by_others
from aimdvc.server.refs import Move, Ref
from aimdvc.server.repositories import Repository


def locked_refusals(
    database: Database, artifact: str, user: str, repository: Repository, refs: Mapping[str, Ref], moves: Sequence[Move]
) -> dict[str, str]:
    """Returns why branches may not move, by ref: a path has another entry then, and is locked by somebody else.

    A new branch is compared with main. All objects are in the repository already.
    """
    with database.read() as connection:
        others = locked_by_others(connection, artifact, user)
    refused: dict[str, str] = {}
    if not others:
        return refused
    graph = Graph(repository.read, "the repository")

    def tree_of(commit: GitId) -> GitId:
        return graph.commit(commit).tree

    def read(tree: GitId) -> bytes:
        return repository.read(tree)[1]

    main = refs[MAIN].target if MAIN in refs else None
    for ref, old, new in (move.update for move in moves):
        before = old or main
        if not ref.startswith("refs/heads/") or new is None:
            continue
        for lock in others:
            was = find_entry(read, tree_of(before), lock.path) if before is not None else None
            if find_entry(read, tree_of(new), lock.path) != was:
                refused[ref] = f"{lock.path!r} is locked by {lock.owner_name}"
                break
    return refused
