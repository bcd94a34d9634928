"""Answers that are written before they are sent, since their size is known only then: in memory while they are small.

A large one is a file of the machine's temporary directory, which goes when it was sent, or with the process.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from tempfile import SpooledTemporaryFile, gettempdir

from aimdvc.fs.faults import mapped
from aimdvc.server.guard import Response
from aimdvc.server.limits import CHUNK_BYTES


def spooled(chunks: Iterable[bytes], content_type: str) -> Response:
    """Returns the answer that the chunks are. What they raise is raised here, before anything was sent.

    Raises DiskFull where the temporary directory has no room.
    """
    file = SpooledTemporaryFile(max_size=CHUNK_BYTES)  # noqa: SIM115 - the answer closes it when it was sent
    try:
        for chunk in chunks:
            with mapped(gettempdir()):
                file.write(chunk)
        with mapped(gettempdir()):
            size = file.tell()
            file.seek(0)
    except BaseException:  # Whatever stopped it, an interrupt too, leaves no file behind.
        with suppress(OSError):  # What it still holds has no room on the disk either.
            file.close()
        raise
    return Response(200, _Spool(file), size, content_type)


class _Spool:
    """A body that lies in a temporary file, which goes when it was sent."""

    def __init__(self, file: "SpooledTemporaryFile[bytes]") -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self._file.close()
