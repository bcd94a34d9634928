"""Drops the git objects of one artifact that nothing reaches any more: what moved away from refs N days ago.

Kept is what the refs reach, and what they reached in those days (refs.py keeps each move). It is written into one new
pack, with the checks that a push has, which then takes the place of all others. No push runs beside it.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, update

from aimdvc.git.graph import Graph
from aimdvc.git.packcheck import check_pack
from aimdvc.git.packindex import encode_index
from aimdvc.model.oid import GitId
from aimdvc.server.database import Database, now_s
from aimdvc.server.limits import Limits
from aimdvc.server.packcopy import write_pack
from aimdvc.server.refs import SWEPT, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.schema import ref_history


def count_droppable(database: Database, artifact: str, repository: Repository, keep_s: float) -> int:
    """Returns how many git objects nothing reaches. Changes nothing. Raises CorruptRepository."""
    cutoff_s = now_s() - keep_s
    if not _is_due(database, artifact, cutoff_s):
        return 0
    return _count(repository) - len(_kept(database, artifact, repository, cutoff_s))


def drop_unreached(database: Database, artifact: str, repository: Repository, keep_s: float, limits: Limits) -> int:
    """Drops the git objects that nothing reaches, and returns how many. Safe to repeat.

    Raises Busy where a push is running, CorruptRepository where something is missing: nothing is dropped then.
    """
    cutoff_s = now_s() - keep_s
    if not _is_due(database, artifact, cutoff_s):
        return 0
    with database.dropping_packs(artifact):
        repository.refresh()
        repository.finish_dropping()
        kept = _kept(database, artifact, repository, cutoff_s)
        dropped = _count(repository) - len(kept)
        if dropped > 0:
            _rewrite(repository, kept, limits)
        with database.write(artifact) as connection:
            for reason, then in SWEPT.items():
                connection.execute(update(ref_history).where(*_left(artifact, cutoff_s, reason)).values(reason=then))
    return max(dropped, 0)


def _is_due(database: Database, artifact: str, cutoff_s: float) -> bool:
    query = select(ref_history.c.id).where(*_left(artifact, cutoff_s, *SWEPT))
    with database.read() as connection:
        return connection.scalar(query.limit(1)) is not None


def _left(artifact: str, cutoff_s: float, *reasons: str) -> tuple[ColumnElement[bool], ...]:
    """The moves before a time after which packs held commits that perhaps no ref reached."""
    return ref_history.c.artifact == artifact, ref_history.c.reason.in_(reasons), ref_history.c.time_s < cutoff_s


def _kept(database: Database, artifact: str, repository: Repository, cutoff_s: float) -> dict[GitId, None]:
    """Returns the ids of all git objects that stay."""
    tips = dict.fromkeys(ref.target for ref in read_refs(database, artifact).values())
    query = select(ref_history.c.old, ref_history.c.new).where(
        ref_history.c.artifact == artifact, ref_history.c.time_s >= cutoff_s
    )
    with database.read() as connection:
        for row in connection.execute(query):
            tips |= dict.fromkeys(GitId(name) for name in row if name is not None)
    # Of a push that was refused the new value may never have been published.
    there = [tip for tip in tips if repository.has(tip)]
    return dict.fromkeys(Graph(repository.read, "a repository").iter_missing(there, []))


def _count(repository: Repository) -> int:
    return sum(pack.count for pack in repository.packs())


def _rewrite(repository: Repository, kept: dict[GitId, None], limits: Limits) -> None:
    old: Sequence[str] = [pack.path.stem for pack in repository.packs()]
    with repository.quarantine() as pack, repository.quarantine() as index:
        size = write_pack(pack.write, repository, kept)
        checked = check_pack(pack.fd, size, limits)
        index.write(encode_index(checked.entries, checked.trailer))
        repository.replace(pack, index, checked.trailer.hex(), old)
