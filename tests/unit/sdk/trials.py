"""What the tests of trials share: an artifact as a trial asks for one, and a process that records."""

import json
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.shell import unmeasured


@dataclass
class Marked:
    """An artifact as far as a trial looks at it."""

    name: str = "digits"
    is_open: bool = False
    can_be_logged: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "commit": "0" * 40, "version": "v3", "description": "not of interest"}


def start(home: Path, code: str) -> "subprocess.Popen[str]":
    """Starts a process that runs `code` with the data directory below `home`; its output can be read."""
    environment = {**unmeasured(), "AIMDVC_HOME": str(home)}
    head = "import aimdvc, sys, os\ndef say(*words): print(*words, flush=True)\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code],
        env=environment,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=home,
    )


def strict(text: bytes) -> list[dict[str, Any]]:
    """Returns the lines of a journal, read as JSON without NaN and the like."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
