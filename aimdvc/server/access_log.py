"""The access log: a line of JSON for each request, when it is answered. No query, so no signature and no key."""

import json
import os
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.fs.faults import mapped

_ENCODER = json.JSONEncoder(separators=(",", ":"))

STDERR = Path("-")
"""What stands for the process's standard error."""


class AccessLog:
    """Appends lines to a file, or to the process's standard error; those of several processes don't mix."""

    def __init__(self, path: Path) -> None:
        """Opens it. Raises StorageError, and UsageError where its directory is not there."""
        try:
            with mapped(path):
                self._fd = os.dup(2) if path == STDERR else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except FileNotFoundError as error:
            raise UsageError(f"no directory '{path.parent}' for the access log", hint="make it first") from error

    def write(self, **fields: object) -> None:
        """Writes one line, with the time. A log that can't be written stops nothing."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line = _ENCODER.encode({"time": now, **fields}).encode() + b"\n"
        with suppress(OSError):  # a full disk, a reader that went: requests go on
            os.write(self._fd, line)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)
