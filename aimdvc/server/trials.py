"""Trials in SQL: runs in folders, with their parameters, metrics in the order of logging, and lineage.

What writes names or documents holds `trials`, what writes metrics the trial; both, in this order, what does both.

Whoever may view a folder may view its trials; whoever may edit it makes and changes them. Metrics are only ever
appended, each type counted from 0: a client that was cut asks how many there are, and sends the rest. An artifact has
one producer.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from aimdvc.server.aimd_ids import find_id, find_version
from aimdvc.server.aimd_nodes import reach_id
from aimdvc.server.database import Database, now_s
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import Caller, Rights, rights_on
from aimdvc.server.schema import lineage, trial_metrics, trials
from aimdvc.server.tree import chain_of

INPUT, OUTPUT = "input", "output"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """A row of a trial. `document` and `parameters` are JSON."""

    id: str
    folder: str
    name: str
    owner: str
    status: str
    document: str
    parameters: str


_COLUMNS = [trials.c[name] for name in Trial.__slots__]


def find_trial(connection: Connection, caller: Caller, text: object, needed: Rights) -> Trial:
    """Returns the trial of an id, on whose folder a caller has the rights. Raises HttpError (404, 403)."""
    name = find_id(text)
    row = connection.execute(select(*_COLUMNS).where(trials.c.id == name)).first() if name is not None else None
    if row is None:
        raise HttpError(404, "no such trial")
    found = Trial(*row)
    reach_id(connection, caller, found.folder, needed)
    return found


def named_trial(connection: Connection, folder: str, name: str) -> Trial | None:
    """Returns the trial of a name in a folder, None where there is none."""
    row = connection.execute(select(*_COLUMNS).where(trials.c.folder == folder, trials.c.name == name)).first()
    return Trial(*row) if row is not None else None


def lock_of(trial: str) -> str:
    """Returns what a transaction holds that writes a trial's metrics."""
    return f"trial-{trial}"


def add_trial(connection: Connection, made: Trial) -> bool:
    """Makes a trial, unless just this one is there; returns whether it was made.

    Raises HttpError (400) for a taken name or id.
    """
    row = connection.execute(select(*_COLUMNS).where(trials.c.id == made.id)).first()
    if row is not None:
        # One that has changed is no repetition: who is told that it was made takes what they sent for kept.
        if Trial(*row) == made:
            return False
        raise exists(made.name)
    _require_name(connection, made)
    values = {name: getattr(made, name) for name in Trial.__slots__}
    connection.execute(insert(trials), {**values, "created_s": now_s()})
    return True


def change_trial(connection: Connection, changed: Trial) -> None:
    """Makes a trial what a row says. Raises HttpError (400) where its name is another's in the folder."""
    _require_name(connection, changed)
    values = {name: getattr(changed, name) for name in Trial.__slots__ if name != "id"}
    connection.execute(update(trials).where(trials.c.id == changed.id).values(values))


def _require_name(connection: Connection, trial: Trial) -> None:
    there = named_trial(connection, trial.folder, trial.name)
    if there is not None and there.id != trial.id:
        raise exists(trial.name)


def exists(name: str) -> HttpError:
    """Returns what is told of a trial that can't be made, since it is there, or one of its name."""
    return HttpError(400, f"trial '{name}' already exists")


def remove_trial(connection: Connection, trial: str) -> None:
    """Removes a trial, its metrics and its lineage."""
    for table in (trial_metrics, lineage):
        connection.execute(delete(table).where(table.c.trial == trial))
    connection.execute(delete(trials).where(trials.c.id == trial))


def set_parameters(connection: Connection, trial: str, parameters: Mapping[str, object]) -> None:
    """Makes the parameters of a trial these alone."""
    connection.execute(update(trials).where(trials.c.id == trial).values(parameters=json.dumps(parameters)))


# Metrics


def count_metrics(connection: Connection, trial: str) -> dict[str, int]:
    """Returns how many elements there are of each type."""
    counted = select(trial_metrics.c.type, func.count()).where(trial_metrics.c.trial == trial)
    return {kind: int(count) for kind, count in connection.execute(counted.group_by(trial_metrics.c.type))}


