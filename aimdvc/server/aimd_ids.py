"""The ids by which AIMD clients know versions: UUIDs, each of one commit of one artifact, for ever.

A version's id is what its commit says in the trailer `Aimd-Id`, if nobody had that before; else one that follows from
artifact and commit. It is noted in the transaction that numbers the version; of versions from before there were ids,
when they are first asked for. Over HTTP ids have dashes, in the tables they have none.
"""

import re
from collections.abc import Callable, Mapping
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from aimdvc.model.oid import GitId
from aimdvc.server.schema import aimd_versions, drafts

ID_TRAILER = "Aimd-Id"
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_GROUP = 800


def find_id(text: object) -> str | None:
    """Returns the id that a text is, with dashes or without, as the tables keep it; None when it is none."""
    lowered = text.lower() if isinstance(text, str) and len(text) <= 36 else ""
    return lowered.replace("-", "") if _ID.fullmatch(lowered) else None


def dashed(node: str) -> str:
    """Returns an id as clients write it."""
    return str(UUID(hex=node))


def find_version(connection: Connection, name: str) -> tuple[str, GitId] | None:
    """Returns the artifact and the commit that an id means, None for none."""
    query = select(aimd_versions.c.artifact, aimd_versions.c.commit).where(aimd_versions.c.id == name)
    row = connection.execute(query).first()
    return (row.artifact, GitId(row.commit)) if row is not None else None


def id_of(connection: Connection, artifact: str, commit: GitId) -> str | None:
    """Returns the id of a version, None where none was noted yet."""
    here = (aimd_versions.c.artifact == artifact) & (aimd_versions.c.commit == commit)
    found = connection.scalar(select(aimd_versions.c.id).where(here))
    return str(found) if found is not None else None


def note_ids(connection: Connection, artifact: str, wanted: Mapping[GitId, str | None]) -> None:
    """Gives each of the commits an id, in a transaction that writes the artifact; one that has one keeps it.

    `wanted` says which they would like. One that is another's, or that an upload to another artifact has, is not given.
    """
    offers: tuple[Callable[[GitId], str | None], ...] = (
        wanted.get,
        lambda commit: uuid5(UUID(hex=artifact), commit).hex,
        lambda commit: uuid4().hex,
    )
    left = list(wanted)
    for offer in offers:
        left = _without_id(connection, artifact, left)
        offered = {commit: name for commit in left if (name := offer(commit)) is not None}
        taken = _elsewhere(connection, artifact, list(offered.values()))
        rows = [
            {"id": name, "artifact": artifact, "commit": commit}
            for commit, name in offered.items()
            if name not in taken
        ]
        if rows:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            # Another artifact may take the same id just now.
            connection.execute(insert(aimd_versions).on_conflict_do_nothing(), rows)


def _without_id(connection: Connection, artifact: str, commits: list[GitId]) -> list[GitId]:
    known: set[str] = set()
    for start in range(0, len(commits), _GROUP):
        group = aimd_versions.c.commit.in_(commits[start : start + _GROUP])
        known |= set(
            connection.scalars(select(aimd_versions.c.commit).where(aimd_versions.c.artifact == artifact, group))
        )
    return [commit for commit in commits if commit not in known]


def _elsewhere(connection: Connection, artifact: str, names: list[str]) -> set[str]:
    """Returns those of the ids that uploads to other artifacts have."""
    found: set[str] = set()
    for start in range(0, len(names), _GROUP):
        group = drafts.c.id.in_(names[start : start + _GROUP])
        found |= set(connection.scalars(select(drafts.c.id).where(group, drafts.c.artifact != artifact)))
    return found
