"""The REST of who is who and who may what: users, groups, keys, folders and shares."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID, uuid5

from aimdvc.server.accounts import Key, User
from aimdvc.server.audit import read_audit
from aimdvc.server.bodies import JSON
from aimdvc.server.database import now_s
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.messages import json_response
from aimdvc.server.paging import paged
from aimdvc.server.rights import SCOPES, Caller
from aimdvc.server.routing import Call
from aimdvc.server.stats import read_stats

_REPEATED = UUID("6d1a2f0c-3f0e-4b57-9a3b-0f5b8f0f9a11")

_KEY_ID = re.compile("[0-9a-f]{32}")
"""Over HTTP a key is named by its id alone: what stands in a path stands in logs."""


def whoami(call: Call) -> Response:
    """Whose the key is, and what it passes on."""
    caller = call.caller
    folder = call.site.folders.path_of(caller, caller.folder) if caller.folder is not None else None
    return _answer({"user": caller.name, "is_admin": caller.is_admin, "scope": caller.scope, "folder": folder})


def list_users(call: Call) -> Response:
    """All users, by name."""
    page, following = paged(call, call.site.accounts.list_users(), lambda user: user.name.casefold())
    return _answer({"users": [_user(user) for user in page], **following})


def add_user(call: Call) -> Response:
    """Makes a user with a root of their name."""
    name = str(call.json["name"])
    call.site.accounts.add_user(name, bool(call.json.get("is_admin", False)), by=call.caller)
    return _answer(_user(call.site.accounts.user(name)), 201)


def change_user(call: Call) -> Response:
    """Makes a user an administrator, disables them, or takes that back."""
    name = call.params["user"]
    wish = {field: call.json.get(field) for field in ("is_admin", "is_disabled")}
    changed = {field: bool(value) for field, value in wish.items() if value is not None}
    call.site.accounts.change_user(name, **changed, by=call.caller)
    return _answer(_user(call.site.accounts.user(name)))


def list_groups(call: Call) -> Response:
    """All groups, by name, with their members."""
    page, following = paged(call, call.site.accounts.list_groups(), lambda group: group.name.casefold())
    return _answer({"groups": [_group(one.name, one.members) for one in page], **following})


def add_group(call: Call) -> Response:
    """Makes a group."""
    name = str(call.json["name"])
    call.site.accounts.add_group(name, by=call.caller)
    return _answer(_group(name, ()), 201)


def remove_group(call: Call) -> Response:
    """Ends a group, its memberships and what was shared with it; not while a protected ref names it."""
    call.site.removals.remove_group(call.params["group"], call.caller)
    return Response(204)


def join_group(call: Call) -> Response:
    """Makes a user a member. Safe to repeat."""
    call.site.accounts.join(call.params["group"], call.params["user"], by=call.caller)
    return Response(204)


def leave_group(call: Call) -> Response:
    """Ends a membership. Safe to repeat."""
    call.site.accounts.leave(call.params["group"], call.params["user"], by=call.caller)
    return Response(204)


def list_keys(call: Call) -> Response:
    """What is known of the caller's keys, or of another user's to an administrator."""
    user = _subject(call, call.request.query.get("user"))
    page, following = paged(call, _keys(call, user.id), lambda key: f"{key.created_s:020.6f} {key.id}")
    return _answer({"keys": [_key(call, key) for key in page], **following})


def add_key(call: Call) -> Response:
    """Makes a key, of the caller or, by an administrator, of another user; it is shown this once."""
    wish = call.json
    user = _subject(call, wish.get("user"))
    scope = str(wish.get("scope", "write"))
    folder = call.caller.folder
    if SCOPES.index(scope) > SCOPES.index(call.caller.scope):
        raise HttpError(403, "a key can't make one that may more")
    if wish.get("folder") is not None:
        folder = call.site.folders.id_of(call.caller, str(wish["folder"]))
    wanted = wish.get("expires_s")
    if isinstance(wanted, (int, float)) and wanted <= now_s():
        raise HttpError(422, "expires_s is past: it is a time, in seconds since 1970")
    # A key makes none that outlives it.
    ends = [float(end) for end in (wanted, call.caller.expires_s) if isinstance(end, (int, float))]
    name, until = str(wish.get("name", "")), min(ends, default=None)
    key = call.site.accounts.add_key(user.id, scope, name, folder, until, by=call.caller, known=_request_id(call))
    return _answer({"key": key, "user": user.name, "scope": scope}, 201)


def _request_id(call: Call) -> str | None:
    """Returns the id of what a request makes that says how it is to be known again: its sender's, of this name."""
    name = call.request.headers.get("idempotency-key")
    return uuid5(_REPEATED, f"{call.caller.key} {name}").hex if name else None


