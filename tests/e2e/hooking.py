"""Code repositories whose hooks tell what Git ran, with which arguments and which input."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.shell import Shell, git

_TELLING = """#!{python}
import json, os, sys
line = [{name!r}, os.path.basename(sys.argv[0]), sys.argv[1:], "" if sys.stdin.isatty() else sys.stdin.read()]
with open({log!r}, "a") as log:
    log.write(json.dumps(line) + "\\n")
sys.exit({code})
"""


class Told:
    """Programs that write down how they were run, in one log."""

    def __init__(self, place: Path) -> None:
        self._log = place / "told"

    def program(self, path: Path, name: str, code: int = 0, mode: int = 0o755) -> Path:
        """Writes a program that ends with a code."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(_TELLING.format(python=sys.executable, name=name, log=str(self._log), code=code))
        path.chmod(mode)
        return path

    def take(self) -> list[list[Any]]:
        """Returns what ran since the last time: name, name of the file, arguments, input."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


def repository(place: Path) -> Shell:
    """Returns a shell in a new code repository with one commit."""
    git(place.parent, "init", "-q", "-b", "main", str(place))
    shell = Shell(place)
    shell.write("code.py", "1\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "code")
    return shell


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Returns every file below a directory with its mode; a link with where it leads."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
