"""The routes of AIMD's own REST, as its clients call them; the one table of all routes is in routes.py."""

import json

from aimdvc.server import aimd_folders
from aimdvc.server.bodies import ANY, Body
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

AIMD: tuple[Route, ...] = _FOLDERS
"""All of them, those with fixed ends first."""
