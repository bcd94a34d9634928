"""Keeps what the versions say that were pushed before a server kept that; `aimdvc server reindex`."""

from sqlalchemy import or_, select

from aimdvc.git.graph import Graph
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.names import MAIN, VERSION_TAG
from aimdvc.model.oid import GitId
from aimdvc.server.aimd_ids import note_ids
from aimdvc.server.database import Database
from aimdvc.server.describing import describe, note_described
from aimdvc.server.lineage import note_makings, told_in
from aimdvc.server.refs import highest_version, read_refs
from aimdvc.server.schema import described, nodes, refs
from aimdvc.server.storage import Storage

_GROUP = 1000


def reindex(database: Database, storage: Storage) -> int:
    """Keeps what is said of the artifacts of which that isn't kept yet; returns of how many.

    Safe to repeat, and while the server runs: an artifact that is pushed to meanwhile is left to that push.
    """
    is_stale = or_(described.c.commit.is_(None), described.c.commit != refs.c.target)
    query = (
        select(refs.c.artifact, refs.c.target)
        .join(described, described.c.node == refs.c.artifact, isouter=True)
        .where(refs.c.name == path_bytes(MAIN), is_stale)
    )
    with database.read() as connection:
        stale = [(str(row.artifact), GitId(row.target)) for row in connection.execute(query)]
    for artifact, commit in stale:
        with storage.repository(artifact) as repository:
            found = describe(Graph(repository.read, "the repository"), commit)
        with database.write(artifact) as connection:
            rows = connection.execute(select(refs.c.name, refs.c.target).where(refs.c.artifact == artifact))
            targets = {path_text(row.name): row.target for row in rows}
            if targets.get(MAIN) == commit:
                note_described(connection, artifact, found, highest_version(targets))
    return len(stale)


def reindex_versions(database: Database, storage: Storage) -> int:
    """Notes the ids of all versions, and what made them; returns of how many versions something is said.

    Safe to repeat, and while the server runs. Reads every version's commit.
    """
    with database.read() as connection:
        artifacts = [str(one) for one in connection.scalars(select(nodes.c.id).where(nodes.c.kind == "artifact"))]
    count = 0
    for artifact in artifacts:
        commits = [ref.target for name, ref in read_refs(database, artifact).items() if VERSION_TAG.fullmatch(name)]
        for start in range(0, len(commits), _GROUP):
            group = commits[start : start + _GROUP]
            with storage.repository(artifact) as repository:
                named, made = told_in(Graph(repository.read, "the repository"), group)
            with database.write(artifact) as connection:
                note_ids(connection, artifact, {commit: named.get(commit) for commit in group})
                note_makings(connection, made)
            count += len(made)
    return count
