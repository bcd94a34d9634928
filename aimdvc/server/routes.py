"""The one table of routes: what can be asked of a server, who may, with which key, and what has to be sent.

The checks at the door (app.py), the OpenAPI document (openapi.py) and the tests of every route with every role and
scope are made from it.
"""

import json

from aimdvc.server import admin_api, aimd_pack, git_http, lfs, lfs_locks, versions_api
from aimdvc.server.bodies import ANY, JSON, Body
from aimdvc.server.messages import MEDIA_TYPE
from aimdvc.server.quotas import MAX_SIZE
from aimdvc.server.routing import Route, Router

_TEXT = {"type": "string", "minLength": 1, "maxLength": 1000}
_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_FLAG = {"type": "boolean"}
_PATH = {"type": "string", "minLength": 1, "maxLength": 4000}
_KIND = {"enum": ["user", "group", "everyone"]}
_SUBJECT = {"type": "string", "maxLength": 100}
_LFS_TYPES = (MEDIA_TYPE, JSON)


def _json(required: tuple[str, ...] = (), **properties: object) -> Body:
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return Body(schema=json.dumps(schema))


def _lfs(required: tuple[str, ...] = (), **properties: object) -> Body:
    """A message of Git LFS, in which unknown fields are nothing wrong."""
    return Body(_LFS_TYPES, json.dumps({"type": "object", "properties": properties, "required": list(required)}))


_ADMIN = (
    Route("GET", "/api/v1/whoami", "Whose the key is", "user", admin_api.whoami),
    Route("GET", "/api/v1/users", "List the users", "admin", admin_api.list_users, "admin"),
    Route(
        "POST",
        "/api/v1/users",
        "Make a user",
        "admin",
        admin_api.add_user,
        "admin",
        _json(("name",), name=_NAME, is_admin=_FLAG),
        answers={201: "Made"},
    ),
    Route(
        "PATCH",
        "/api/v1/users/{user}",
        "Promote, demote, disable or enable a user",
        "admin",
        admin_api.change_user,
        "admin",
        _json(is_admin=_FLAG, is_disabled=_FLAG),
    ),
    Route("GET", "/api/v1/groups", "List the groups and their members", "admin", admin_api.list_groups, "admin"),
    Route(
        "POST",
        "/api/v1/groups",
        "Make a group",
        "admin",
        admin_api.add_group,
        "admin",
        _json(("name",), name=_NAME),
        answers={201: "Made"},
    ),
    Route(
        "PUT",
        "/api/v1/groups/{group}/members/{user}",
        "Make a user a member",
        "admin",
        admin_api.join_group,
        "admin",
        answers={204: "Is one"},
    ),
    Route(
        "DELETE",
        "/api/v1/groups/{group}/members/{user}",
        "End a membership",
        "admin",
        admin_api.leave_group,
        "admin",
        answers={204: "Is none"},
    ),
    Route(
        "GET",
        "/api/v1/audit",
        "List who changed what",
        "admin",
        admin_api.list_audit,
        "admin",
        query={"after": {"type": "string"}},
    ),
    Route("GET", "/api/v1/keys", "List one's keys", "user", admin_api.list_keys, "admin", query={"user": _NAME}),
    Route(
        "POST",
        "/api/v1/keys",
        "Make a key, shown this once",
        "user",
        admin_api.add_key,
        "admin",
        _json(
            user=_NAME,
            name={"type": "string", "maxLength": 100},
            scope={"enum": ["read", "write", "admin"]},
            folder=_PATH,
            expires_s={"type": "number", "minimum": 0, "maximum": 1e11},
        ),
        answers={201: "Made"},
    ),
    Route(
        "DELETE", "/api/v1/keys/{key}", "Revoke a key", "user", admin_api.revoke_key, "admin", answers={204: "Ended"}
    ),
    Route("GET", "/api/v1/folders", "List the roots", "user", admin_api.list_roots),
    Route("GET", "/api/v1/folders/{path}", "List a folder", "user", admin_api.list_folder),
    Route(
        "PUT",
        "/api/v1/folders/{path}",
        "Make a folder",
        "user",
        admin_api.make_folder,
        "write",
        answers={201: "Is there"},
    ),
    Route(
        "PATCH",
        "/api/v1/folders/{path}",
        "Move a folder or an artifact",
        "user",
        admin_api.move_node,
        "write",
        _json(("to",), to=_PATH),
    ),
    Route("GET", "/api/v1/shares/{path}", "List with whom a node is shared", "user", admin_api.list_shares, "admin"),
    Route(
        "PUT",
        "/api/v1/shares/{path}",
        "Share a node",
        "user",
        admin_api.add_share,
        "admin",
        _json(("kind", "may"), kind=_KIND, subject=_SUBJECT, may={"enum": ["view", "edit"]}),
    ),
    Route(
        "DELETE",
        "/api/v1/shares/{path}",
        "End a share",
        "user",
        admin_api.remove_share,
        "admin",
        query={"kind": _KIND, "subject": _NAME},
    ),
)

