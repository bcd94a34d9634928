"""Holds deletion off while something is copied: whatever a snapshot names has to stay until it is there.

A hold is a row of the settings with its time, renewed while its owner works, and good for a day after that: one that
was killed holds nothing for ever. Whatever deletes for good, or makes blobs ready for it, asks `is_held` first, in the
transaction that decides.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from aimdvc.model.progress import Progress
from aimdvc.server.database import Database, now_s
from aimdvc.server.schema import settings

LASTS_S = 24 * 3600.0
_PREFIX = "hold."
_RENEWED_EVERY_S = 600.0


@contextmanager
def holding(database: Database, progress: Progress) -> Iterator[Progress]:
    """Holds deletion off while the `with` lasts; the progress that it gives renews the hold as it advances."""
    name = f"{_PREFIX}{uuid.uuid4().hex}"

    def renew() -> None:
        with database.write("settings") as connection:
            connection.execute(update(settings).where(settings.c.name == name).values(value=_now()))

    with database.write("settings") as connection:
        connection.execute(insert(settings), {"name": name, "value": _now()})
    try:
        yield _Renewing(progress, renew)
    finally:
        with database.write("settings") as connection:
            connection.execute(delete(settings).where(settings.c.name == name))


def is_held(connection: Connection) -> bool:
    """Returns whether anything is being copied that must find what it looks for."""
    query = select(settings.c.value).where(settings.c.name >= _PREFIX, settings.c.name < "hold/")
    return any(float(bytes(value)) > now_s() - LASTS_S for value in connection.scalars(query))


def _now() -> bytes:
    return b"%.3f" % now_s()


class _Renewing:
    """Passes on what a progress is told."""

    def __init__(self, progress: Progress, renew: Callable[[], None]) -> None:
        self._progress = progress
        self._renew = renew
        self._next_s = time.monotonic() + _RENEWED_EVERY_S

    def start(self, label: str, total: int | None, unit: Literal["bytes", "files"]) -> None:
        self._progress.start(label, total, unit)

    def advance(self, amount: int) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _RENEWED_EVERY_S
            self._renew()
        self._progress.advance(amount)

    def finish(self) -> None:
        self._progress.finish()
