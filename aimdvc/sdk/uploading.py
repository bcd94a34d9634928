"""Uploads an open artifact: it becomes the newest version of its repo on a server, by a push as any other.

Safe to repeat after whatever stopped it: what is there already is not sent again, and no second version is made.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from aimdvc.errors import MissingBlob, RemoteRefused
from aimdvc.model.commits import Signature
from aimdvc.model.metadata import Metadata
from aimdvc.model.names import check_artifact_name
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress
from aimdvc.ops.publish import Item, Release, publish
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.objects import iter_references
from aimdvc.sdk.provenance import trailers_of_output
from aimdvc.sdk.record import Record, dump_record
from aimdvc.sdk.repositories import ID_TRAILER, connect
from aimdvc.sdk.service import Service

_IGNORED = "latest"
_SUBJECT = 200
"""Characters of a description that a commit's first line takes; the metadata have all of it."""


def upload(
    workspace: Workspace, service: Service, record: Record, folder: str, name: str, progress: Progress
) -> Record:
    """Uploads an open artifact into a folder, as a version of the repo `name`, and returns its closed record.

    Raises InvalidName, MissingBlob, UnsafePath, NotAuthorised, RemoteError; all of it is kept then, to be tried again.
    """
    path = f"{folder}/{check_artifact_name(name)}"
    record = replace(record, trailers=trailers_of_output(record.id))
    repository, connection = connect(workspace, service, path)
    editor = service.user()
    missing = workspace.blobs.claim(item.oid for item in _items(workspace, record) if item.oid is not None)
    if missing:
        raise MissingBlob(min(missing))
    release = Release(
        partial(_items, workspace, record),
        {one.key: one for one in iter_references(workspace, record)},
        Metadata(record.description, type=record.type),
        _message(record),
        _author(workspace, editor),
        tuple(alias for alias in record.aliases if not _is_given(alias)),
        GitId(record.begun) if record.begun and record.repository == repository else None,
    )

    def note(commit: GitId) -> None:
        nonlocal record
        record = replace(record, repository=repository, begun=commit)
        save(workspace, record)

    published = publish(workspace, repository, connection, release, note, progress)
    told = service.artifact(path)
    if told is None:
        raise RemoteRefused(connection.url, "it does not show what was just pushed there")
    record = replace(
        record,
        name=name,
        commit=published.commit,
        version=published.version,
        begun=None,
        repository=repository,
        folder=told.id("id"),
        editor=editor,
        remote=(*record.remote, {"host": service.host, "path": f"/{told.path('path')}", "version": published.version}),
    )
    close(workspace, record)
    return record


def save(workspace: Workspace, record: Record) -> None:
    """Keeps what is known of an artifact."""
    with workspace.state.transaction():
        workspace.state.records.put(record.id, dump_record(record))


def close(workspace: Workspace, record: Record) -> None:
    """Keeps what is known of an artifact that is a version now: what it holds is in that."""
    with workspace.state.transaction():
        workspace.state.records.put(record.id, dump_record(record))
        workspace.state.records.drop_objects(record.id)


def _is_given(alias: str) -> bool:
    """Returns whether an alias is what every version has anyhow: `latest`, or its own number."""
    return alias == _IGNORED or (alias[:1] == "v" and alias[1:].isdigit())


def _items(workspace: Workspace, record: Record) -> Iterator[Item]:
    for one in workspace.state.records.iter_objects(record.id):
        if one.uri is None:
            yield Item(one.key, one.mode, one.oid, one.size)


def _message(record: Record) -> str:
    subject = " ".join(record.description.split())[:_SUBJECT] or f"Upload {record.name}"
    trailers = [(ID_TRAILER, record.id), *record.trailers]
    return f"{subject}\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers)


def _author(workspace: Workspace, editor: str) -> Signature:
    known = workspace.actor()
    return known if known.email else known._replace(name=editor)
