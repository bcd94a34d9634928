"""Which Git repository of the store holds an artifact of a server, and bringing one version's tree into it."""

import hashlib
import uuid
from dataclasses import dataclass

from aimdvc.errors import UnknownRevision
from aimdvc.git.history import History
from aimdvc.model.commits import Commit, trailer
from aimdvc.model.names import VERSION_TAG
from aimdvc.model.oid import GitId, is_git_id
from aimdvc.model.progress import Progress
from aimdvc.ops.connect import Connection, remote_url
from aimdvc.ops.depth import Depth
from aimdvc.ops.fetch import FetchOptions, fetch_history
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.service import Service

ID_TRAILER = "Aimd-Id"
"""The trailer of a commit with the id that the artifact had before it became a version (design, section 3)."""


@dataclass(frozen=True, slots=True)
class Found:
    """A version that is here: its repository in the store, its commit, its number, None where there is none."""

    repository: str
    commit: Commit
    version: str | None


def connect(workspace: Workspace, service: Service, path: str) -> tuple[str, Connection]:
    """Returns the name of an artifact's repository in the store, and the connection to the artifact at a path.

    One that the workspace has from there already is that one, so the command line sees what Python makes; any other
    has a name that tells two servers', or two folders', artifacts apart.
    """
    for head in workspace.state.heads():
        remote, inside = head.origin
        if remote in workspace.settings.remotes:
            url = f"{remote_url(workspace, remote).rstrip('/')}/{inside}"
            if url == f"{service.host}/{path}":
                return head.name, service.connect(remote, path)
    digest = hashlib.sha256(f"{service.host}/{path}".encode()).hexdigest()[:12]
    return f"{path.rpartition('/')[2][:80]}-{digest}", service.connect("origin", path)


def fetch_version(workspace: Workspace, service: Service, path: str, revision: str, progress: Progress) -> Found:
    """Brings a version's tree, no file's content, from the artifact at a path. Raises UnknownRevision, RemoteError."""
    name, connection = connect(workspace, service, path)
    try:
        fetch_history(workspace, name, connection, progress, FetchOptions(depth=Depth(1, (revision,))))
    except UnknownRevision as error:
        # The user knows its path; what its repository is called in the store is nobody's business.
        raise UnknownRevision(path, revision, error.hint) from error
    history = workspace.history(name)
    prefix = f"refs/remotes/{connection.remote}/"
    named = "main" if revision == "latest" else revision
    found = next(
        (git_id for kind in ("tags", "aliases", "heads") if (git_id := history.ref(f"{prefix}{kind}/{named}"))), None
    )
    if found is None and is_git_id(revision):
        found = GitId(revision)
    commit = history.peel(found) if found is not None and history.has(found) else None
    if commit is None:
        raise UnknownRevision(path, revision)
    return Found(name, history.commit(commit), version_of(history, connection.remote, commit))


def version_of(history: History, remote: str, commit: GitId) -> str | None:
    """Returns the number that a remote gave a commit."""
    prefix = f"refs/remotes/{remote}/"
    for ref, found in history.refs(f"{prefix}tags/").items():
        if found == commit and VERSION_TAG.fullmatch(ref.replace(prefix, "refs/")):
            return ref.removeprefix(f"{prefix}tags/")
    return None


def aliases_of(history: History, remote: str, commit: GitId) -> tuple[str, ...]:
    """Returns the aliases that name a commit on a remote, as last seen."""
    prefix = f"refs/remotes/{remote}/aliases/"
    return tuple(sorted(ref.removeprefix(prefix) for ref, found in history.refs(prefix).items() if found == commit))


def id_of(commit: Commit, node: str) -> str:
    """Returns the AIMD id of a version: what its trailer says, else what follows from the artifact's id and the commit.

    `node` is the artifact's id on the server.
    """
    try:
        return str(uuid.UUID(trailer(commit.message, ID_TRAILER) or ""))
    except ValueError:
        return str(uuid.uuid5(uuid.UUID(node), commit.id))
