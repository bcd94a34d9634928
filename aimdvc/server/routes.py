"""The one table of routes: what can be asked of a server, who may, with which key, and what has to be sent.

The checks at the door (app.py), the OpenAPI document (openapi.py) and the tests of every route with every role and
scope are made from it.
"""

import json

from aimdvc.server import aimd_pack, git_http, lfs, lfs_locks, lineage_api, search, trials_api, tus, versions_api
from aimdvc.server.admin_routes import ADMIN
from aimdvc.server.aimd_routes import AIMD
from aimdvc.server.bodies import ANY, JSON, Body, json_body
from aimdvc.server.messages import MEDIA_TYPE
from aimdvc.server.paging import PAGED
from aimdvc.server.routing import Route, Router

_TEXT = {"type": "string", "minLength": 1, "maxLength": 1000}
_FLAG = {"type": "boolean"}
_LFS_TYPES = (MEDIA_TYPE, JSON)


def _lfs(required: tuple[str, ...] = (), **properties: object) -> Body:
    """A message of Git LFS, in which unknown fields are nothing wrong."""
    return Body(_LFS_TYPES, json.dumps({"type": "object", "properties": properties, "required": list(required)}))


_COMMIT = {"type": "string", "pattern": "^[0-9a-f]{4,40}$"}
_VERSION = {"type": "string", "pattern": "^([0-9a-f]{4,40}|v[1-9][0-9]{0,8})$"}

_ARTIFACTS = (
    Route(
        "GET",
        "/api/v1/search",
        "Search artifacts; metadata.KEY=VALUE finds what has that in its metadata",
        "shared",
        search.search,
        query={**PAGED, **{name: {"type": "string"} for name in ("q", "name", "type", "label")}},
    ),
    Route("GET", "/api/v1/artifacts/{path}", "Show an artifact", "shared", versions_api.show_artifact),
    Route("GET", "/api/v1/versions/{path}", "List the versions", "shared", versions_api.list_versions, query=PAGED),
    Route("GET", "/api/v1/aliases/{path}", "List the aliases", "shared", versions_api.list_aliases, query=PAGED),
    Route(
        "GET",
        "/api/v1/moves/{path}",
        "List every move of the refs",
        "shared",
        versions_api.list_moves,
        query={**PAGED, "ref": {"type": "string"}},
    ),
    Route("GET", "/api/v1/trials/{path}", "List the trials of a folder", "user", trials_api.list_trials, query=PAGED),
    Route(
        "GET",
        "/api/v1/compare/trials",
        "Compare trials by parameters, platform, code, and metrics by step",
        "user",
        trials_api.compare_trials,
        query={name: {"type": "string"} for name in ("trials", "type", "after", "limit")},
        is_costly=True,
    ),
    Route(
        "PUT",
        "/api/v1/refs/{path}",
        "Put a ref back to where it stood",
        "admin",
        versions_api.restore_ref,
        "admin",
        json_body(("ref", "commit"), ref=_TEXT, commit=_VERSION, lease=_COMMIT, reason={"type": "string"}),
    ),
    Route(
        "GET",
        "/api/v1/objects/{path}",
        "List the objects of a version",
        "shared",
        versions_api.list_objects,
        query={**PAGED, "version": {"type": "string"}, "prefix": {"type": "string"}},
        is_costly=True,
    ),
    Route(
        "GET",
        "/api/v1/diff/{path}",
        "List what differs between two versions",
        "shared",
        versions_api.diff_versions,
        query={**PAGED, "old": {"type": "string"}, "new": {"type": "string"}},
        answers={200: "The changes", 304: "As in the answer with this ETag"},
        is_costly=True,
    ),
    Route(
        "GET",
        "/api/v1/lineage/{path}",
        "Show what a version was made from, or what was made from it",
        "shared",
        lineage_api.show_lineage,
        query={
            **{name: {"type": "string"} for name in ("version", "depth", "limit")},
            "direction": {"enum": ["up", "down"]},
        },
        is_costly=True,
    ),
)

