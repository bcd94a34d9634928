"""Checks what is downloaded by XXH3, which takes a twentieth of SHA-256's time (https://xxhash.com).

SHA-256 says once whether a blob's bytes are right: as they arrive, or at the first download. From then on what has to
be found is what a disk does to them, and 128 bits find that. Against one who can write the server's disk neither
helps: from that the client is safe, who hashes what arrives. docs/decisions/0038 has the figures.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from xxhash import xxh3_128

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.store.checking import Check
from aimdvc.store.sums import Sums


class QuickChecks:
    """The checks of downloads from one store. Safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        """`root` is the store's directory."""
        self._sums = Sums(root)

    def check(self, oid: Oid) -> Check:
        """Returns the check of one download: by the sum of the blob where it is known, else the one that finds it."""
        known = self._sums.find(oid)
        return _Known(self._sums, oid, known) if known is not None else _First(self._sums, oid)

    def passing(self, pointer: Pointer, chunks: Iterable[bytes]) -> "Arriving":
        """Returns the same chunks; once they have proved to be the blob, call `note` on them."""
        return Arriving(self._sums, pointer.oid, chunks)

    def close(self) -> None:
        """Closes what is known."""
        self._sums.close()


class Arriving:
    """The chunks of a blob that arrives, summed as they pass."""

    def __init__(self, sums: Sums, oid: Oid, chunks: Iterable[bytes]) -> None:
        self._sums = sums
        self._oid = oid
        self._chunks = chunks
        self._sum = xxh3_128()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._sum.update(chunk)
            yield chunk

    def note(self) -> None:
        """Remembers the sum: all the chunks were read, and were the blob."""
        self._sums.note(self._oid, self._sum.digest())


class _Known:
    def __init__(self, sums: Sums, oid: Oid, known: bytes) -> None:
        self._sums = sums
        self._oid = oid
        self._known = known
        self._sum = xxh3_128()

    def update(self, chunk: bytes) -> None:
        self._sum.update(chunk)

    def is_right(self) -> bool:
        if self._sum.digest() == self._known:
            return True
        # Should it be the sum that is damaged, and not the blob, the next one asks SHA-256 again.
        self._sums.forget(self._oid)
        return False


class _First:
    def __init__(self, sums: Sums, oid: Oid) -> None:
        self._sums = sums
        self._oid = oid
        self._sum = xxh3_128()
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self._sum.update(chunk)
        self._sha256.update(chunk)

    def is_right(self) -> bool:
        if self._sha256.hexdigest() != self._oid:
            return False
        self._sums.note(self._oid, self._sum.digest())
        return True
