"""Sends bytes of any size into a bucket: at once when they are few, else in parts, of which it holds one."""

import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from aimdvc.server.objects import Objects

PART_BYTES = 8 << 20
_SLACK = 1 << 20
_PARTS = 9_000
"""S3 takes 10,000 at most: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""


def put_stream(objects: Objects, key: str, chunks: Iterator[bytes], size: int, scratch: Path) -> None:
    """Stores what the chunks are, `size` bytes; nothing of it where they raise. A part over 8 MiB is held on disk."""
    part_bytes = max(PART_BYTES, -(-size // _PARTS))
    with tempfile.SpooledTemporaryFile(PART_BYTES + _SLACK, dir=str(scratch)) as spool:
        part = cast(BinaryIO, spool)
        rest = _fill(part, chunks, part_bytes)
        if rest is None:
            objects.put(key, part)
            return
        upload = objects.begin(key)
        try:
            tags = [objects.put_part(key, upload, 1, part)]
            while rest is not None:
                part.seek(0)
                part.truncate()
                rest = _fill(part, rest, part_bytes)
                tags.append(objects.put_part(key, upload, len(tags) + 1, part))
            objects.complete(key, upload, tags)
        except BaseException:  # Whatever stopped it, an interrupt or a wrong hash too: nothing is kept.
            objects.abort(key, upload)
            raise


def _fill(part: BinaryIO, chunks: Iterator[bytes], size: int) -> Iterator[bytes] | None:
    """Writes `size` bytes, and what is left of the last chunk, into a part; returns the rest, None for nothing.

    Every part but the last has to have 5 MiB.
    """
    written = 0
    for chunk in chunks:
        if written >= size:
            return chain((chunk,), chunks)
        part.write(chunk)
        written += len(chunk)
    return None
