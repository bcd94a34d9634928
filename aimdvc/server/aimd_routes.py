"""The routes of AIMD's own REST, as its clients call them; the one table of all routes is in routes.py."""

import json
from dataclasses import replace

from aimdvc.model.trials import NAME_LENGTH, STATUSES, STRANGE_NUMBERS, TYPE_LENGTH
from aimdvc.server import aimd_artifacts, aimd_folders, aimd_objects, aimd_trials
from aimdvc.server.bodies import ANY, Body
from aimdvc.server.forms import FORM
from aimdvc.server.routing import AimdErrors, Route

_AIMD = AimdErrors()
_NO_DOC = AimdErrors(500, "[Get] doc not found")
_NO_PATH = AimdErrors(500, "path not exists")

_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_ID = {"type": "string", "maxLength": 36}


def _json(required: tuple[str, ...], **properties: object) -> Body:
    """A message in JSON, whatever its media type says, in which unknown fields are nothing wrong."""
    return Body(ANY, json.dumps({"type": "object", "properties": properties, "required": list(required)}))


_FOLDERS = (
    Route("GET", "/oauth2/userinfo", "AIMD: whose the key is", "user", aimd_folders.userinfo, errors=_AIMD),
    Route("GET", "/apis/v1/folders", "AIMD: list the folders", "user", aimd_folders.list_folders, errors=_AIMD),
    Route(
        "POST",
        "/apis/v1/folders",
        "AIMD: make a folder",
        "user",
        aimd_folders.make_folder,
        "write",
        _json(
            ("metadata",),
            kind={"enum": ["Folder"]},
            metadata={
                "type": "object",
                "properties": {"name": _NAME, "folder": {"type": ["string", "null"], "maxLength": 36}},
                "required": ["name"],
            },
            type={"enum": ["normal"]},
        ),
        errors=_NO_DOC,
    ),
    Route(
        "GET",
        "/apis/v1/folders/id",
        "AIMD: find a folder by path",
        "user",
        aimd_folders.find_folder,
        query={"path": {"type": "string", "maxLength": 4000}},
        errors=_NO_PATH,
    ),
    Route("GET", "/apis/v1/folders/{folder}", "AIMD: show a folder", "user", aimd_folders.show_folder, errors=_NO_DOC),
    Route(
        "GET",
        "/apis/v1/repos",
        "AIMD: list the artifacts",
        "user",
        aimd_folders.list_repos,
        query={"scope": {"enum": ["own", "shared", "all"]}},
        is_costly=True,
        errors=_AIMD,
    ),
)


def _trial_json(required: tuple[str, ...], **properties: object) -> Body:
    """The same, in which a client's NaN may stand as Python writes it."""
    return replace(_json(required, **properties), takes_constants=True)


_NO_TRIAL = AimdErrors(404, "trial not exists")
_TIME = {"type": ["string", "null"], "maxLength": 64}
_STATUS = {"enum": list(STATUSES)}
_VALUE = {
    "type": "object",
    "minProperties": 1,
    "propertyNames": {"minLength": 1, "maxLength": NAME_LENGTH},
    "additionalProperties": {"anyOf": [{"type": "number"}, {"enum": list(STRANGE_NUMBERS)}]},
}
_SEQUENCE = {
    "type": ["object", "null"],
    "properties": {"epoch": {"type": ["number", "null"]}, "step": {"type": ["integer", "null"]}},
}
_ELEMENT = {"type": "object", "properties": {"value": _VALUE, "sequence": _SEQUENCE}, "required": ["value"]}
_ARTIFACTS = {"type": ["array", "null"], "maxItems": 10_000, "items": {"type": "string", "maxLength": 100}}
_TRIAL = {
    "kind": {"enum": ["Trial"]},
    "metadata": {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": 36},
            "name": {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH},
            "folder": {"type": ["string", "null"], "maxLength": 36},
            "editor": {"type": ["string", "null"], "maxLength": NAME_LENGTH},
            "timestamp": _TIME,
        },
    },
    "platform": {"type": ["object", "null"]},
    "startTime": _TIME,
    "endTime": _TIME,
    "status": _STATUS,
    "parameters": {"type": ["object", "null"]},
    "metrics": {
        "type": ["object", "null"],
        "propertyNames": {"minLength": 1, "maxLength": TYPE_LENGTH},
        "additionalProperties": {"type": "array", "items": _ELEMENT},
    },
    "inputArtifacts": _ARTIFACTS,
    "outputArtifacts": _ARTIFACTS,
    "_git": {"type": ["object", "null"]},
}
_METRICS = {
    "type": "object",
    "properties": {
        "metrics": {"type": "array", "minItems": 1, "items": _ELEMENT},
        "value": _VALUE,
        "sequence": _SEQUENCE,
    },
    "anyOf": [{"required": ["metrics"]}, {"required": ["value"]}],
}
"""An element, or some."""