_RULE = {"enum": ["user", "group", "nobody", "forward"]}

_PROTECTIONS = (
    Route("GET", "/api/v1/protections/{path}", "List protected refs", "user", admin_api.list_protections, "admin"),
    Route(
        "PUT",
        "/api/v1/protections/{path}",
        "Protect refs",
        "user",
        admin_api.add_protection,
        "admin",
        _json(("pattern", "kind"), pattern={"type": "string", "maxLength": 400}, kind=_RULE, subject=_SUBJECT),
    ),
    Route(
        "DELETE",
        "/api/v1/protections/{path}",
        "Take a protection away",
        "user",
        admin_api.remove_protection,
        "admin",
        query={"pattern": {"type": "string"}, "kind": _RULE, "subject": _NAME},
    ),
)

_SIZE = {"type": "integer", "minimum": 0, "maximum": MAX_SIZE}

_QUOTAS = (
    Route("GET", "/api/v1/quotas", "List the quotas with what they use", "admin", admin_api.list_quotas, "admin"),
    Route(
        "PUT",
        "/api/v1/quotas",
        "Set how much a path, or a user (user:NAME), may use",
        "admin",
        admin_api.set_quota,
        "admin",
        _json(("subject", "size"), subject=_PATH, size=_SIZE),
    ),
    Route(
        "DELETE",
        "/api/v1/quotas",
        "Take a quota away",
        "admin",
        admin_api.remove_quota,
        "admin",
        query={"subject": _PATH},
        answers={204: "There is none"},
    ),
)

_PAGED = {"limit": {"type": "string"}, "cursor": {"type": "string"}}

_ARTIFACTS = (
    Route("GET", "/api/v1/artifacts/{path}", "Show an artifact", "shared", versions_api.show_artifact),
    Route("GET", "/api/v1/versions/{path}", "List the versions", "shared", versions_api.list_versions, query=_PAGED),
    Route("GET", "/api/v1/aliases/{path}", "List the aliases", "shared", versions_api.list_aliases),
    Route(
        "GET",
        "/api/v1/moves/{path}",
        "List every move of the refs",
        "shared",
        versions_api.list_moves,
        query={**_PAGED, "ref": {"type": "string"}},
    ),
    Route(
        "GET",
        "/api/v1/objects/{path}",
        "List the objects of a version",
        "shared",
        versions_api.list_objects,
        query={**_PAGED, "version": {"type": "string"}, "prefix": {"type": "string"}},
        is_costly=True,
    ),
    Route(
        "GET",
        "/api/v1/diff/{path}",
        "List what differs between two versions",
        "shared",
        versions_api.diff_versions,
        query={**_PAGED, "old": {"type": "string"}, "new": {"type": "string"}},
        answers={200: "The changes", 304: "As in the answer with this ETag"},
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

ROUTES: tuple[Route, ...] = (*_ADMIN, *_PROTECTIONS, *_QUOTAS, *_ARTIFACTS, *_GIT, *_LFS)
"""All of them, those with fixed beginnings first."""

ROUTER = Router(ROUTES)
