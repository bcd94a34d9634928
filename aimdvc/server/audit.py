"""The audit log: who changed whom and what, appended in the transaction of the change, each entry hashed with the last.

An entry that is changed, left out or put in breaks the chain from there on. One who may write the database could make a
new chain: keep the head that `verify` tells elsewhere. Moves of refs have a log of their own (refs.py).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select

from aimdvc.errors import CorruptRepository
from aimdvc.server.database import Database, now_s
from aimdvc.server.rights import Caller
from aimdvc.server.schema import audit

_START = bytes(32)
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, at a time in milliseconds since the epoch. `user` and `key` are "" for whoever was on the machine."""

    number: int
    time_ms: int
    user: str
    key: str
    action: str
    target: str
    detail: dict[str, object]


@dataclass(frozen=True, slots=True)
class Verified:
    """A whole chain: how many entries it has, and the hash of the last, in hex."""

    entries: int
    head: str


def note(database: Database, connection: Connection, by: Caller, action: str, target: str, **detail: object) -> None:
    """Appends an entry. The last thing in the transaction that makes the change: others that note wait for its end."""
    database.hold(connection, "audit")
    last = connection.execute(select(audit.c.number, audit.c.hash).order_by(audit.c.number.desc()).limit(1)).first()
    number, previous = (last.number + 1, bytes(last.hash)) if last is not None else (1, _START)
    entry = Entry(number, int(now_s() * 1000), by.name, by.key, action, target, detail)
    row = {**asdict(entry), "detail": _dumped(detail), "hash": _hashed(entry, previous)}
    connection.execute(insert(audit), row)


def read_audit(database: Database, after: int = 0, limit: int = _PAGE) -> list[Entry]:
    """Returns entries in their order, from behind the number `after` on."""
    with database.read() as connection:
        return [entry for entry, _ in _rows(connection, after, limit)]


def verify_audit(database: Database) -> Verified:
    """Reads the whole chain. Raises CorruptRepository at the first entry that isn't what was written."""
    head, count = _START, 0
    with database.read() as connection:
        while page := list(_rows(connection, count, _PAGE)):
            for entry, stored in page:
                head = _hashed(entry, head)
                if entry.number != count + 1 or stored != head:
                    raise CorruptRepository("the audit log", f"entry {count + 1} is not what was written")
                count += 1
    return Verified(count, head.hex())


def _rows(connection: Connection, after: int, limit: int) -> Iterator[tuple[Entry, bytes]]:
    query = select(audit).where(audit.c.number > after).order_by(audit.c.number).limit(limit)
    for row in connection.execute(query).mappings():
        fields = {name: value for name, value in row.items() if name not in ("hash", "detail")}
        try:
            detail = json.loads(row["detail"])
        except ValueError as error:
            raise CorruptRepository("the audit log", f"entry {row['number']} is not what was written") from error
        yield Entry(**fields, detail=detail), bytes(row["hash"])


def _dumped(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _hashed(entry: Entry, previous: bytes) -> bytes:
    return hashlib.sha256(previous + _dumped(asdict(entry)).encode()).digest()