_TRIALS = (
    Route(
        "POST",
        "/apis/v1/trials",
        "AIMD: make a trial",
        "user",
        aimd_trials.make_trial,
        "write",
        _trial_json(("metadata",), **_TRIAL),
        query={"folder": _ID},
        errors=AimdErrors(404, "folder not exists"),
    ),
    Route(
        "GET",
        "/apis/v1/trials/id",
        "AIMD: find a trial by name",
        "user",
        aimd_trials.find_id_of_trial,
        query={"folder": _ID, "name": {"type": "string", "maxLength": NAME_LENGTH}},
        errors=_NO_TRIAL,
    ),
    Route(
        "GET",
        "/apis/v1/trials/{trial}",
        "AIMD: show a trial",
        "user",
        aimd_trials.show_trial,
        query={"metrics": {"enum": ["no"]}},
        is_costly=True,
        errors=_NO_TRIAL,
    ),
    Route(
        "PUT",
        "/apis/v1/trials/{trial}",
        "AIMD: change a trial",
        "user",
        aimd_trials.update_trial,
        "write",
        _trial_json((), **_TRIAL),
        query={"folder": _ID},
        errors=_NO_TRIAL,
    ),
    Route(
        "DELETE",
        "/apis/v1/trials/{trial}",
        "AIMD: remove a trial",
        "user",
        aimd_trials.delete_trial,
        "write",
        errors=_NO_TRIAL,
    ),
    Route(
        "POST",
        "/apis/v1/trials/{trial}/status",
        "AIMD: say what became of a trial",
        "user",
        aimd_trials.set_status,
        "write",
        _json(("status",), status=_STATUS, startTime=_TIME, endTime=_TIME),
        errors=_NO_TRIAL,
    ),
    Route(
        "GET",
        "/apis/v1/trials/{trial}/parameters",
        "AIMD: show the parameters of a trial",
        "user",
        aimd_trials.show_parameters,
        errors=_NO_TRIAL,
    ),
    Route(
        "POST",
        "/apis/v1/trials/{trial}/parameters",
        "AIMD: set the parameters of a trial",
        "user",
        aimd_trials.change_parameters,
        "write",
        _trial_json(()),
        errors=_NO_TRIAL,
    ),
    Route(
        "POST",
        "/apis/v1/trials/{trial}/metrics/{type}",
        "AIMD: append metrics to a trial; `start` is the number of the first",
        "user",
        aimd_trials.add_metrics,
        "write",
        Body(ANY, json.dumps(_METRICS), list_name="metrics", takes_constants=True),
        query={"start": {"type": "string"}},
        errors=_NO_TRIAL,
    ),
    Route(
        "GET",
        "/apis/v1/trials/{trial}/metrics",
        "AIMD: show the metrics of a trial",
        "user",
        aimd_trials.show_metrics,
        query={name: {"type": "string"} for name in ("type", "after", "limit")},
        is_costly=True,
        errors=_NO_TRIAL,
    ),
)

_VERSIONS = (
    Route(
        "POST",
        "/apis/v1/artifacts",
        "AIMD: begin to upload an artifact",
        "user",
        aimd_artifacts.add_artifact,
        "write",
        _json(
            (),
            metadata={"type": ["object", "null"], "properties": {"id": {"type": ["string", "null"]}}},
            description={"type": ["string", "null"], "maxLength": 100_000},
            aliases={"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 1000},
        ),
        query={"folder": _ID, "repo": _NAME, "type": _NAME},
        errors=_AIMD,
    ),
    Route(
        "GET",
        "/apis/v1/artifacts",
        "AIMD: find a version by folder, repo and tag",
        "user",
        aimd_artifacts.find_artifact,
        query={"folder": _ID, "repo": _NAME, "tag": _NAME},
        errors=_AIMD,
    ),
    Route("GET", "/apis/v1/artifacts/{id}", "AIMD: show a version", "user", aimd_artifacts.show_artifact, errors=_AIMD),
    Route(
        "PUT",
        "/apis/v1/artifacts/{id}/finalize",
        "AIMD: make a version of what was uploaded",
        "user",
        aimd_artifacts.finalize_artifact,
        "write",
        is_costly=True,
        errors=_AIMD,
    ),
)

_KEY = {"key": {"type": "string", "maxLength": 4096}}
_OBJECTS = (
    Route(
        "GET",
        "/apis/v1/artifacts/{id}/objects/ls",
        "AIMD: list the objects",
        "user",
        aimd_objects.list_objects,
        is_costly=True,
        errors=_AIMD,
    ),
    Route(
        "GET",
        "/apis/v1/artifacts/{id}/objects",
        "AIMD: get an object",
        "user",
        aimd_objects.get_object,
        query=_KEY,
        answers={200: "The object", 206: "A range of it"},
        is_costly=True,
        errors=_AIMD,
    ),
    Route(
        "POST",
        "/apis/v1/artifacts/{id}/objects",
        "AIMD: send an object",
        "user",
        aimd_objects.put_object,
        "write",
        Body((FORM,), limit=None),
        query=_KEY,
        is_costly=True,
        errors=_AIMD,
    ),
    Route(
        "POST",
        "/apis/v1/artifacts/{id}/multipart",
        "AIMD: begin an object that comes in parts",
        "user",
        aimd_objects.begin_parts,
        "write",
        query=_KEY,
        errors=_AIMD,
    ),
    Route(
        "PUT",
        "/apis/v1/artifacts/{id}/multipart/{upload}",
        "AIMD: send a part",
        "user",
        aimd_objects.put_part,
        "write",
        Body(ANY, limit=None),
        query={**_KEY, "partNum": {"type": "string", "pattern": "^[0-9]{1,5}$"}},
        is_costly=True,
        errors=_AIMD,
    ),
    Route(
        "POST",
        "/apis/v1/artifacts/{id}/multipart/{upload}",
        "AIMD: make an object of its parts",
        "user",
        aimd_objects.complete_parts,
        "write",
        _json(
            ("parts",),
            parts={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"etag": {"type": "string"}, "partNumber": {"type": "integer"}},
                    "required": ["etag", "partNumber"],
                },
                "maxItems": 10_000,
            },
        ),
        query=_KEY,
        is_costly=True,
        errors=_AIMD,
    ),
)

AIMD: tuple[Route, ...] = (*_FOLDERS, *_VERSIONS, *_OBJECTS, *_TRIALS)
"""All of them, those with fixed ends first."""
