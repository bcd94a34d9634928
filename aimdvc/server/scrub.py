"""`aimdvc server scrub`: reads stored blobs at a bounded rate, hashes them, and sets the damaged ones aside.

One that is set aside counts as missing, so that the next client that has it is asked for it. A pass goes through all
blobs that somebody owns, by oid; where it stands is kept in the settings, and the next run goes on there.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from aimdvc.errors import CorruptBlob, MissingBlob
from aimdvc.model.oid import Oid
from aimdvc.model.progress import Progress
from aimdvc.server.audit import note
from aimdvc.server.backup import Kept
from aimdvc.server.bytecopy import Damage, artifact_path
from aimdvc.server.database import Database, now_s
from aimdvc.server.rights import SYSTEM
from aimdvc.server.rowcopy import read_mark, set_mark
from aimdvc.server.schema import owned_blobs

_PAGE = 800
_SAVED_EVERY_S = 10.0
_CURSOR = "scrub"
_NAMED = 20


@dataclass(slots=True)
class Scrubbed:
    """What one run read, in blobs and bytes, and what is damaged or gone. `is_complete`: the pass came to its end."""

    blobs: int = 0
    size: int = 0
    is_complete: bool = False
    damage: list[Damage] = field(default_factory=list)


class Pace:
    """Lets no more bytes by in a second than `rate`: whoever goes faster waits."""

    def __init__(self, rate: int, wait: Callable[[float], None] = time.sleep) -> None:
        self._rate = rate
        self._wait = wait
        self._begun_s = time.monotonic()
        self._done = 0

    def advance(self, amount: int) -> None:
        """Counts bytes, and waits until they are due."""
        self._done += amount
        ahead_s = self._begun_s + self._done / self._rate - time.monotonic()
        if ahead_s > 0:
            self._wait(ahead_s)


def scrub(kept: Kept, pace: Pace, limit: int | None, progress: Progress) -> Scrubbed:
    """Goes on with the pass, or begins one, until it ends or `limit` bytes were read. Safe to interrupt."""
    done = Scrubbed()
    last = _begun_at(kept.database)
    saved_s = time.monotonic()

    def advance(amount: int) -> None:
        done.size += amount
        progress.advance(amount)
        pace.advance(amount)

    progress.start("scrubbing", None, "bytes")
    try:
        while page := _owned_after(kept.database, last):
            for oid in page:
                done.damage += examine(kept, oid, advance)
                done.blobs += 1
                last = bytes.fromhex(oid)
                if limit is not None and done.size >= limit:
                    return done
            if time.monotonic() - saved_s > _SAVED_EVERY_S:
                saved_s = time.monotonic()
                _save(kept.database, last)
        last, done.is_complete = b"", True
        return done
    finally:
        _save(kept.database, last)
        progress.finish()


def examine(kept: Kept, oid: Oid, advance: Callable[[int], None]) -> list[Damage]:
    """Reads and hashes a stored blob. Returns what is wrong, for each artifact that owns it; one set aside is noted."""
    try:
        kept.storage.keeping.check(oid, advance)
    except CorruptBlob as error:
        paths = _owners(kept.database, oid)
        with kept.database.write("blobs") as connection:
            note(kept.database, connection, SYSTEM, "blob.damaged", oid, owners=paths[:_NAMED])
        reason = f"{error.message.removeprefix(f'blob {oid}: ')}; set aside"
    except MissingBlob:
        paths, reason = _owners(kept.database, oid), "is gone"
    else:
        return []
    return [Damage(path, f"blob {oid}", reason) for path in paths]


def owners_of(database: Database, oids: Sequence[Oid]) -> dict[Oid, list[tuple[str, int]]]:
    """Returns who owns each of some blobs: the artifact's id, and the size in bytes that it has there."""
    columns = (owned_blobs.c.oid, owned_blobs.c.artifact, owned_blobs.c.size)
    query = select(*columns).where(owned_blobs.c.oid.in_([bytes.fromhex(oid) for oid in oids]))
    found: dict[Oid, list[tuple[str, int]]] = {}
    with database.read() as connection:
        for oid, artifact, size in connection.execute(query):
            found.setdefault(Oid(oid.hex()), []).append((artifact, size))
    return found


def _owners(database: Database, oid: Oid) -> list[str]:
    return sorted(artifact_path(database, artifact) for artifact, _ in owners_of(database, [oid]).get(oid, ()))


def _owned_after(database: Database, last: bytes) -> list[Oid]:
    query = select(owned_blobs.c.oid).distinct().where(owned_blobs.c.oid > last).order_by(owned_blobs.c.oid)
    with database.read() as connection:
        return [Oid(oid.hex()) for oid in connection.scalars(query.limit(_PAGE))]


def _begun_at(database: Database) -> bytes:
    with database.read() as connection:
        found = read_mark(connection, _CURSOR)
    return bytes.fromhex(json.loads(found)["last"]) if found is not None else b""


def _save(database: Database, last: bytes) -> None:
    value = json.dumps({"last": last.hex(), "time_s": now_s()}).encode()
    with database.write("settings") as connection:
        set_mark(connection, _CURSOR, value)
