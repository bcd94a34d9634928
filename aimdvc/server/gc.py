"""`aimdvc server gc`: deletes what nothing needs any more, in two runs and into the trash. Beside everything else.

First the git objects of each artifact that refs left long ago (gc_packs.py), then the blobs that it owns though
nothing names them (gc_blobs.py), then the stored blobs that no artifact owns, then what cut uploads left. An artifact
that can't be read is told, and keeps all that is its own. docs/server.md § Deleting.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import delete, func, insert, select

from aimdvc.errors import Busy, IntegrityError
from aimdvc.model.oid import Oid
from aimdvc.model.progress import Progress
from aimdvc.server.bytecopy import artifact_path, iter_artifacts
from aimdvc.server.database import Database, now_s
from aimdvc.server.gc_blobs import Swept, Terms, oid_ranges, sweep
from aimdvc.server.gc_packs import count_droppable, drop_unreached
from aimdvc.server.keeping import Stored
from aimdvc.server.limits import Limits
from aimdvc.server.schema import owned_blobs, settings
from aimdvc.server.storage import Storage

DAY_S = 86_400
_COUNTER = "gc_run"
_TAKEN_AT_ONCE = 100_000
_CUT_S = 2 * DAY_S
"""What an upload that was cut left goes after this; no request runs as long."""


@dataclass(frozen=True, slots=True)
class Graces:
    """How long things stay, in seconds: blobs that nothing names, and commits that refs left."""

    blobs_s: float = 14 * DAY_S
    commits_s: float = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done, or would be, with one artifact."""

    artifact: str
    swept: Swept
    dropped: int


@dataclass(slots=True)
class Report:
    """What a run did, or would do. `unowned` are stored blobs, and their bytes, that no artifact owns."""

    run: int
    is_applied: bool
    artifacts: list[Tidied] = field(default_factory=list)
    unowned: int = 0
    unowned_size: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)


def collect(
    database: Database, storage: Storage, graces: Graces, is_applied: bool, progress: Progress, limits: Limits
) -> Report:
    """Runs gc; without `is_applied` it only tells. Raises Busy where another runs.

    Cut anywhere, nothing is lost, and the next run goes on.
    """
    with database.dropping_packs("gc"):
        report = Report(_next_run(database, is_applied), is_applied)
        terms = Terms(report.run, graces.blobs_s, is_applied)
        progress.start("gc", None, "files")
        for artifact in iter_artifacts(database):
            _tidy(database, storage, artifact, terms, graces, limits, report)
            progress.advance(1)
        _sweep_unowned(database, storage, now_s() - graces.blobs_s, report)
        if is_applied:
            storage.keeping.clean(int(now_s() - _CUT_S))
        progress.finish()
    return report


def _next_run(database: Database, is_applied: bool) -> int:
    with database.write("settings") as connection:
        kept = connection.scalar(select(settings.c.value).where(settings.c.name == _COUNTER))
        number = int(kept or b"0") + 1
        if is_applied:
            connection.execute(delete(settings).where(settings.c.name == _COUNTER))
            connection.execute(insert(settings), {"name": _COUNTER, "value": b"%d" % number})
    return number


def _tidy(
    database: Database,
    storage: Storage,
    artifact: str,
    terms: Terms,
    graces: Graces,
    limits: Limits,
    report: Report,
) -> None:
    try:
        with storage.repository(artifact) as repository:
            try:
                if terms.is_applied:
                    dropped = drop_unreached(database, artifact, repository, graces.commits_s, limits)
                else:
                    dropped = count_droppable(database, artifact, repository, graces.commits_s)
            except Busy:
                dropped = 0
                report.busy.append(artifact_path(database, artifact))
            swept = sweep(database, artifact, repository, terms)
    except IntegrityError as error:
        report.failed.append((artifact_path(database, artifact), error.message))
        return
    if dropped or swept != Swept():
        report.artifacts.append(Tidied(artifact_path(database, artifact), swept, dropped))


def _sweep_unowned(database: Database, storage: Storage, before_s: float, report: Report) -> None:
    """Takes the stored blobs that no artifact owns and nobody wanted for the grace."""
    with database.read() as connection:
        count = int(connection.scalar(select(func.count()).select_from(owned_blobs)) or 0)
    for low, high in oid_ranges(count):
        taken: list[Oid] = []
        for one in _unowned(database, storage, low, high):
            if one.seen_s >= before_s:
                continue
            report.unowned, report.unowned_size = report.unowned + 1, report.unowned_size + one.size
            taken.append(one.oid)
            if len(taken) >= _TAKEN_AT_ONCE and report.is_applied:
                storage.keeping.take(taken, int(before_s))
                taken = []
        if taken and report.is_applied:
            storage.keeping.take(taken, int(before_s))


def _unowned(database: Database, storage: Storage, low: bytes, high: bytes | None) -> Iterator[Stored]:
    with database.read() as connection:
        query = select(owned_blobs.c.oid).distinct().where(owned_blobs.c.oid >= low)
        if high is not None:
            query = query.where(owned_blobs.c.oid < high)
        owned = set(connection.scalars(query))
    for one in storage.keeping.iter_stored():
        raw = bytes.fromhex(one.oid)
        if raw >= low and (high is None or raw < high) and raw not in owned:
            yield one
