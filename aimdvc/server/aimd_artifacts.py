"""AIMD's REST of artifacts: what is being uploaded, making a version of it, and showing versions, however made.

A caller sees their own drafts, and the versions of artifacts that they may see; of all else nothing is said.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from sqlalchemy import Connection

from aimdvc.errors import CorruptRepository, InvalidName
from aimdvc.git.graph import Graph
from aimdvc.git.trees import find_entry
from aimdvc.model.commits import Commit, Signature
from aimdvc.model.entries import Mode
from aimdvc.model.metadata import Metadata, parse_metadata
from aimdvc.model.names import check_alias_name
from aimdvc.model.oid import GitId
from aimdvc.model.own import METADATA
from aimdvc.server.aimd_folders import answer
from aimdvc.server.aimd_ids import dashed, find_id, find_version, id_of, note_ids
from aimdvc.server.aimd_nodes import require
from aimdvc.server.audit import note
from aimdvc.server.drafts import AlreadySealed, Draft, begin, expire, find_draft
from aimdvc.server.guard import HttpError, Response
from aimdvc.server.lineage import note_makings, told_in
from aimdvc.server.refs import VERSION_TAG, Ref, named_ref, read_refs
from aimdvc.server.repositories import Repository
from aimdvc.server.rights import Rights
from aimdvc.server.routing import Call
from aimdvc.server.sealing import seal
from aimdvc.server.tree import MAX_DEPTH, add_node, chain_of, check_name, child

_OURS = re.compile(r"latest|v[0-9]+", re.IGNORECASE)
"""Aliases that nobody gives: clients send back what they were told."""

_TYPE_LENGTH = 200


def add_artifact(call: Call) -> Response:
    """Begins an upload, of what becomes a version of the artifact `repo` in a folder; makes that where need be."""
    site, query = call.site, call.request.query
    expire(site.database)
    document = _document(call.json)
    artifact = _ensure_artifact(call, query.get("folder", ""), query.get("repo", ""))
    metadata = call.json.get("metadata")
    kind = query.get("type", "")
    if len(kind) > _TYPE_LENGTH:
        raise HttpError(400, f"the type has {len(kind)} characters, expected at most {_TYPE_LENGTH}")
    wanted = find_id(metadata.get("id")) if isinstance(metadata, dict) else None
    if wanted is not None and (there := _visible_version(call, wanted)) is not None:
        raise HttpError(400, f"artifact {dashed(there)} already exists")
    wish = Draft("", artifact, call.caller.id, kind, document, 0.0)
    begun = begin(site.database, wanted, wish) or begin(site.database, None, wish)
    assert begun is not None
    return answer({"id": dashed(begun.id)})


def _document(message: Mapping[str, object]) -> dict[str, object]:
    """Returns what is kept of what a client says of an artifact. Raises HttpError (400)."""
    aliases = message.get("aliases")
    kept: list[str] = []
    for alias in aliases if isinstance(aliases, list) else []:
        try:
            if not _OURS.fullmatch(str(alias)) and alias not in kept:
                kept.append(check_alias_name(str(alias)))
        except InvalidName as error:
            raise HttpError(400, error.message) from error
    if len({alias.casefold() for alias in kept}) < len(kept):
        # Told before anything is sent, not when the refs are to move.
        raise HttpError(400, "two of the aliases differ in case alone")
    told = {name: message.get(name) for name in ("description", "creatingTimestamp")}
    return {"aliases": kept, **{name: value for name, value in told.items() if isinstance(value, str)}}


def _ensure_artifact(call: Call, folder: str, name: str) -> str:
    """Returns the id of the artifact in a folder, made now if need be. Raises HttpError (400, 403, 404)."""
    with call.site.database.write("nodes") as connection:
        # Perhaps the artifact alone is shared with the caller.
        chain = chain_of(connection, find_id(folder) or "")
        is_folder = bool(chain) and chain[-1].kind != "artifact"
        there = child(connection, chain[-1].id, name) if is_folder else None
        require(connection, call.caller, [*chain, there] if there is not None else chain, Rights.EDIT)
        if not is_folder:
            raise HttpError(400, f"'{chain[-1].name}' is an artifact, no folder")
        if there is not None:
            if there.kind != "artifact":
                raise HttpError(400, f"'{there.name}' is a folder")
            return there.id
        check_name(name, "artifact")
        if len(chain) >= MAX_DEPTH:
            raise HttpError(400, f"the path is deeper than {MAX_DEPTH} folders")
        made = add_node(connection, chain[-1].id, "artifact", name, call.caller.id)
        path = "/".join([*(node.name for node in chain), name])
        note(call.site.database, connection, call.caller, "artifact.make", path)
    return made


def _visible_version(call: Call, name: str) -> str | None:
    """Returns the id itself where it is that of a version that the caller may see."""
    with call.site.database.read() as connection:
        found = find_version(connection, name)
        if found is not None and _may_see(connection, call, found[0]):
            return name
    return None


def _may_see(connection: Connection, call: Call, artifact: str) -> bool:
    try:
        require(connection, call.caller, chain_of(connection, artifact), Rights.VIEW)
    except HttpError:
        return False
    return True


def own_draft(call: Call, needed: Rights = Rights.EDIT) -> Draft:
    """Returns the caller's draft that is asked for. Raises HttpError (403, 404), AlreadySealed."""
    with call.site.database.read() as connection:
        draft = find_draft(connection, call.caller.id, find_id(call.params["id"]))
    if draft is None:
        raise AlreadySealed if seen_version(call) is not None else HttpError(404, "there is no such artifact")
    with call.site.database.read() as connection:
        require(connection, call.caller, chain_of(connection, draft.artifact), needed)
    return draft


