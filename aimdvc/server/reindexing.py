"""Makes searchable what was pushed before a server kept what is said of artifacts; `aimdvc server reindex`."""

from sqlalchemy import or_, select

from aimdvc.git.graph import Graph
from aimdvc.model.entries import path_bytes, path_text
from aimdvc.model.names import MAIN
from aimdvc.model.oid import GitId
from aimdvc.server.database import Database
from aimdvc.server.describing import describe, note_described
from aimdvc.server.refs import highest_version
from aimdvc.server.schema import described, refs
from aimdvc.server.storage import Storage


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
