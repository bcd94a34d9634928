"""Drops the git objects of one artifact that nothing reaches any more: what moved away from refs N days ago.

Kept is what the refs reach, and what they reached in those days (refs.py keeps each move). It is written into one new
pack, with the checks that a push has, which then takes the place of all others. No push runs beside it. A run before
this one has to have seen that they were left: so a clock that jumps ahead drops nothing by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, update

from aimdvc.errors import CorruptRepository
from aimdvc.git.graph import Graph
from aimdvc.git.packcheck import check_pack
from aimdvc.git.packindex import encode_index
from aimdvc.git.packlimits import ClientLimits
from aimdvc.model.oid import GitId
from aimdvc.server.database import Database
from aimdvc.server.packcopy import write_pack
from aimdvc.server.refs import SWEPT, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.schema import ref_history


@dataclass(frozen=True, slots=True)
class Bound:
    """Which moves of refs are old: those before a time, and no later than the last one of when an earlier run began."""

    before_s: float
    move: int

    def is_old(self) -> ColumnElement[bool]:
        """What holds of a row of the history that is old."""
        return (ref_history.c.time_s < self.before_s) & (ref_history.c.id <= self.move)


def count_droppable(database: Database, artifact: str, repository: Repository, bound: Bound) -> int:
    """Returns how many git objects nothing reaches. Changes nothing. Raises CorruptRepository."""
    if not _is_due(database, artifact, bound):
        return 0
    return max(_count(repository) - len(_kept(database, artifact, repository, bound)), 0)


def drop_unreached(database: Database, artifact: str, repository: Repository, bound: Bound) -> int:
    """Drops the git objects that nothing reaches, and returns how many. Safe to repeat.

    Raises Busy where a push is running, CorruptRepository where something is missing: nothing is dropped then.
    """
    if not _is_due(database, artifact, bound):
        return 0
    with database.dropping_packs(artifact):
        repository.refresh()
        repository.finish_dropping()
        kept = _kept(database, artifact, repository, bound)
        dropped = _count(repository) - len(kept)
        if dropped > 0:
            _rewrite(repository, kept)
        with database.write(artifact) as connection:
            for reason, then in SWEPT.items():
                left = _left(artifact, bound, reason)
                connection.execute(update(ref_history).where(*left).values(reason=then))
    return max(dropped, 0)


def _is_due(database: Database, artifact: str, bound: Bound) -> bool:
    query = select(ref_history.c.id).where(*_left(artifact, bound, *SWEPT))
    with database.read() as connection:
        return connection.scalar(query.limit(1)) is not None


def _left(artifact: str, bound: Bound, *reasons: str) -> tuple[ColumnElement[bool], ...]:
    """The old moves after which packs held commits that perhaps no ref reached."""
    return ref_history.c.artifact == artifact, ref_history.c.reason.in_(reasons), bound.is_old()


def _kept(database: Database, artifact: str, repository: Repository, bound: Bound) -> dict[GitId, None]:
    """Returns the ids of all git objects that stay. Raises CorruptRepository, also where a ref's object is missing."""
    tips = dict.fromkeys(ref.target for ref in read_refs(database, artifact).values())
    query = select(ref_history.c.old, ref_history.c.new).where(ref_history.c.artifact == artifact, ~bound.is_old())
    with database.read() as connection:
        left = {GitId(name) for row in connection.execute(query) for name in row if name is not None}
    # Of a push that was refused the new value may never have been published.
    tips |= dict.fromkeys(tip for tip in left if tip not in tips and repository.has(tip))
    return dict.fromkeys(Graph(repository.read, "a repository").iter_missing(tips, []))


def _count(repository: Repository) -> int:
    return sum(pack.count for pack in repository.packs())


def _rewrite(repository: Repository, kept: dict[GitId, None]) -> None:
    old: Sequence[str] = [pack.path.stem for pack in repository.packs()]
    with repository.quarantine() as pack, repository.quarantine() as index:
        size = write_pack(pack.write, repository, kept)
        # No push was as large as all of them together: what a push may be is no bound here.
        checked = check_pack(pack.fd, size, ClientLimits())
        absent = checked.outside()
        if absent:
            raise CorruptRepository("a repository", f"git object {min(absent).hex()} would be lost")
        index.write(encode_index(checked.entries, checked.trailer))
        repository.replace(pack, index, checked.trailer.hex(), old)
