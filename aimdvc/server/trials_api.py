"""The REST of looking at trials: those of a folder, and some beside each other by parameters, platform and metrics.

Making and changing them is AIMD's own REST (aimd_trials.py). Lists come in pages, and so do metrics: of each trial and
type the same range of numbers.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select

from aimdvc.model.trials import canonical_type
from aimdvc.server.aimd_ids import dashed
from aimdvc.server.bodies import JSON
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.messages import json_response
from aimdvc.server.paging import MAX_PAGE, decode_cursor, encode_cursor, next_cursor, read_limit, read_number
from aimdvc.server.rights import Rights
from aimdvc.server.routing import Call
from aimdvc.server.schema import trial_metrics, trials, users
from aimdvc.server.sharing import reach
from aimdvc.server.trials import Trial, count_metrics, find_trial, iter_metrics

_MOST_COMPARED = 20
_GROUP = 500


def list_trials(call: Call) -> Response:
    """The trials of a folder by name, each with its parameters and the last element of each type of metrics."""
    limit, after = read_limit(call), decode_cursor(call.request.query.get("cursor"), 1)
    with call.site.database.read() as connection:
        chain = reach(connection, call.caller, call.params["path"], Rights.VIEW)
        columns = [*(trials.c[name] for name in Trial.__slots__), users.c.name.label("user")]
        query = select(*columns).join(users, users.c.id == trials.c.owner).where(trials.c.folder == chain[-1].id)
        query = query if after is None else query.where(trials.c.name > after[0])
        rows = connection.execute(query.order_by(trials.c.name).limit(limit + 1)).all()
        page = rows[:limit]
        last = _last_metrics(connection, [row.id for row in page])
    listed = [
        {**_shown(Trial(*row[:-1])), "owner": row.user, "parameters": json.loads(row.parameters), "last": last[row.id]}
        for row in page
    ]
    following = next_cursor(rows, limit, lambda row: encode_cursor(row.name))
    return json_response({"trials": listed, **following}, content_type=JSON)


def compare_trials(call: Call) -> Response:
    """Trials beside each other, in the order in which they were named; what one lacks is null.

    `metrics` has for each type and name the steps, each with the value of every trial; of a step that was logged twice
    the later one.
    """
    query = call.request.query
    named = [name for name in query.get("trials", "").split(",") if name]
    if not 0 < len(named) <= _MOST_COMPARED:
        raise HttpError(422, f"expected the ids of 1 to {_MOST_COMPARED} trials, with commas between them")
    after, limit = read_number(query.get("after"), 0), max(1, min(read_number(query.get("limit"), MAX_PAGE), MAX_PAGE))
    kind = _kind(query.get("type"))
    with call.site.database.read() as connection:
        found = [find_trial(connection, call.caller, name, Rights.VIEW) for name in named]
        metrics = _metrics_by_step(connection, found, kind, after, limit)
        most = max((count for one in found for count in count_metrics(connection, one.id).values()), default=0)
    documents = [json.loads(one.document) for one in found]
    told: dict[str, object] = {
        "trials": [_shown(one) for one in found],
        "parameters": _beside([json.loads(one.parameters) for one in found]),
        "platform": _beside([document.get("platform") or {} for document in documents]),
        "code": _beside([document.get("_git") or {} for document in documents]),
        "metrics": metrics,
    }
    return json_response({**told, **({"next_after": after + limit} if most > after + limit else {})}, content_type=JSON)


def _kind(word: str | None) -> str | None:
    try:
        return canonical_type(word) if word is not None else None
    except ValueError as error:
        raise HttpError(422, str(error)) from error


def _shown(trial: Trial) -> dict[str, object]:
    said = json.loads(trial.document)
    times = {"started": said.get("startTime"), "ended": said.get("endTime")}
    return {"id": dashed(trial.id), "name": trial.name, "status": trial.status, **times}


def _last_metrics(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the last element of each type, by trial and type."""
    found: dict[str, dict[str, Any]] = {one: {} for one in ids}
    for start in range(0, len(ids), _GROUP):
        group = trial_metrics.c.trial.in_(ids[start : start + _GROUP])
        counted = select(trial_metrics.c.trial, trial_metrics.c.type, func.max(trial_metrics.c.number).label("last"))
        newest = counted.where(group).group_by(trial_metrics.c.trial, trial_metrics.c.type).subquery()
        same = [newest.c[one] == trial_metrics.c[name] for one, name in zip(newest.c.keys(), _KEYS, strict=True)]
        query = select(trial_metrics.c.trial, trial_metrics.c.type, trial_metrics.c.element).join(newest, and_(*same))
        for row in connection.execute(query):
            found[row.trial][row.type] = json.loads(row.element)
    return found


_KEYS = ("trial", "type", "number")


def _beside(each: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Returns what each has under every name that one of them has."""
    names = sorted({name for one in each for name in one})
    return {name: [one.get(name) for one in each] for name in names}


def _metrics_by_step(
    connection: Connection, compared: Sequence[Trial], kind: str | None, after: int, limit: int
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    found: dict[str, dict[str, dict[Any, list[Any]]]] = {}
    for at, trial in enumerate(compared):
        for word, raw in iter_metrics(connection, trial.id, kind, after, limit):
            element = json.loads(raw)
            step = (element.get("sequence") or {}).get("step")
            for name, value in element["value"].items():
                steps = found.setdefault(word, {}).setdefault(name, {})
                steps.setdefault(step, [None] * len(compared))[at] = value
    return {
        word: {
            name: [{"step": step, "values": steps[step]} for step in sorted(steps, key=lambda one: (one is None, one))]
            for name, steps in names.items()
        }
        for word, names in found.items()
    }
