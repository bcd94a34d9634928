"""AIMD's REST of trials: made, shown, changed and removed, with their parameters, metrics and status.

A trial is told as its client told it. Metrics may be more than fits into memory: answers that hold them are written to
a temporary file first.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from sqlalchemy import Connection

from aimdvc.model.trials import ENDED, canonical_type, check_name
from aimdvc.server.aimd_folders import answer
from aimdvc.server.aimd_ids import dashed, find_id
from aimdvc.server.aimd_nodes import own_root, reach_id
from aimdvc.server.bodies import JSON
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.paging import read_number
from aimdvc.server.rights import Rights
from aimdvc.server.routing import Call
from aimdvc.server.spooling import spooled
from aimdvc.server.trials import (
    INPUT,
    OUTPUT,
    Trial,
    add_trial,
    append_metrics,
    change_trial,
    count_metrics,
    exists,
    find_trial,
    iter_metrics,
    lock_of,
    named_trial,
    remove_metrics,
    remove_trial,
    set_lineage,
    set_parameters,
)

_KEPT = ("platform", "startTime", "endTime", "inputArtifacts", "outputArtifacts", "_git")
"""What a document keeps of what was said, as it was said."""


def make_trial(call: Call) -> Response:
    """Makes a trial in a folder, the caller's root where none is named.

    One that comes twice, with nothing between, is made once; one that is there and is another by now is 400.
    """
    database = call.site.database
    with _told_names(), database.write("trials") as connection:
        folder = _folder_of(connection, call, None)
        name = find_id(_metadata(call.json).get("id")) or uuid.uuid4().hex
        made = _row(call.json, Trial(name, folder, "", call.caller.id, "Initializing", "{}", "{}"))
        database.hold(connection, lock_of(made.id))
        if add_trial(connection, made):
            _take_in(connection, call, made.id)
        elif count_metrics(connection, made.id) != _counts(call.json):
            raise exists(made.name)
    return answer({"id": dashed(made.id)})


def _counts(said: Mapping[str, object]) -> dict[str, int]:
    """Returns how many elements of metrics a document has, by type."""
    metrics = said.get("metrics")
    counts: dict[str, int] = {}
    for word, elements in (metrics if isinstance(metrics, dict) else {}).items():
        kind = canonical_type(word)
        counts[kind] = counts.get(kind, 0) + len(elements)
    return {kind: count for kind, count in counts.items() if count}


def show_trial(call: Call) -> Response:
    """All that there is of a trial; with `metrics=no` without its metrics."""
    with call.site.database.read() as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.VIEW)
        if call.request.query.get("metrics") == "no":
            return answer({"doc": document_of(trial)})
        head, _, tail = json.dumps({"doc": document_of(trial)}).rpartition('"metrics": {}')
        return spooled(_with_metrics(connection, trial.id, f'{head}"metrics": ', tail, None), JSON)


def update_trial(call: Call) -> Response:
    """Makes a trial what is sent; metrics, where there are some in it, in the place of all that there were."""
    database = call.site.database
    with _told_names(), database.write("trials") as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.EDIT)
        database.hold(connection, lock_of(trial.id))
        changed = _row(call.json, replace(trial, folder=_folder_of(connection, call, trial.folder)))
        change_trial(connection, changed)
        if call.json.get("metrics"):
            remove_metrics(connection, trial.id)
        _take_in(connection, call, trial.id)
    return answer({"id": dashed(trial.id)})


def delete_trial(call: Call) -> Response:
    """Removes a trial."""
    with call.site.database.write("trials") as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.EDIT)
        call.site.database.hold(connection, lock_of(trial.id))
        remove_trial(connection, trial.id)
    return answer({"id": dashed(trial.id)})


def find_id_of_trial(call: Call) -> Response:
    """The bare id of the trial of a name in a folder."""
    query = call.request.query
    with _told_names(), call.site.database.read() as connection:
        chain = reach_id(connection, call.caller, query.get("folder"), Rights.VIEW)
        trial = named_trial(connection, chain[-1].id, check_name(query.get("name", "")))
    if trial is None:
        raise HttpError(404, "no such trial")
    return answer(dashed(trial.id))


def set_status(call: Call) -> Response:
    """Says what became of a trial, and when."""
    with call.site.database.write("trials") as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.EDIT)
        said = json.loads(trial.document)
        said |= {name: call.json[name] for name in ("startTime", "endTime") if name in call.json}
        if call.json["status"] not in ENDED:
            said["endTime"] = None
        change_trial(connection, replace(trial, status=str(call.json["status"]), document=json.dumps(said)))
    return answer({"id": dashed(trial.id)})


def show_parameters(call: Call) -> Response:
    """The parameters of a trial."""
    with call.site.database.read() as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.VIEW)
    return answer(json.loads(trial.parameters))


def change_parameters(call: Call) -> Response:
    """Makes the parameters of a trial those that are sent."""
    with call.site.database.write("trials") as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.EDIT)
        set_parameters(connection, trial.id, call.json)
    return answer({"id": dashed(trial.id)})


def add_metrics(call: Call) -> Response:
    """Appends metrics: an element, a list, or `{"metrics": […]}`. `start` in the query is the first's number."""
    start = call.request.query.get("start")
    sent = call.json.get("metrics", [call.json])
    with _told_names():
        kind = canonical_type(call.params["type"])
    elements = [_element(one) for one in sent] if isinstance(sent, list) else []
    with call.site.database.write(lock_of(find_id(call.params["trial"]) or "")) as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.EDIT)
        begin = read_number(start, 0) if start is not None else None
        count = append_metrics(connection, trial.id, kind, elements, begin)
    return answer({"id": dashed(trial.id), "count": count})


