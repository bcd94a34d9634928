"""The functions that make artifacts and find them again."""

import os
import re
import uuid
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from aimdvc.errors import RemoteUnreachable, UsageError
from aimdvc.model.metadata import Metadata, parse_metadata
from aimdvc.model.names import check_alias_name, check_artifact_name
from aimdvc.model.own import METADATA
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.arguments import absolute_path, optional_text, text, texts
from aimdvc.sdk.artifact import Artifact, keep, stored
from aimdvc.sdk.environment import read_environment
from aimdvc.sdk.logins import stored_user
from aimdvc.sdk.place import all_places, find_places, opened
from aimdvc.sdk.progress import OnProgress, progress_of
from aimdvc.sdk.record import Record, load_record, new_record
from aimdvc.sdk.repositories import Found, aliases_of, connect, fetch_version, id_of
from aimdvc.sdk.service import Service, service
from aimdvc.sdk.uploading import close
from aimdvc.store.locate import Places

_REFERENCE = re.compile(r"/?(?P<path>[^:]+?)/?(?::(?P<tag>[^:/]+))?")
_LATEST = "latest"
_VERSION = re.compile(r"v[0-9]+")


def create_artifact(
    artifact_name: str, artifact_type: str, description: str = "", aliases: list[str] | None = None
) -> Artifact:
    """Makes an open artifact, on this machine alone, of the repo of that name.

    `artifact_type` says what it is ("dataset", "model"), `aliases` are the names that its version gets. Raises
    InvalidName.
    """
    check_artifact_name(text("artifact_name", artifact_name))
    wanted = texts("aliases", aliases)
    for alias in wanted:
        if alias != _LATEST and not _VERSION.fullmatch(alias):
            check_alias_name(alias)
    record = new_record(artifact_name, text("artifact_type", artifact_type), text("description", description), wanted)
    return keep(find_places(), record)


def grab_artifact(
    artifact_path: str | os.PathLike[str] | None = None,
    artifact_id: str | None = None,
    artifact_ref: str | None = None,
) -> Artifact:
    """Returns an artifact that is there already: by its directory, else by its id, else by its reference.

    A directory is what `local_path()` gave. An id is looked for on this machine, then on the server. A reference is
    `FOLDER/REPO[:TAG]`, or `REPO_ID[:TAG]`; the tag is a version or an alias, `latest` by default. A version `vN` that
    is known here needs no server; what an alias names, only the server knows. No file's content
    is fetched. Raises UsageError where there is none, UnknownRevision, NotAuthorised, RemoteError.
    """
    if artifact_path is not None:
        return _of_directory(absolute_path("artifact_path", artifact_path))
    if artifact_id is not None:
        return _of_id(text("artifact_id", artifact_id))
    if artifact_ref is not None:
        return _of_reference(text("artifact_ref", artifact_ref))
    raise ValueError("pass one of artifact_path, artifact_id and artifact_ref")