def revoke_key(call: Call) -> Response:
    """Ends a key at once: one of the caller's, or anybody's to an administrator."""
    key = call.params["key"]
    mine = {one.id for one in _keys(call, call.caller.id)}
    if key not in mine and not (call.caller.administers and _KEY_ID.fullmatch(key)):
        raise HttpError(404, "there is no such key")
    call.site.accounts.revoke_key(key, by=call.caller)
    return Response(204)


def list_roots(call: Call) -> Response:
    """The roots that the caller sees something of."""
    return _folder(call, "", {})


def list_folder(call: Call) -> Response:
    """Where a folder is, and what of it the caller sees."""
    folders = call.site.folders
    node = folders.id_of(call.caller, call.params["path"])
    return _folder(call, call.params["path"], {"id": node, "path": folders.path_of(call.caller, node)})


def show_node(call: Call) -> Response:
    """Where a folder or an artifact is now, by its id, which stays the same."""
    path = call.site.folders.path_of(call.caller, call.params["node"])
    if path is None:
        raise HttpError(404, "there is no such folder or artifact")
    return _answer({"id": call.params["node"], "path": path})


def make_folder(call: Call) -> Response:
    """Makes a folder, and those on the way to it; a name alone is a shared root, which administrators make."""
    path = call.params["path"]
    if "/" in path or not call.caller.administers:
        made = call.site.folders.make(call.caller, path)
    else:
        call.site.folders.make_root(path, by=call.caller)
        made = path
    return _answer({"path": made}, 201)


def move_node(call: Call) -> Response:
    """Moves or renames a folder or an artifact; the shares that it had end where it goes to another folder."""
    return _answer({"path": call.site.folders.move(call.caller, call.params["path"], str(call.json["to"]))})


def remove_node(call: Call) -> Response:
    """Removes a folder or an artifact, which an administrator can put back."""
    is_recursive = call.request.query.get("recursive") == "true"
    return _answer(asdict(call.site.removals.remove(call.caller, call.params["path"], is_recursive)))


def list_removed(call: Call) -> Response:
    """All that was removed, and when, by path."""
    page, following = paged(
        call, call.site.removals.read(), lambda one: f"{one.path.casefold()} {one.removed_s:020.6f}"
    )
    return _answer({"removed": [asdict(one) for one in page], **following})


def restore_node(call: Call) -> Response:
    """Puts back what was removed last from a path, to where it lay, or to another path."""
    to = call.json.get("to")
    where = call.site.removals.restore(call.caller, str(call.json["path"]), str(to) if to is not None else None)
    return _answer({"path": where})


def list_shares(call: Call) -> Response:
    """With whom a folder or an artifact itself is shared."""
    shares = call.site.folders.shares(call.caller, call.params["path"])
    page, following = paged(call, shares, lambda share: f"{share.kind} {share.subject.casefold()}")
    return _answer({"shares": [asdict(share) for share in page], **following})


def add_share(call: Call) -> Response:
    """Shares a node and all below it; what was shared with them before is replaced."""
    call.site.folders.share(call.caller, call.params["path"], *_with(call.json), str(call.json["may"]))
    return list_shares(call)


def remove_share(call: Call) -> Response:
    """Ends a share. Safe to repeat."""
    call.site.folders.share(call.caller, call.params["path"], *_with(call.request.query), "")
    return list_shares(call)


