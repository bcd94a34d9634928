"""`aimdvc server gc`: deletes what nothing needs any more, in two runs and into the trash. Beside everything else.

First what was removed long ago (purging.py), then the git objects of each artifact that refs left long ago
(gc_packs.py), then the blobs that it owns though nothing names them (gc_blobs.py), then the stored blobs that no
artifact owns, then what cut uploads left. An artifact that can't be read is told, and keeps all that is its own.
docs/server.md § Deleting.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from aimdvc.errors import Busy, DiskFull, IntegrityError, StorageError
from aimdvc.model.oid import Oid
from aimdvc.model.progress import Progress
from aimdvc.server.bytecopy import artifact_path, iter_artifacts
from aimdvc.server.database import Database, now_s
from aimdvc.server.drafts import expire
from aimdvc.server.gc_blobs import Swept, Terms, oid_ranges, sweep, take
from aimdvc.server.gc_packs import Bound, count_droppable, drop_unreached
from aimdvc.server.keeping import Stored
from aimdvc.server.purging import due, purge
from aimdvc.server.removal import Removed
from aimdvc.server.schema import draft_parts, owned_blobs, ref_history, settings
from aimdvc.server.storage import Storage

DAY_S = 86_400
_COUNTER = "gc_run"
_LAST = "gc_last"
_TAKEN_AT_ONCE = 100_000
_CUT_S = 2 * DAY_S
"""What an upload that was cut left goes after this; no request runs as long."""


@dataclass(frozen=True, slots=True)
class Graces:
    """How long things stay, in seconds: blobs that nothing names, commits that refs left, and what was removed."""

    blobs_s: float = 14 * DAY_S
    commits_s: float = 30 * DAY_S
    removed_s: float = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done, or would be, with one artifact."""

    artifact: str
    swept: Swept
    dropped: int


@dataclass(slots=True)
class Report:
    """What a run did, or would do. `removed` is what it deleted for good, or would.

    `unowned` are stored blobs, and their bytes, that no artifact owns.
    """

    run: int
    is_applied: bool
    removed: list[Removed] = field(default_factory=list)
    artifacts: list[Tidied] = field(default_factory=list)
    unowned: int = 0
    unowned_size: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)


def collect(database: Database, storage: Storage, graces: Graces, is_applied: bool, progress: Progress) -> Report:
    """Runs gc; without `is_applied` it only tells. Raises Busy where another runs.

    Cut anywhere, nothing is lost, and the next run goes on.
    """
    with database.dropping_packs("gc"):
        number, last = _begin(database, is_applied)
        report = Report(number, is_applied)
        terms = Terms(number, graces.blobs_s, is_applied)
        bound = Bound(now_s() - graces.commits_s, last.move)
        if is_applied:
            expire(database)
        _purge_due(database, storage, min(now_s() - graces.removed_s, last.time_s), report)
        progress.start("gc", None, "files")
        for artifact in iter_artifacts(database):
            _tidy(Opened(database, storage, artifact), terms, bound, report)
            progress.advance(1)
        _sweep_unowned(database, storage, int(min(now_s() - graces.blobs_s, last.time_s)), report)
        if is_applied:
            storage.keeping.clean(int(min(now_s() - _CUT_S, last.time_s)))
        progress.finish()
    return report


class _Last(NamedTuple):
    """When the run before began, in seconds since the epoch, and the last move of a ref by then; 0 for none."""

    time_s: float
    move: int


def _begin(database: Database, is_applied: bool) -> tuple[int, _Last]:
    """Returns the number of a run, and what is known of the one before."""
    with database.write("settings") as connection:
        number = int(_setting(connection, _COUNTER) or b"0") + 1
        time_s, _, move = (_setting(connection, _LAST) or b"0 0").partition(b" ")
        if is_applied:
            newest = connection.scalar(select(func.max(ref_history.c.id))) or 0
            connection.execute(delete(settings).where(settings.c.name.in_((_COUNTER, _LAST))))
            rows = [(_COUNTER, b"%d" % number), (_LAST, b"%d %d" % (now_s(), newest))]
            connection.execute(insert(settings), [{"name": name, "value": value} for name, value in rows])
    return number, _Last(float(time_s), int(move))


def _purge_due(database: Database, storage: Storage, before_s: float, report: Report) -> None:
    """Purges what was removed before a time, and before an earlier run: a clock that jumps takes nothing by itself."""
    for one in due(database, before_s):
        try:
            is_told = not report.is_applied or purge(database, storage, one.id)
        except Busy:
            report.busy.append(one.path)
        except StorageError as error:
            report.failed.append((one.path, error.message))
        else:
            report.removed += [one] if is_told else []


def _setting(connection: Connection, name: str) -> bytes | None:
    value = connection.scalar(select(settings.c.value).where(settings.c.name == name))
    return bytes(value) if value is not None else None


@dataclass(frozen=True, slots=True)
class Opened:
    """One artifact of a server."""

    database: Database
    storage: Storage
    artifact: str

    @property
    def path(self) -> str:
        """Its path, for people."""
        return artifact_path(self.database, self.artifact)


def _tidy(one: Opened, terms: Terms, bound: Bound, report: Report) -> None:
    what = (one.database, one.artifact)
    try:
        with one.storage.repository(one.artifact) as repository:
            drop = drop_unreached if terms.is_applied else count_droppable
            try:
                dropped = drop(*what, repository, bound)
            except Busy:
                dropped = 0
                report.busy.append(one.path)
            swept = sweep(*what, repository, terms)
            if swept.taken and terms.is_applied:
                due, due_size, swept.taken, swept.taken_size = swept.taken, swept.taken_size, 0, 0
                try:
                    swept.taken, swept.taken_size = take(*what, repository, terms)
                except Busy:
                    swept.waiting, swept.waiting_size = swept.waiting + due, swept.waiting_size + due_size
                    report.busy.append(one.path)
    except (IntegrityError, DiskFull) as error:
        # To write anew what stays takes room; what is taken from others makes some.
        report.failed.append((one.path, error.message))
        return
    if dropped or swept != Swept():
        report.artifacts.append(Tidied(one.path, swept, dropped))


def _sweep_unowned(database: Database, storage: Storage, before_s: int, report: Report) -> None:
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
            if len(taken) >= _TAKEN_AT_ONCE:
                _take(storage, taken, before_s, report)
                taken = []
        _take(storage, taken, before_s, report)


def _take(storage: Storage, taken: list[Oid], before_s: int, report: Report) -> None:
    if not taken or not report.is_applied:
        return
    try:
        storage.keeping.take(taken, before_s)
    except (IntegrityError, DiskFull) as error:
        # Of a damaged blob that lies in one pack with them; a scrub sets it aside.
        report.failed.append(("", error.message))


def _unowned(database: Database, storage: Storage, low: bytes, high: bytes | None) -> Iterator[Stored]:
    with database.read() as connection:
        owned: set[bytes] = set()
        for column in (owned_blobs.c.oid, draft_parts.c.oid):
            query = select(column).distinct().where(column >= low)
            owned.update(connection.scalars(query if high is None else query.where(column < high)))
    for one in storage.keeping.iter_stored():
        raw = bytes.fromhex(one.oid)
        if raw >= low and (high is None or raw < high) and raw not in owned:
            yield one