def show_metrics(call: Call) -> Response:
    """The metrics of a trial by type, and how many there are; `limit` and `after` bound them, each type by itself."""
    query = call.request.query
    after = read_number(query.get("after"), 0)
    limit = read_number(query["limit"], 0) if "limit" in query else None
    with _told_names():
        kind = canonical_type(query["type"]) if "type" in query else None
    with call.site.database.read() as connection:
        trial = find_trial(connection, call.caller, call.params["trial"], Rights.VIEW)
        head = json.dumps({"counts": count_metrics(connection, trial.id)}).removesuffix("}") + ', "metrics": '
        return spooled(_with_metrics(connection, trial.id, head, "}", kind, after, limit), JSON)


def document_of(trial: Trial) -> dict[str, object]:
    """Returns a trial as clients are told of it, without its metrics."""
    said = json.loads(trial.document)
    metadata = {"folder": dashed(trial.folder), "name": trial.name, "id": dashed(trial.id)}
    return {
        "kind": "Trial",
        "metadata": {"editor": "", "timestamp": None, **said.get("metadata", {}), **metadata},
        "platform": said.get("platform"),
        "startTime": said.get("startTime"),
        "endTime": said.get("endTime"),
        "status": trial.status,
        "parameters": json.loads(trial.parameters),
        "inputArtifacts": said.get("inputArtifacts") or [],
        "outputArtifacts": said.get("outputArtifacts") or [],
        "_git": said.get("_git"),
        "metrics": {},
    }


def _metadata(said: Mapping[str, object]) -> Mapping[str, object]:
    metadata = said.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _folder_of(connection: Connection, call: Call, before: str | None) -> str:
    """Returns the folder that a trial is to lie in: the one named, else where it was, else the caller's root."""
    named = call.request.query.get("folder") or _metadata(call.json).get("folder") or before
    if named:
        chain = reach_id(connection, call.caller, named, Rights.EDIT)
    else:
        chain = own_root(connection, call.caller, Rights.EDIT)
    if chain[-1].kind == "artifact":
        raise HttpError(400, f"'{chain[-1].name}' is an artifact, which holds no trials")
    return chain[-1].id


def _row(said: Mapping[str, object], before: Trial) -> Trial:
    """Returns a trial as a client tells it. Raises ValueError for a name that none may have."""
    metadata = _metadata(said)
    kept = {name: said[name] for name in _KEPT if name in said}
    kept["metadata"] = {name: metadata[name] for name in ("editor", "timestamp") if isinstance(metadata.get(name), str)}
    parameters = said.get("parameters")
    return replace(
        before,
        name=check_name(str(metadata.get("name", before.name))),
        status=str(said.get("status", before.status)),
        document=json.dumps({**json.loads(before.document), **kept}),
        parameters=json.dumps(parameters) if isinstance(parameters, dict) else before.parameters,
    )


def _take_in(connection: Connection, call: Call, trial: str) -> None:
    """Takes in the metrics and the lineage of a document."""
    metrics = call.json.get("metrics")
    for word, elements in (metrics if isinstance(metrics, dict) else {}).items():
        append_metrics(connection, trial, canonical_type(word), [_element(one) for one in elements], None)
    marked = {INPUT: call.json.get("inputArtifacts"), OUTPUT: call.json.get("outputArtifacts")}
    given = {relation: ids for relation, ids in marked.items() if isinstance(ids, list)}
    if given:
        set_lineage(connection, call.site.database, call.caller, trial, given)


def _element(one: object) -> Mapping[str, object]:
    said = one if isinstance(one, dict) else {}
    if not isinstance(said.get("value"), dict):
        raise HttpError(422, "an element of metrics has no value")
    return {"value": said["value"], "sequence": said.get("sequence") or {}}


@contextmanager
def _told_names() -> Iterator[None]:
    """Answers a name or a type that can't be with 400."""
    try:
        yield
    except ValueError as error:
        raise HttpError(400, str(error)) from error


def _with_metrics(
    connection: Connection,
    trial: str,
    head: str,
    tail: str,
    kind: str | None,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[bytes]:
    """Yields JSON with the metrics of a trial between a head and a tail."""
    yield head.encode() + b"{"
    last = None
    for found, element in iter_metrics(connection, trial, kind, after, limit):
        if found != last:
            yield (b"" if last is None else b"], ") + json.dumps(found).encode() + b": ["
        else:
            yield b", "
        yield element.encode()
        last = found
    yield (b"" if last is None else b"]") + b"}" + tail.encode()
