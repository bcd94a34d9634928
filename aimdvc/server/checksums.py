"""The MD5 of blobs, which AIMD clients are told as `checksum`: by oid, as far as it is known.

It is computed as bytes come in by AIMD's REST, never while somebody asks for it.
"""

import hashlib
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from aimdvc.model.oid import Oid
from aimdvc.server.schema import checksums

_GROUP = 800


class Md5:
    """The MD5 of chunks that pass."""

    def __init__(self) -> None:
        # No secret and no proof: what AIMD calls a checksum is this.
        self._digest = hashlib.md5(usedforsecurity=False)

    def passing(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yields the chunks."""
        for chunk in chunks:
            self._digest.update(chunk)
            yield chunk

    @property
    def digest(self) -> bytes:
        """The MD5 of what has passed."""
        return self._digest.digest()


def note_md5(connection: Connection, oid: Oid, md5: bytes) -> None:
    """Keeps the MD5 of a blob; safe to repeat."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"oid": bytes.fromhex(oid), "md5": md5}
    connection.execute(insert(checksums).on_conflict_do_nothing(), row)


def known_md5s(connection: Connection, oids: Iterable[Oid]) -> dict[Oid, str]:
    """Returns the MD5 of those of the blobs of which it is known, in hex."""
    names = [bytes.fromhex(oid) for oid in oids]
    found: dict[Oid, str] = {}
    for start in range(0, len(names), _GROUP):
        group = checksums.c.oid.in_(names[start : start + _GROUP])
        rows = connection.execute(select(checksums.c.oid, checksums.c.md5).where(group))
        found |= {Oid(oid.hex()): md5.hex() for oid, md5 in rows}
    return found