def append_metrics(
    connection: Connection, trial: str, kind: str, elements: Sequence[Mapping[str, object]], start: int | None
) -> int:
    """Appends elements, in a transaction that writes the trial; returns how many there are of the type then.

    `start` says which number the first one has: what is there already is passed over, as when a request comes twice.
    Raises HttpError (409) where some would be missing in between.
    """
    # Numbers have no gap: the last one tells how many there are, without counting a million rows for each request.
    here = (trial_metrics.c.trial == trial) & (trial_metrics.c.type == kind)
    last = connection.scalar(select(func.max(trial_metrics.c.number)).where(here))
    have = int(last) + 1 if last is not None else 0
    begin = have if start is None else start
    if begin > have:
        raise HttpError(409, f"there are {have} elements of '{kind}', not {begin}")
    new = elements[have - begin :]
    rows = [
        {"trial": trial, "type": kind, "number": number, "element": json.dumps(element, separators=(",", ":"))}
        for number, element in enumerate(new, have)
    ]
    if rows:
        connection.execute(insert(trial_metrics), rows)
    return have + len(rows)


def remove_metrics(connection: Connection, trial: str) -> None:
    """Removes all metrics of a trial."""
    connection.execute(delete(trial_metrics).where(trial_metrics.c.trial == trial))


def iter_metrics(
    connection: Connection, trial: str, kind: str | None, after: int = 0, limit: int | None = None
) -> Iterator[tuple[str, str]]:
    """Yields (type, element as JSON) by type and number, of one type or all: from number `after` on, `limit` each."""
    columns = (trial_metrics.c.type, trial_metrics.c.element)
    query = select(*columns).where(trial_metrics.c.trial == trial, trial_metrics.c.number >= after)
    if kind is not None:
        query = query.where(trial_metrics.c.type == kind)
    if limit is not None:
        query = query.where(trial_metrics.c.number < after + limit)
    ordered = query.order_by(trial_metrics.c.type, trial_metrics.c.number).execution_options(yield_per=_PAGE)
    for row in connection.execute(ordered):
        yield row.type, row.element


# Lineage


def set_lineage(
    connection: Connection, database: Database, caller: Caller, trial: str, marked: Mapping[str, Iterable[object]]
) -> None:
    """Makes what a trial read, or made, these versions, by relation; what is no id of one is passed over.

    So is an output that was removed. Raises HttpError: 403 for an output that is somebody else's version, 409 for one
    that another trial made.
    """
    database.hold(connection, "lineage")
    wanted = {(relation, name) for relation, ids in marked.items() for name in map(find_id, ids) if name is not None}
    here = (lineage.c.trial == trial) & lineage.c.relation.in_(list(marked))
    there = select(lineage.c.relation, lineage.c.version).where(here)
    had = {(str(relation), str(version)) for relation, version in connection.execute(there)}
    for relation, version in sorted(wanted - had):
        if relation == OUTPUT and not _is_producer(connection, caller, trial, version):
            continue
        connection.execute(insert(lineage), {"trial": trial, "relation": relation, "version": version})
    for relation, version in sorted(had - wanted):
        one = (lineage.c.trial == trial) & (lineage.c.relation == relation) & (lineage.c.version == version)
        connection.execute(delete(lineage).where(one))


def _is_producer(connection: Connection, caller: Caller, trial: str, version: str) -> bool:
    """Returns whether a trial may be what made a version; not of one that was removed: who may say so isn't known.

    Raises HttpError where a caller can't say it.
    """
    made = select(lineage.c.trial).where(lineage.c.relation == OUTPUT, lineage.c.version == version)
    other = connection.scalar(made.limit(1))
    if other is not None and other != trial:
        raise HttpError(409, f"artifact '{version}' was made by another trial")
    known = find_version(connection, version)
    chain = chain_of(connection, known[0]) if known is not None else []
    if chain and rights_on(connection, caller, chain) < Rights.EDIT:
        raise HttpError(403, f"artifact '{version}' is not yours to say who made it")
    return known is None or bool(chain)
