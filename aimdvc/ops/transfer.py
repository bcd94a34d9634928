"""Downloads the blobs of an artifact from its remote into the store."""

from collections.abc import Sequence

from aimdvc.errors import MissingBlob, UnknownRemote
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Progress
from aimdvc.ops.blobs import FetchBlobs
from aimdvc.ops.connect import Connector, connect_artifact
from aimdvc.ops.workspace import Workspace
from aimdvc.store.state import Head


def blob_fetcher(connector: Connector) -> FetchBlobs:
    """Returns the function that fetches blobs over this connector's connections."""

    def fetch(workspace: Workspace, head: Head, pointers: Sequence[Pointer], progress: Progress) -> None:
        try:
            connection = connect_artifact(workspace, connector, head)
        except UnknownRemote as error:
            raise MissingBlob(pointers[0].oid, hint=f"{error.message}; {error.hint}") from error
        with workspace.blobs.writer() as writer:
            connection.blobs.download(pointers, writer, progress)

    return fetch
