"""From a remote's URL to what moves git objects and blobs: over HTTP, or to a folder of bare repositories."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from aimdvc.errors import UnknownRemote
from aimdvc.fs.disk import Disk
from aimdvc.git.folder import FolderTransport
from aimdvc.git.http import HttpTransport
from aimdvc.git.transport import Transport
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.folder import FolderBlobs
from aimdvc.remote.lfs import LfsRemote
from aimdvc.remote.session import Session
from aimdvc.remote.transfer import BlobSink, BlobSource, Transferred
from aimdvc.remote.urls import artifact_url, folder_path
from aimdvc.store.state import Head, origin_of_source


class BlobRemote(Protocol):
    """Where an artifact's blobs go to and come from."""

    def upload(self, pointers: Iterable[Pointer], source: BlobSource, progress: Progress) -> Transferred:
        """Sends the blobs that the remote lacks."""
        ...

    def download(self, pointers: Iterable[Pointer], sink: BlobSink, progress: Progress) -> Transferred:
        """Gets blobs; each is hash-checked."""
        ...

    def present(self, pointers: Iterable[Pointer], progress: Progress) -> set[Oid]:
        """Returns those of the blobs that the remote has; asks it about each, and takes none for granted."""
        ...

    def open(self, pointer: Pointer) -> BinaryIO:
        """Returns a blob as a file that is read there, in parts; not hash-checked."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """One artifact on one remote."""

    remote: str
    url: str
    transport: Transport
    blobs: BlobRemote


@dataclass(slots=True)
class Connector:
    """Opens connections; holds the one session, made when first needed by `open_session`."""

    open_session: Callable[[], Session]
    _session: Session | None = field(default=None)

    def connect(self, disk: Disk, remote: str, url: str, path: str) -> Connection:
        """Returns the connection to the artifact at `path` below a remote's URL. No round trip."""
        place = artifact_url(url, path)
        folder = folder_path(place)
        if folder is not None:
            return Connection(remote, place, FolderTransport(folder, disk), FolderBlobs(folder, disk))
        session = self.session()
        return Connection(remote, place, HttpTransport(session, place), LfsRemote(session, place))

    def session(self) -> Session:
        """Returns the HTTP session, one for all remotes."""
        if self._session is None:
            self._session = self.open_session()
        return self._session

    def close(self) -> None:
        """Closes the connections that were kept open."""
        if self._session is not None:
            self._session.close()


def connect_artifact(workspace: Workspace, connector: Connector, head: Head) -> Connection:
    """Returns the connection to an artifact's own remote. Raises UnknownRemote."""
    return connect_source(workspace, connector, head.name, head.source)


def connect_source(workspace: Workspace, connector: Connector, name: str, source: str | None) -> Connection:
    """Returns the connection to where an artifact comes from that isn't in the workspace yet. Raises UnknownRemote."""
    remote, path = origin_of_source(name, source)
    return connector.connect(workspace.disk, remote, remote_url(workspace, remote), path)


def remote_url(workspace: Workspace, remote: str) -> str:
    """Returns the URL of a remote. Raises UnknownRemote."""
    url = workspace.settings.remotes.get(remote)
    if url is None:
        there = ", ".join(f"'{name}'" for name in workspace.settings.remotes)
        only = f"there is only {there}: run `aimdvc remote add {remote} URL`, where artifacts that are made here go"
        raise UnknownRemote(remote, did_you_mean(remote, workspace.settings.remotes) or (only if there else None))
    return url
