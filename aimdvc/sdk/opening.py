"""One file of an artifact, opened for reading: where its bytes are, on this machine or on the server."""

import io
from collections.abc import Callable
from contextlib import ExitStack
from typing import BinaryIO, cast

from aimdvc.errors import MissingBlob
from aimdvc.ops.workspace import Workspace
from aimdvc.sdk.objects import Source, read_inline
from aimdvc.sdk.progress import progress_of
from aimdvc.sdk.record import Record
from aimdvc.sdk.repositories import connect
from aimdvc.sdk.service import service

_WHOLE = 1 << 20
"""Bytes; what has no more is brought whole, so it is checked, and here the next time."""

_BUFFER = 256 << 10


def open_file(workspace: Workspace, record: Record, source: Source) -> BinaryIO:
    """Returns a file's bytes, from this machine if they are here. Raises MissingBlob, RemoteError."""
    if source.is_inline:
        return io.BytesIO(read_inline(workspace, record, source))
    pointer = source.pointer
    if workspace.blobs.claim([pointer.oid]):
        if record.is_open:
            raise MissingBlob(pointer.oid)
        with ExitStack() as stack:
            server = stack.enter_context(service(record.host))
            _, connection = connect(workspace, server, record.path)
            if pointer.size > _WHOLE:
                there = cast("io.BufferedReader", connection.blobs.open(pointer))
                return _Closing(there.detach(), stack.pop_all().close)
            with workspace.blobs.writer() as writer:
                connection.blobs.download([pointer], writer, progress_of(None))
    opened = workspace.blobs.open(pointer.oid)
    return io.BufferedReader(opened) if isinstance(opened, io.RawIOBase) else opened


class _Closing(io.BufferedReader):
    """A file that closes the connection that it is read over."""

    def __init__(self, raw: io.RawIOBase, then: Callable[[], None]) -> None:
        super().__init__(raw, _BUFFER)
        self._then = then

    def close(self) -> None:
        """Closes both. Safe to repeat."""
        super().close()
        self._then()