def upload_artifact(
    artifact_path: str | os.PathLike[str] | None = None,
    artifact_id: str | None = None,
    repo_path: str | None = None,
    repo_name: str | None = None,
    folder_id: str | None = None,
    folder_path: str | None = None,
    make_folder: bool = False,
    *,
    progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Uploads an artifact of this machine, by its directory or its id, and returns what the server knows of it.

    `repo_path` is `FOLDER/REPO` and says both; `repo_name` another repo than that of the artifact's own name. The
    rest is as of `Artifact.upload`.
    """
    if artifact_path is None and artifact_id is None:
        raise ValueError("pass artifact_path or artifact_id")
    optional_text("repo_name", repo_name)
    optional_text("repo_path", repo_path)
    if artifact_path is not None:
        artifact: Artifact | None = _of_directory(absolute_path("artifact_path", artifact_path))
    else:
        artifact = _here(text("artifact_id", artifact_id))
    if artifact is None:
        raise UsageError(f"there is no artifact '{artifact_id}' on this machine")
    if repo_path is not None:
        folder_path, _, repo_name = repo_path.strip("/").rpartition("/")
    return artifact._upload(repo_name, folder_id, folder_path or None, make_folder, progress)


def _of_directory(place: Path) -> Artifact:
    found = _here(place.name)
    if found is None:
        raise UsageError(f"'{place}' is no artifact's directory", hint="pass what `local_path()` gave")
    return found


def _of_id(artifact_id: str) -> Artifact:
    found = _here(artifact_id)
    if found is not None:
        return found
    places = find_places()
    with service() as server, opened(places) as workspace:
        told = server.version(artifact_id)
        if told is None or told.optional_text("commit") is None:
            raise UsageError(f"neither this machine nor '{server.host}' has an artifact '{artifact_id[:80]}'")
        node = told.object("metadata").id("folder")
        revision = told.optional_text("version") or told.text("commit")
        return _grabbed(places, workspace, server, server.path_of(node), node, revision)


def _here(artifact_id: str) -> Artifact | None:
    try:
        known = str(uuid.UUID(artifact_id))
    except ValueError:
        return None
    return next((found for places in all_places() if (found := stored(places, known)) is not None), None)


def _of_reference(reference: str) -> Artifact:
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(f"reference '{reference}': expected FOLDER/REPO[:TAG]")
    tag = match["tag"] or _LATEST
    places = find_places()
    with service() as server, opened(places) as workspace:
        known = _known_here(server.host, match["path"])
        if tag in known:
            return known[tag]
        try:
            path = match["path"] if "/" in match["path"] else server.path_of(match["path"])
            told = server.artifact(path)
        except RemoteUnreachable as error:
            if known:
                error.hint = f"known here, without a server: {', '.join(known)}"
            raise
        if told is None:
            raise UsageError(f"'{server.host}' has no artifact '{path}'")
        return _grabbed(places, workspace, server, told.path("path"), told.id("id"), tag)


def _known_here(host: str, path: str) -> dict[str, Artifact]:
    """Returns the versions of an artifact of a server that this machine knows, by their numbers, which never change."""
    user = stored_user(read_environment())
    wanted = path.strip("/")
    for full in (wanted, f"{user}/{wanted}") if user else (wanted,):
        found: dict[str, Artifact] = {}
        for places in all_places():
            with opened(places) as workspace:
                documents = workspace.state.records.find_remote(host, full)
            for record in map(load_record, documents):
                for one in record.remote:
                    if (one["host"], str(one["path"]).strip("/")) == (host, full) and one["version"]:
                        found.setdefault(str(one["version"]), Artifact._of(places, record))
        if found:
            return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))
    return {}


def _grabbed(places: Places, workspace: Workspace, server: Service, path: str, node: str, revision: str) -> Artifact:
    """Returns a version of the artifact at a path, known on this machine from now on; `node` is the artifact's id."""
    found = fetch_version(workspace, server, path, revision, progress_of(None))
    record = _record_of(workspace, server, found, path, node)
    known = workspace.state.records.get(record.id)
    if known is not None:
        before = load_record(known)
        loaded = tuple(one for one in record.remote if one not in before.remote[-1:])
        record = replace(record, remote=(*before.remote, *loaded), can_be_logged=before.can_be_logged)
    close(workspace, record)
    return Artifact._of(places, record)


def _record_of(workspace: Workspace, server: Service, found: Found, path: str, node: str) -> Record:
    """Returns the record of a version of an artifact; `node` is the artifact's id on the server."""
    history = workspace.history(found.repository)
    entry = history.entry(found.commit.tree, METADATA)
    metadata = parse_metadata(history.read_blob(entry.git_id)) if entry is not None else Metadata()
    _, connection = connect(workspace, server, path)
    when = found.commit.committer
    zone = timezone(timedelta(seconds=when.zone_s))
    return Record(
        id_of(found.commit, node),
        path.rpartition("/")[2],
        metadata.type,
        metadata.description,
        aliases_of(history, connection.remote, found.commit.id),
        datetime.fromtimestamp(when.time_s, zone).isoformat(),
        folder=str(uuid.UUID(node)),
        editor=found.commit.author.name,
        commit=found.commit.id,
        version=found.version,
        remote=({"host": server.host, "path": f"/{path}", "version": found.version},),
        repository=found.repository,
        can_be_logged=False,
    )
