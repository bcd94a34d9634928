"""A command line inside the test's process: the same entry as the program's, with what it prints and its exit code."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimdvc.cli.main import run


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode("utf-8", "surrogateescape")

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Shell:
    """Runs `aimdvc` in a directory."""

    def __init__(self, here: Path) -> None:
        self.here = here

    def __call__(self, *arguments: str, code: int = 0, typed: str = "", at: Path | None = None) -> Result:
        """Runs a command and checks its exit code; -1 takes any."""
        out = io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape")
        err = io.StringIO()
        stdin, sys.stdin = sys.stdin, io.StringIO(typed + "\n" if typed else "")
        try:
            with redirect_stdout(out), redirect_stderr(err):
                found = run(["--debug", "-C", str(at or self.here), *arguments])
        finally:
            sys.stdin = stdin
        out.flush()
        result = Result(found, out.buffer.getvalue(), err.getvalue())
        assert code in (found, -1), f"aimdvc {' '.join(arguments)}: {found}, expected {code}\n{result.out}{result.err}"
        return result

    def write(self, path: str, content: bytes | str) -> Path:
        """Writes a file below the directory."""
        place = self.here / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def commit(self, path: str, message: str = "m") -> str:
        """Adds a path and commits; returns the commit."""
        self("add", path)
        made = self("commit", "-m", message, "--json").json["commits"]
        return str(made[0]["commit"]) if made else ""


def git(cwd: Path, *arguments: str) -> str:
    """Runs stock Git, which must succeed; returns what it printed."""
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unmeasured() -> dict[str, str]:
    """Returns the environment without what makes coverage start in a process: its own files are then not in the way."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}


def files_of(root: Path) -> dict[str, bytes]:
    """Returns the user's files below a directory: path → content, aimdvc's own left out."""
    found = {}
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if inside.parts[0] in (".aimdvc", "aimdvc.lock", ".git", ".gitignore"):
            continue
        if path.is_symlink():
            found[str(inside)] = b"-> " + str(path.readlink()).encode()
        elif path.is_file():
            found[str(inside)] = path.read_bytes()
    return found
