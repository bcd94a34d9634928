"""The routes of who is who and who may what; those of artifacts, and the one table of all, are in routes.py."""

from aimdvc.server import admin_api
from aimdvc.server.bodies import json_body
from aimdvc.server.paging import PAGED
from aimdvc.server.quotas import MAX_SIZE
from aimdvc.server.routing import Route

_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_FLAG = {"type": "boolean"}
_PATH = {"type": "string", "minLength": 1, "maxLength": 4000}
_KIND = {"enum": ["user", "group", "everyone"]}
_SUBJECT = {"type": "string", "maxLength": 100}

_ADMIN = (
    Route("GET", "/api/v1/whoami", "Whose the key is", "user", admin_api.whoami),
    Route("GET", "/api/v1/users", "List the users", "admin", admin_api.list_users, "admin", query=PAGED),
    Route(
        "POST",
        "/api/v1/users",
        "Make a user",
        "admin",
        admin_api.add_user,
        "admin",
        json_body(("name",), name=_NAME, is_admin=_FLAG),
        answers={201: "Made"},
    ),
    Route(
        "PATCH",
        "/api/v1/users/{user}",
        "Promote, demote, disable or enable a user",
        "admin",
        admin_api.change_user,
        "admin",
        json_body(is_admin=_FLAG, is_disabled=_FLAG),
    ),
    Route(
        "GET",
        "/api/v1/groups",
        "List the groups and their members",
        "admin",
        admin_api.list_groups,
        "admin",
        query=PAGED,
    ),
    Route(
        "POST",
        "/api/v1/groups",
        "Make a group",
        "admin",
        admin_api.add_group,
        "admin",
        json_body(("name",), name=_NAME),
        answers={201: "Made"},
    ),
    Route(
        "DELETE",
        "/api/v1/groups/{group}",
        "Remove a group",
        "admin",
        admin_api.remove_group,
        "admin",
        answers={204: "There is none"},
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
    Route(
        "GET",
        "/api/v1/stats",
        "Tell how much the server holds",
        "admin",
        admin_api.show_stats,
        "admin",
        query={"path": _PATH},
    ),
    Route(
        "GET", "/api/v1/keys", "List one's keys", "user", admin_api.list_keys, "admin", query={**PAGED, "user": _NAME}
    ),
    Route(
        "POST",
        "/api/v1/keys",
        "Make a key, shown this once",
        "user",
        admin_api.add_key,
        "admin",
        json_body(
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
    Route("GET", "/api/v1/nodes/{node}", "Tell where a folder or an artifact is", "shared", admin_api.show_node),
    Route("GET", "/api/v1/folders", "List the roots", "user", admin_api.list_roots, query=PAGED),
    Route("GET", "/api/v1/folders/{path}", "List a folder", "user", admin_api.list_folder, query=PAGED),
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
        json_body(("to",), to=_PATH),
    ),
    Route(
        "DELETE",
        "/api/v1/folders/{path}",
        "Remove a folder or an artifact",
        "user",
        admin_api.remove_node,
        "admin",
        query={"recursive": {"enum": ["true", "false"]}},
    ),
    Route("GET", "/api/v1/removed", "List what was removed", "admin", admin_api.list_removed, "admin", query=PAGED),
    Route(
        "POST",
        "/api/v1/removed",
        "Put back what was removed from a path",
        "admin",
        admin_api.restore_node,
        "admin",
        json_body(("path",), path=_PATH, to=_PATH),
    ),
    Route(
        "GET",
        "/api/v1/shares/{path}",
        "List with whom a node is shared",
        "user",
        admin_api.list_shares,
        "admin",
        query=PAGED,
    ),
    Route(
        "PUT",
        "/api/v1/shares/{path}",
        "Share a node",
        "user",
        admin_api.add_share,
        "admin",
        json_body(("kind", "may"), kind=_KIND, subject=_SUBJECT, may={"enum": ["view", "edit"]}),
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
    Route(
        "GET",
        "/api/v1/protections/{path}",
        "List protected refs",
        "user",
        admin_api.list_protections,
        "admin",
        query=PAGED,
    ),
    Route(
        "PUT",
        "/api/v1/protections/{path}",
        "Protect refs",
        "user",
        admin_api.add_protection,
        "admin",
        json_body(("pattern", "kind"), pattern={"type": "string", "maxLength": 400}, kind=_RULE, subject=_SUBJECT),
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
    Route(
        "GET",
        "/api/v1/quotas",
        "List the quotas with what they use",
        "admin",
        admin_api.list_quotas,
        "admin",
        query=PAGED,
    ),
    Route(
        "PUT",
        "/api/v1/quotas",
        "Set how much a path, or a user (user:NAME), may use",
        "admin",
        admin_api.set_quota,
        "admin",
        json_body(("subject", "size"), subject=_PATH, size=_SIZE),
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

ADMIN: tuple[Route, ...] = (*_ADMIN, *_PROTECTIONS, *_QUOTAS)
"""All of them."""
