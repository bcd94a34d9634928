"""Git LFS locks: create, list, verify, unlock. A lock is its owner's, and of the artifact, whatever the branch.

Protocol: git-lfs, docs/api/locking.md. Pushes that change what somebody else has locked are refused (receive_pack.py).
"""

from collections.abc import Mapping
from datetime import datetime, timezone

from aimdvc.errors import UnsafePath
from aimdvc.model.paths import check_entry_path
from aimdvc.server.catalogue import Artifact
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.lock_table import Lock, add_lock, read_locks, remove_lock
from aimdvc.server.messages import json_response
from aimdvc.server.routing import Call

_PAGE = 100
_MAX_PAGE = 1000
_MAX_PATH = 2000
"""Bytes; PostgreSQL indexes no more than 2,704."""


def list_locks(call: Call) -> Response:
    """Answers `GET locks`: those of the artifact, by path, a page at a time."""
    artifact = call.site.artifact(call.caller, call.artifact)
    query = call.request.query
    limit = _limit(query.get("limit"))
    found = read_locks(
        call.site.database, artifact.id, query.get("path"), query.get("id"), query.get("cursor", ""), limit + 1
    )
    return json_response({"locks": [_told(lock) for lock in found[:limit]], **_next(found, limit)})


def make_lock(call: Call) -> Response:
    """Answers `POST locks`: 201 with the new lock, 409 with the one that is there."""
    artifact = _writable(call)
    wanted = str(call.json["path"])
    try:
        check_entry_path(wanted)
        is_short = len(wanted.encode()) <= _MAX_PATH
    except (UnsafePath, UnicodeEncodeError) as error:
        raise HttpError(422, "the path can't be one of a file") from error
    if not is_short:
        raise HttpError(422, f"the path has more than {_MAX_PATH} bytes")
    lock, is_new = add_lock(call.site.database, artifact.id, wanted, call.caller.id)
    if not is_new:
        return json_response({"lock": _told(lock), "message": f"{lock.owner_name} has locked it already"}, 409)
    return json_response({"lock": _told(lock)}, 201)


def verify_locks(call: Call) -> Response:
    """Answers `POST locks/verify`, which stock clients send before each push: whose the locks are."""
    artifact = call.site.catalogue.find_writable(call.caller, call.artifact)
    limit = _limit(call.json.get("limit"))
    cursor = str(call.json.get("cursor", ""))
    # What is not there yet has no locks: the push that comes will make it.
    found = read_locks(call.site.database, artifact.id, after=cursor, limit=limit + 1) if artifact is not None else []
    page = found[:limit]
    ours = [_told(lock) for lock in page if lock.owner == call.caller.id]
    theirs = [_told(lock) for lock in page if lock.owner != call.caller.id]
    return json_response({"ours": ours, "theirs": theirs, **_next(found, limit)})


def unlock(call: Call) -> Response:
    """Answers `POST locks/ID/unlock`: the owner's, or with `force` anybody's who may push."""
    artifact = _writable(call)
    found = read_locks(call.site.database, artifact.id, lock=call.params["lock"])
    if not found:
        raise HttpError(404, "no such lock")
    lock = found[0]
    if lock.owner != call.caller.id and not call.json.get("force", False):
        raise HttpError(403, f"the lock is {lock.owner_name}'s: force takes it away")
    remove_lock(call.site.database, artifact.id, lock, call.caller)
    return json_response({"lock": _told(lock)})


def _writable(call: Call) -> Artifact:
    artifact = call.site.catalogue.find_writable(call.caller, call.artifact)
    if artifact is None:
        raise HttpError(404, "no such artifact")
    return artifact


def _limit(value: object) -> int:
    if value is None or value in ("", 0, "0"):
        return _PAGE
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise HttpError(422, "the limit is not a number")
    return min(int(text), _MAX_PAGE)


def _next(found: list[Lock], limit: int) -> Mapping[str, object]:
    return {"next_cursor": found[limit - 1].path} if len(found) > limit else {}


def _told(lock: Lock) -> dict[str, object]:
    time = datetime.fromtimestamp(lock.created_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": lock.id, "path": lock.path, "locked_at": time, "owner": {"name": lock.owner_name}}
