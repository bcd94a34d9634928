"""A code repository with an artifact, made by real Git, as the tests of pins have it."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.shell import Shell, git


@dataclass(frozen=True)
class Code:
    """A clone of the code, and aimdvc in its workspace."""

    here: Path
    shell: Shell

    def git(self, *arguments: str) -> str:
        """Runs Git in the clone, which must succeed."""
        return git(self.here, *arguments)

    def version(self, content: str, message: str = "code") -> str:
        """Makes a version of `data` and a code commit that pins it; returns the code commit."""
        self.shell.write("data/a", content)
        self.shell.commit("data", f"data {content}")
        return self.record(message)

    def record(self, message: str = "code") -> str:
        """Commits all that Git tracks, or may; returns the code commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def pinned(self, artifact: str = "data") -> str:
        """Returns what aimdvc.lock on disk pins."""
        lock = self.shell.here / "aimdvc.lock"
        return git(self.shell.here, "config", "-f", str(lock), f"artifact.{artifact}.commit").strip()

    def artifact(self, name: str = "data") -> "dict[str, object]":
        """Returns how an artifact stands, as `status --json` tells it."""
        told = json.loads(self.shell("status", "--json").raw)
        (found,) = (one for one in told["artifacts"] if one["artifact"] == name)
        assert isinstance(found, dict)
        return found

    def text(self) -> str:
        """Returns what `data/a` holds."""
        return (self.shell.here / "data/a").read_text()


def make_code(place: Path, inside: str = ".", remote: str | None = None) -> Code:
    """Returns a new code repository on branch main, with a workspace in it, without any artifact."""
    git(place.parent, "init", "-q", "-b", "main", str(place))
    (place / inside).mkdir(parents=True, exist_ok=True)
    code = Code(place, Shell(place / inside))
    code.shell("init", *(["--remote", remote] if remote is not None else []))
    return code


def clone_code(code: Code, place: Path, *options: str) -> Code:
    """Returns a new clone of the code."""
    git(place.parent, "clone", "-q", *options, f"file://{code.here}", str(place))
    return Code(place, Shell(place / code.shell.here.relative_to(code.here)))