def _answer(message: Mapping[str, object], status: int = 200) -> Response:
    return json_response(message, status, JSON)


def _folder(call: Call, path: str, told: Mapping[str, object]) -> Response:
    page, following = paged(call, call.site.folders.children(call.caller, path), lambda node: node.path.casefold())
    return _answer({**told, "nodes": [asdict(node) for node in page], **following})


def _with(wish: Mapping[str, object]) -> tuple[str, str]:
    return str(wish.get("kind", "")), str(wish.get("subject", ""))


def _subject(call: Call, name: object) -> User:
    """Returns the user whose keys are meant: to others than administrators there is none but themselves."""
    caller: Caller = call.caller
    if name is None or str(name).casefold() == caller.name.casefold():
        return call.site.accounts.user(caller.name)
    if not caller.administers:
        raise HttpError(403, "these are another user's keys")
    return call.site.accounts.user(str(name))


def _keys(call: Call, user: str) -> list[Key]:
    """Returns a user's keys, to a key that is bound to a folder only those that are bound to the same."""
    bound = call.caller.folder
    return [key for key in call.site.accounts.list_keys(user) if bound is None or key.folder == bound]


def _user(user: User) -> dict[str, object]:
    return {name: value for name, value in asdict(user).items() if name != "id"}


def _group(name: str, members: tuple[str, ...]) -> dict[str, object]:
    return {"name": name, "members": list(members)}


def _key(call: Call, key: Key) -> dict[str, object]:
    shown = {name: value for name, value in asdict(key).items() if name not in ("user", "folder")}
    return {**shown, "folder": call.site.folders.path_of(call.caller, key.folder) if key.folder is not None else None}


def list_protections(call: Call) -> Response:
    """The protected refs of a folder or an artifact itself."""
    rules = call.site.protections.rules(call.caller, call.params["path"])
    page, following = paged(call, rules, lambda rule: f"{rule.pattern} {rule.kind} {rule.subject_id}")
    told = [{"pattern": rule.pattern, "kind": rule.kind, "subject": rule.subject} for rule in page]
    return _answer({"protections": told, **following})


def add_protection(call: Call) -> Response:
    """Lets nobody but those who are named move the refs of a pattern."""
    call.site.protections.protect(call.caller, call.params["path"], str(call.json["pattern"]), *_with(call.json))
    return list_protections(call)


def remove_protection(call: Call) -> Response:
    """Takes a protection away. Safe to repeat."""
    query = call.request.query
    call.site.protections.protect(
        call.caller, call.params["path"], query.get("pattern", ""), *_with(query), is_on=False
    )
    return list_protections(call)


def list_quotas(call: Call) -> Response:
    """All quotas, with what is used of them."""
    page, following = paged(call, call.site.quotas.read(), lambda quota: quota.subject.casefold())
    return _answer({"quotas": [asdict(quota) for quota in page], **following})


def set_quota(call: Call) -> Response:
    """Sets how much the blobs of a folder, or of a user, may have. What is there stays."""
    size = call.json["size"]
    # In JSON 1.0 is a whole number, too.
    whole = int(size) if isinstance(size, (int, float)) else 0
    return _answer(asdict(call.site.quotas.set(str(call.json["subject"]), whole, by=call.caller)))


def remove_quota(call: Call) -> Response:
    """Takes a quota away. Safe to repeat."""
    call.site.quotas.remove(call.request.query.get("subject", ""), by=call.caller)
    return Response(204)


def show_stats(call: Call) -> Response:
    """How much the server holds, and what lies in one folder."""
    return _answer(asdict(read_stats(call.site.database, call.request.query.get("path", ""))))


def list_audit(call: Call) -> Response:
    """Who changed what, in the order in which it was done, a page at a time."""
    after = call.request.query.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 18):
        raise HttpError(422, "after is not a number")
    found = read_audit(call.site.database, int(after))
    return _answer({"entries": [asdict(entry) for entry in found], "after": found[-1].number if found else int(after)})
