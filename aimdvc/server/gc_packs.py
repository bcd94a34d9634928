"""Drops the git objects of one artifact that nothing reaches any more: what moved away from refs N days ago.

Kept is what the refs reach, and what they reached in those days (refs.py keeps each move). It is written into one new
pack, with the checks that a push has, which then takes the place of all others. No push runs beside it. A run before
this one has to have seen that they were left: so a clock that jumps ahead drops nothing by itself.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, update

from aimdvc.server.database import Database
from aimdvc.server.gc_rewrite import rewrite
from aimdvc.server.numbered import Marks, Numbered, numbered
from aimdvc.server.reaching import mark_reached
from aimdvc.server.refs import SWEPT, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.schema import ref_history

_PAGE = 1000


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
    with numbered(repository) as objects:
        return objects.count - _kept(database, artifact, objects, bound).count


def drop_unreached(database: Database, artifact: str, repository: Repository, bound: Bound) -> int:
    """Drops the git objects that nothing reaches, and returns how many. Safe to repeat.

    Raises Busy where a push is running, CorruptRepository where something is missing: nothing is dropped then.
    """
    if not _is_due(database, artifact, bound):
        return 0
    with database.dropping_packs(artifact) as still_held:
        repository.refresh()
        repository.finish_dropping()
        with numbered(repository) as objects:
            kept = _kept(database, artifact, objects, bound)
            dropped = objects.count - kept.count
            if dropped > 0:
                rewrite(repository, objects, kept, still_held)
        still_held()
        with database.write(artifact) as connection:
            for reason, then in SWEPT.items():
                left = _left(artifact, bound, reason)
                connection.execute(update(ref_history).where(*left).values(reason=then))
    return dropped


def _is_due(database: Database, artifact: str, bound: Bound) -> bool:
    query = select(ref_history.c.id).where(*_left(artifact, bound, *SWEPT))
    with database.read() as connection:
        return connection.scalar(query.limit(1)) is not None


def _left(artifact: str, bound: Bound, *reasons: str) -> tuple[ColumnElement[bool], ...]:
    """The old moves after which packs held commits that perhaps no ref reached."""
    return ref_history.c.artifact == artifact, ref_history.c.reason.in_(reasons), bound.is_old()


def _kept(database: Database, artifact: str, objects: Numbered, bound: Bound) -> Marks:
    """Returns all git objects that stay. Raises CorruptRepository, also where a ref's object is missing."""
    marks = Marks(objects.count)
    for ref in read_refs(database, artifact).values():
        mark_reached(objects, bytes.fromhex(ref.target), marks)
    query = select(ref_history.c.old, ref_history.c.new).where(ref_history.c.artifact == artifact, ~bound.is_old())
    with database.read() as connection:
        for row in connection.execute(query.execution_options(yield_per=_PAGE)):
            # Of a push that was refused the new value may never have been published.
            for tip in (bytes.fromhex(name) for name in row if name is not None):
                if objects.number(tip) is not None:
                    mark_reached(objects, tip, marks)
    return marks
