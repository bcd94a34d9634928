"""Developers of one project: each with a clone of the code, real hooks, and a memory of what each commit held."""

from dataclasses import dataclass
from pathlib import Path

from tests.e2e.projects import tried
from tests.shell import Shell, files_of, git

ROOT = Path(__file__).parents[2]
Memory = dict[str, dict[str, bytes]]


@dataclass(frozen=True)
class Developer:
    """One who works in a clone; `memory` is the project's: code commit → the files that were there when it was made."""

    here: Path
    shell: Shell
    memory: Memory

    def git(self, *arguments: str) -> str:
        """Runs Git, which must succeed."""
        return git(self.here, *arguments)

    def stopped(self, *arguments: str) -> str:
        """Runs Git, which must fail; returns what is said."""
        done = tried(self.here, *arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout

    def said(self, *arguments: str) -> str:
        """Runs Git, which must succeed; returns all that is said."""
        done = tried(self.here, *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def aimdvc(self, *arguments: str, code: int = 0) -> str:
        """Runs aimdvc; returns what it prints."""
        return self.shell(*arguments, code=code).out

    def version(self, path: str, content: bytes | str, message: str) -> None:
        """Changes a file and makes a version of its artifact."""
        self.shell.write(path, content)
        self.shell.commit(path, message)

    def record(self, message: str) -> str:
        """Makes a code commit of everything; returns it."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.remember()

    def remember(self) -> str:
        """Remembers what is there for the code's HEAD, from which nothing differs; returns it."""
        assert self.git("status", "--porcelain") == ""
        head = self.git("rev-parse", "HEAD").strip()
        self.memory[head] = files_of(self.here)
        return head

    def message(self) -> str:
        """Returns the message of the code's HEAD."""
        return self.git("log", "-1", "--format=%B")

    def share(self, *refs: str) -> None:
        """Pushes artifacts, then code."""
        self.aimdvc("push")
        self.git("push", "-q", "origin", *refs)


def join(place: Path, memory: Memory, hooks: bool = True) -> Developer:
    """Clones the code, and brings what it pins with `aimdvc pull` alone."""
    git(place.parent, "clone", "-q", str(place.parent / "code.git"), str(place))
    made = Developer(place, Shell(place), memory)
    if hooks:
        made.aimdvc("hooks", "install")
    if (place / "aimdvc.lock").exists():
        made.aimdvc("pull")
    return made