def seen_version(call: Call) -> tuple[str, GitId] | None:
    """Returns the artifact and the commit of the version that is asked for; None where the caller sees none."""
    name = find_id(call.params["id"])
    with call.site.database.read() as connection:
        found = find_version(connection, name) if name is not None else None
        return found if found is not None and _may_see(connection, call, found[0]) else None


def asked_for(call: Call) -> Draft | tuple[str, GitId]:
    """Returns the artifact and the commit of the version that is asked for, or the caller's draft.

    Raises HttpError (403, 404).
    """
    version = seen_version(call)
    while version is None:
        try:
            return own_draft(call, Rights.VIEW)
        except AlreadySealed:  # between the two looks
            version = seen_version(call)
    return version


def finalize_artifact(call: Call) -> Response:
    """Makes a version of what was uploaded. Who asks again gets the same answer."""
    version = _sealed(call)
    if version is None:
        with suppress(AlreadySealed):
            seal(call.site, call.caller, own_draft(call))
        version = _sealed(call)
    if version is None:
        raise HttpError(404, "there is no such artifact")
    return _shown(call, *version)


def _sealed(call: Call) -> tuple[str, GitId] | None:
    """Returns the version that a draft has become. Raises HttpError (403) for who may only view it."""
    version = seen_version(call)
    if version is not None:
        with call.site.database.read() as connection:
            require(connection, call.caller, chain_of(connection, version[0]), Rights.EDIT)
    return version


def show_artifact(call: Call) -> Response:
    """A version, or what the caller is uploading, by its id."""
    draft = asked_for(call)
    if not isinstance(draft, Draft):
        return _shown(call, *draft)
    made = datetime.fromtimestamp(draft.created_s, timezone.utc).isoformat()
    told = {"id": draft.id, "artifact": draft.artifact, "editor": call.caller.name, "timestamp": made}
    aliases, created = draft.document.get("aliases"), draft.document.get("creatingTimestamp", made)
    return answer(_dict(told, str(draft.document.get("description", "")), (None, None), aliases, created))


