"""A trial as a dictionary, in the shape that AIMD clients and servers know, and back."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from aimdvc.model.trials import ENDED, STATUSES, canonical_type, check_name
from aimdvc.sdk.jsonvalues import plain
from aimdvc.sdk.metrics import Element, parse_element
from aimdvc.sdk.records import Record, line, metrics_line

_NEEDED = (
    "metadata",
    "platform",
    "startTime",
    "endTime",
    "status",
    "parameters",
    "metrics",
    "inputArtifacts",
    "outputArtifacts",
)

Metrics = Mapping[str, list[Element]]


def dump(record: Record, metrics: Metrics) -> dict[str, Any]:
    """Returns a trial as a dictionary; of NaN and infinities, Python's own."""
    return {
        "kind": "Trial",
        "metadata": {
            "folder": record.target.folder_id,
            "name": record.name,
            "editor": "",
            "id": record.id,
            "timestamp": record.created,
        },
        "platform": plain(record.platform, "platform"),
        "startTime": record.created,
        "endTime": record.ended,
        "status": record.status,
        "parameters": plain(record.params, "parameters"),
        "metrics": {kind: list(found) for kind, found in metrics.items()},
        "inputArtifacts": list(record.inputs),
        "outputArtifacts": list(record.outputs),
        "_git": dict(record.git),
    }


def parse(said: Mapping[str, Any], before: Record) -> tuple[Record, dict[str, list[Element]]]:
    """Returns the record and the metrics that a dictionary tells. What it can't tell stays as `before` has it.

    Raises ValueError for one that is no trial's: `_git` alone may be missing.
    """
    if not isinstance(said, Mapping) or said.get("kind") != "Trial":
        raise ValueError("this is no trial: expected the kind 'Trial'")
    missing = [name for name in _NEEDED if name not in said]
    if missing:
        raise ValueError(f"this is no trial: {', '.join(missing)} is missing")
    if not isinstance(said["startTime"], str):
        raise ValueError(f"this is no trial: startTime is {said['startTime']!r}, expected a time")
    if said["status"] not in STATUSES:
        raise ValueError(f"status is {said['status']!r}, expected one of {', '.join(STATUSES)}")
    try:
        record = replace(
            before,
            id=str(uuid.UUID(said["metadata"]["id"])),
            name=check_name(said["metadata"]["name"]),
            created=str(said["startTime"]),
            platform=plain(dict(said["platform"]), "platform"),
            git=plain(dict(said.get("_git") or {}), "_git"),
            params=plain(dict(said["parameters"] or {}), "parameters"),
            inputs=_marked(said["inputArtifacts"], before.inputs),
            outputs=_marked(said["outputArtifacts"], before.outputs),
            status=said["status"],
            ended=str(said["endTime"]) if said["status"] in ENDED and said["endTime"] else None,
        )
        elements = {
            canonical_type(kind): [parse_element(one) for one in found]
            for kind, found in (said["metrics"] or {}).items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no trial: {error}") from error
    return record, elements


def _marked(ids: list[str] | None, before: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    named = [str(uuid.UUID(one)) for one in ids or ()]
    return {one: before.get(one, {"id": one}) for one in named}


def lines(record: Record, metrics: Metrics) -> Iterator[bytes]:
    """Yields the journal of a trial that is as a record and its metrics say."""
    yield record.header()
    if record.params:
        yield line({"params": record.params})
    for relation, marked in (("input", record.inputs), ("output", record.outputs)):
        for one in marked.values():
            yield line({relation: one})
    for kind, found in metrics.items():
        for element in found:
            yield metrics_line(kind, element)
    yield line({"status": record.status, "time": record.ended, "process": record.process})
