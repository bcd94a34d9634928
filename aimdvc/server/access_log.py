"""The access log: a line of JSON for each request, when it is answered. No query, so no signature and no key."""

import json
import os
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.fs.faults import mapped

_json = json.JSONEncoder().encode

STDERR = Path("-")
"""What stands for the process's standard error."""


def _quoted(path: str) -> str:
    """Returns a path as JSON: most have nothing to escape, and take no encoder."""
    is_plain = path.isascii() and path.isprintable() and '"' not in path and "\\" not in path
    return f'"{path}"' if is_plain else _json(path)


@lru_cache(maxsize=1024)
def _around(method: str, route: str | None, user: str | None, key: str | None) -> tuple[str, str, str]:
    """Returns what comes again and again in a line: before the path, behind it, and at the end."""
    before = f'"method":{_json(method)},"path":'
    return before, f',"route":{_json(route)},"status":', f',"user":{_json(user)},"key":{_json(key)}}}\n'


class AccessLog:
    """Appends lines to a file, or to the process's standard error; those of several processes don't mix."""

    def __init__(self, path: Path) -> None:
        """Opens it. Raises StorageError, and UsageError where its directory is not there."""
        try:
            with mapped(path):
                self._fd = os.dup(2) if path == STDERR else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except FileNotFoundError as error:
            raise UsageError(f"no directory '{path.parent}' for the access log", hint="make it first") from error
        self._second = 0, ""
        """The second of the last line, and how it is written."""

    def write(
        self,
        *,
        request: str,
        method: str,
        path: str,
        route: str | None,
        status: int,
        seconds: float,
        received: int,
        sent: int,
        user: str | None,
        key: str | None,
    ) -> None:
        """Writes one line, with the time. A log that can't be written stops nothing."""
        before, after, end = _around(method, route, user, key)
        line = (
            f'{{"time":"{self._now()}","id":"{request}",{before}{_quoted(path)}{after}{status},'
            f'"seconds":{seconds:.4f},"received":{received},"sent":{sent}{end}'
        )
        with suppress(OSError):  # a full disk, a reader that went: requests go on
            os.write(self._fd, line.encode())

    def _now(self) -> str:
        now_ms = time.time_ns() // 1_000_000
        second, text = self._second
        if now_ms // 1000 != second:
            second = now_ms // 1000
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, text
        return f"{text}.{now_ms % 1000:03}+00:00"

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)
