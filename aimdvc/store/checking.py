"""How one reading of a blob is found to be right or damaged."""

import hashlib
from typing import Protocol

from aimdvc.model.oid import Oid


class Check(Protocol):
    """Takes the bytes of one reading of a blob, and says at its end whether they are the blob's."""

    def update(self, chunk: bytes) -> None: ...

    def is_right(self) -> bool: ...


class FullCheck:
    """The check that everything else stands on: the SHA-256 is the oid."""

    def __init__(self, oid: Oid) -> None:
        self._oid = oid
        self._digest = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._digest.update(chunk)

    def is_right(self) -> bool:
        """Returns whether all that was taken is the blob."""
        return self._digest.hexdigest() == self._oid
