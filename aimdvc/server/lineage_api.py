"""The REST of lineage: what made a version and what that was made from, or what was made from it (lineage.py).

An answer is bounded in steps and in versions, and says where it ends early: ask again from there. Nothing but what the
caller may view stands among its versions. What a commit says that it was made from stands among the edges in any case:
who sees the commit can read that there.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from aimdvc.model.lineage import Making, parse_making
from aimdvc.model.oid import GitId
from aimdvc.server.bodies import JSON
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.lineage import Bounds, Found, Walk
from aimdvc.server.messages import json_response
from aimdvc.server.paging import read_limit, read_number
from aimdvc.server.routing import Call
from aimdvc.server.tree import paths_of
from aimdvc.server.versions_api import open_artifact

_DEPTH = 10
_MOST_DEPTH = 100


def show_lineage(call: Call) -> Response:
    """What made a version, and what that was made from (`up`), or what was made from it, and from that (`down`)."""
    query = call.request.query
    bounds = Bounds(min(read_number(query.get("depth"), _DEPTH), _MOST_DEPTH), read_limit(call))
    direction = query.get("direction", "up")
    if direction not in ("up", "down"):
        raise HttpError(422, "direction is neither up nor down")
    with open_artifact(call) as opened:
        start = opened.commit(query.get("version", "latest"))
    making = parse_making(start.message)
    with call.site.database.read() as connection:
        walk = Walk(connection, call.caller)
        artifact = opened.artifact.id
        if direction == "up":
            found = walk.up(artifact, start.id, making, bounds)
        else:
            found = walk.down(artifact, start.id, bounds)
        told = _told(connection, walk, found, {start.id: making})
    return json_response({"commit": start.id, "direction": direction, **told}, content_type=JSON)


def _told(connection: Connection, walk: Walk, found: Found, read: Mapping[GitId, Making]) -> dict[str, object]:
    """Returns what an answer says of what was found; `read` are makings that are known already."""
    makings = walk.makings(found.artifacts) | dict(read)
    by_trials = {edge.output: edge.trial for edge in found.edges.values() if edge.trial is not None}
    named = {commit: one.trial for commit, one in makings.items() if one.trial is not None}
    trials = _trials(connection, walk, {*by_trials.values(), *named.values()})
    paths = paths_of(connection, set(found.artifacts.values()))
    ids, numbers = walk.ids(found.artifacts), walk.numbers(found.artifacts)
    versions = []
    for commit, artifact in found.artifacts.items():
        one = makings.get(commit, Making())
        trial = named.get(commit) or by_trials.get(commit)
        versions.append(
            {
                "commit": commit,
                "artifact": paths[artifact],
                "version": numbers.get(commit),
                "id": ids.get(commit),
                "depth": found.depths[commit],
                "code": one.code,
                "command": one.command,
                "trial": trials.get(trial, {"id": trial}) if trial is not None else None,
            }
        )
    edges = [edge._asdict() for edge in found.edges.values()]
    return {"versions": versions, "edges": edges, "is_whole": found.is_whole}


def _trials(connection: Connection, walk: Walk, names: Iterable[str]) -> dict[str, dict[str, object]]:
    seen = walk.trials(names)
    folders = paths_of(connection, {folder for _, folder in seen.values()})
    return {name: {"id": name, "name": title, "folder": folders[folder]} for name, (title, folder) in seen.items()}
