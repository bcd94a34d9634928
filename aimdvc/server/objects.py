"""Object storage as a server uses it: keys with bytes, in one bucket. One small interface.

Its kinds: S3-compatible services (s3.py). Around any kind go wrappers: tries again (retrying.py), bounds how much runs
at once (limiting.py). Nothing here knows blobs or git packs; bucket_blobs.py and bucket_packs.py do.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from aimdvc.errors import StorageError

Content = bytes | BinaryIO
"""What is put: bytes, or a file that can seek, from its start."""


class Unavailable(StorageError):
    """The storage did not answer, or said to come again later: to be tried again."""


class Listed(NamedTuple):
    """A key, its size in bytes, and when it was written, in seconds since the epoch."""

    key: str
    size: int
    written_s: float


class Objects(Protocol):
    """One bucket. Whatever was put is durable, and what was not put whole is not there.

    All raise Unavailable, and StorageError for what trying again would not mend; DiskFull is one.
    """

    def put(self, key: str, content: Content) -> None:
        """Stores bytes, of at most 5 GiB, under a key. Safe to repeat."""

    def begin(self, key: str) -> str:
        """Begins to store in parts, and returns the upload's id: it is there when `complete` returns."""

    def put_part(self, key: str, upload: str, number: int, content: Content) -> str:
        """Sends a part, numbered from 1, and returns its tag. Safe to repeat."""

    def complete(self, key: str, upload: str, tags: Sequence[str]) -> None:
        """Makes one of the parts, in order."""

    def abort(self, key: str, upload: str) -> None:
        """Throws away what was begun; nothing where it is gone."""

    def get(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yields the bytes from `start` up to `end`. Raises KeyError before the first where nothing is there."""

    def size(self, key: str) -> int | None:
        """Returns how many bytes are there, None for nothing."""

    def copy(self, source: str, target: str) -> None:
        """Copies within the bucket, at most 5 GiB. Raises KeyError where nothing is there."""

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes; those that are gone are fine."""

    def iter_keys(self, prefix: str) -> Iterator[Listed]:
        """Yields what is there under a prefix, by key."""

    def iter_begun(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """Yields what was begun and not ended: key, upload's id, when in seconds since the epoch."""

    def href(self, method: str, key: str, size: int, lifetime_s: int) -> str:
        """Returns where a client may GET, or PUT just `size` bytes, without a key of its own, for a while."""