_GIT = (
    Route(
        "GET",
        "/{artifact}/info/refs",
        "Git: the refs",
        "shared",
        git_http.info_refs,
        query={"service": {"enum": ["git-upload-pack", "git-receive-pack"]}},
    ),
    Route(
        "POST",
        "/{artifact}/git-upload-pack",
        "Git: fetch",
        "shared",
        git_http.fetch,
        body=Body(("application/x-git-upload-pack-request",), limit=None),
        is_costly=True,
    ),
    Route(
        "POST",
        "/{artifact}/git-receive-pack",
        "Git: push",
        "user",
        git_http.push,
        "write",
        Body(("application/x-git-receive-pack-request",), limit=None),
        is_costly=True,
    ),
)

_LFS = (
    Route(
        "POST",
        "/{artifact}/info/lfs/objects/batch",
        "Git LFS: what to send or get, and where",
        "shared",
        lfs.batch,
        body=_lfs(("operation", "objects"), operation=_TEXT, objects={"type": "array"}),
    ),
    Route(
        "POST",
        "/{artifact}/info/lfs/objects/verify",
        "Git LFS: whether a blob arrived",
        "signed",
        lfs.verify,
        body=_lfs(("oid", "size"), oid=_TEXT, size={"type": "integer"}),
    ),
    Route(
        "PUT",
        "/{artifact}/info/lfs/objects/{oid}",
        "Git LFS: send a blob",
        "signed",
        lfs.put_blob,
        body=Body(ANY, limit=None),
        is_costly=True,
    ),
    Route(
        "GET",
        "/{artifact}/info/lfs/objects/{oid}",
        "Git LFS: get a blob",
        "signed",
        lfs.get_blob,
        answers={200: "The blob", 206: "A range of it"},
        is_costly=True,
    ),
    Route(
        "HEAD",
        "/{artifact}/info/lfs/objects/{oid}",
        "tus: how many bytes of a blob are here",
        "signed",
        tus.upload_offset,
    ),
    Route(
        "PATCH",
        "/{artifact}/info/lfs/objects/{oid}",
        "tus: send the rest of a blob",
        "signed",
        tus.append_to_upload,
        body=Body((tus.MEDIA_TYPE,), limit=None),
        answers={204: "The bytes are kept"},
        is_costly=True,
    ),
    Route(
        "OPTIONS",
        "/{artifact}/info/lfs/objects/{oid}",
        "tus: which versions of it there are",
        "signed",
        tus.upload_options,
        answers={204: "In Tus-Version"},
    ),
    Route(
        "POST",
        "/{artifact}/info/lfs/aimd-pack",
        "Send or get many small blobs",
        "signed",
        aimd_pack.transfer,
        body=Body((aimd_pack.MEDIA_TYPE, *_LFS_TYPES), limit=None),
        is_costly=True,
    ),
    Route(
        "GET",
        "/{artifact}/info/lfs/locks",
        "Git LFS: list the locks",
        "shared",
        lfs_locks.list_locks,
        query={name: {"type": "string"} for name in ("path", "id", "cursor", "limit", "refspec")},
    ),
    Route(
        "POST",
        "/{artifact}/info/lfs/locks",
        "Git LFS: lock a path",
        "user",
        lfs_locks.make_lock,
        "write",
        _lfs(("path",), path={"type": "string", "minLength": 1}),
        answers={201: "Locked"},
    ),
    Route(
        "POST",
        "/{artifact}/info/lfs/locks/verify",
        "Git LFS: whose the locks are",
        "user",
        lfs_locks.verify_locks,
        "write",
        _lfs(cursor={"type": "string"}, limit={"type": "integer", "minimum": 0}),
    ),
    Route(
        "POST",
        "/{artifact}/info/lfs/locks/{lock}/unlock",
        "Git LFS: end a lock",
        "user",
        lfs_locks.unlock,
        "write",
        _lfs(force=_FLAG),
    ),
)

ROUTES: tuple[Route, ...] = (*ADMIN, *AIMD, *_ARTIFACTS, *_GIT, *_LFS)
"""All of them, those with fixed beginnings first."""

ROUTER = Router(ROUTES)
