"""What blobs are taken from and given to while they travel, and what a transfer tells when it is done."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer


@dataclass(frozen=True, slots=True)
class Transferred:
    """What really travelled: a number of blobs, and their bytes."""

    blobs: int
    size_bytes: int


class Partial(Protocol):
    """A large blob that arrives in pieces, and goes on where it was cut."""

    size_bytes: int

    def append(self, chunk: bytes) -> None:
        """Adds bytes to the end."""
        ...

    def restart(self) -> None:
        """Throws away what is there."""
        ...

    def finish(self) -> None:
        """Makes the blob appear. Raises CorruptBlob."""
        ...

    def close(self) -> None:
        """Leaves what arrived for the next try."""
        ...


class BlobSink(Protocol):
    """Takes blobs in; checks each one's hash. Safe to use from several threads."""

    def receive(self, pointer: Pointer, chunks: Iterable[bytes]) -> None:
        """Stores a blob. Raises CorruptBlob."""
        ...

    def partial(self, pointer: Pointer) -> Partial:
        """Returns the begun download of a large blob."""
        ...


class BlobSource(Protocol):
    """Gives blobs out. Safe to use from several threads."""

    def iter_contents(self, pointers: Sequence[Pointer]) -> Iterator[tuple[Pointer, bytes]]:
        """Yields small blobs with their bytes, hash-checked, in the order that is fastest to read."""
        ...

    def open(self, oid: Oid) -> BinaryIO:
        """Returns an open file of a blob's bytes. Raises MissingBlob."""
        ...

    def verify(self, oid: Oid) -> None:
        """Reads and hashes a blob. Raises CorruptBlob, MissingBlob."""
        ...