def find_artifact(call: Call) -> Response:
    """A version by the artifact `repo` in a folder, and a tag: a version's number, an alias, or `latest`.

    The folder may be the artifact itself, by its own name or none.
    """
    query = call.request.query
    name, tag = query.get("repo", ""), query.get("tag") or "latest"
    with call.site.database.read() as connection:
        # Perhaps the artifact alone is shared with the caller.
        chain = chain_of(connection, find_id(query.get("folder")) or "")
        below = child(connection, chain[-1].id, name) if chain and name and chain[-1].kind != "artifact" else None
        if below is not None:
            chain.append(below)
        require(connection, call.caller, chain, Rights.VIEW)
        is_named = not name or chain[-1].name.casefold() == name.casefold()
        if chain[-1].kind != "artifact" or not is_named:
            raise HttpError(404, "there is no such artifact")
    artifact = chain[-1].id
    ref = named_ref(read_refs(call.site.database, artifact), tag)
    if ref is None:
        raise HttpError(404, "the artifact has no such version")
    return _shown(call, artifact, ref.peeled or ref.target)


def read_commit(repository: Repository, commit: GitId) -> tuple[Graph, Commit]:
    """Returns a version's commit. Raises HttpError (404) where gc has dropped it."""
    graph = Graph(repository.read, "the repository")
    try:
        return graph, graph.commit(commit)
    except CorruptRepository as error:
        raise HttpError(404, "this version is here no more") from error


def _shown(call: Call, artifact: str, commit_id: GitId) -> Response:
    database = call.site.database
    refs = read_refs(database, artifact)
    with call.site.storage.repository(artifact) as repository:
        repository.refresh()
        graph, commit = read_commit(repository, commit_id)
        description = _metadata(graph, commit.tree).description
        with database.read() as connection:
            name = id_of(connection, artifact, commit.id)
        if name is None:
            # One from before there were ids.
            named, made = told_in(graph, [commit.id])
            with database.write(artifact) as connection:
                note_ids(connection, artifact, {commit.id: named.get(commit.id)})
                note_makings(connection, made)
                name = id_of(connection, artifact, commit.id)
    told = {
        "id": str(name),
        "artifact": artifact,
        "editor": commit.author.name,
        "timestamp": _time(commit.committer),
    }
    version, aliases = _names(refs, commit.id)
    return answer(_dict(told, description, (commit.id, version), aliases, _time(commit.author)))


def _names(refs: Mapping[str, Ref], commit: GitId) -> tuple[str | None, list[str]]:
    """Returns the version's number, such as v3, and its aliases."""
    mine = [name for name, ref in refs.items() if commit in (ref.target, ref.peeled)]
    numbers = [name.removeprefix("refs/tags/") for name in mine if VERSION_TAG.fullmatch(name)]
    aliases = [name.removeprefix("refs/aliases/") for name in mine if name.startswith("refs/aliases/")]
    return min(numbers, key=lambda name: int(name[1:]), default=None), sorted(aliases)


def _dict(
    told: Mapping[str, str],
    description: str,
    where: tuple[GitId | None, str | None],
    aliases: object,
    created: object,
) -> dict[str, object]:
    """Returns an artifact as clients keep it. The folder is the artifact's own, which their repo is."""
    return {
        "kind": "Artifact",
        "metadata": {
            "folder": dashed(told["artifact"]),
            "name": "",
            "editor": told["editor"],
            "id": dashed(told["id"]),
            "timestamp": told["timestamp"],
        },
        "description": description,
        "commit": where[0],
        "version": where[1],
        "aliases": aliases or None,
        "creatingTimestamp": created,
    }


def _metadata(graph: Graph, tree: GitId) -> Metadata:
    try:
        entry = find_entry(graph.tree, tree, METADATA)
        is_file = entry is not None and entry.mode in (Mode.FILE, Mode.EXECUTABLE)
        return parse_metadata(graph.read(entry.git_id)[1]) if entry is not None and is_file else Metadata()
    except CorruptRepository:  # somebody else's, or damaged: it says nothing
        return Metadata()


def _time(who: Signature) -> str:
    """Returns when somebody did something, in ISO 8601 with the zone."""
    return datetime.fromtimestamp(who.time_s, timezone(timedelta(seconds=who.zone_s))).isoformat()
