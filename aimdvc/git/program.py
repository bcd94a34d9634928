"""The program `git`, for the little that files can't be read for: Git's configuration, with its includes and scopes.

Runs only what reads or writes configuration and executes nothing that a repository names. Called by `hooks` alone; all
else reads files (code.py).
"""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import Busy, StorageError, UsageError
from aimdvc.fs.processes import find_program

_KEPT = ("GIT_CONFIG_", "GIT_SSH", "GIT_ASKPASS", "GIT_EXEC_PATH")
_SPEAK_OF_ONE = ("GIT_CONFIG_PARAMETERS",)
_TIMEOUT_S = 30
_LOCKED = "run it again; where no git runs any more, remove `config.lock` from the Git directory"


def without_git_state(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment without what Git tells its hooks: GIT_DIR and the like, which speak of one repository.

    What is the user's stays: where settings are read from, how to connect, how to ask.
    """
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("GIT_") or (name.startswith(_KEPT) and name not in _SPEAK_OF_ONE)
    }


@dataclass(frozen=True, slots=True)
class Git:
    """`git`, run in a directory."""

    here: Path
    environment: Mapping[str, str]

    def at(self, here: Path) -> "Git":
        """Returns the same in another directory."""
        return Git(here, self.environment)

    def ask(self, *arguments: str) -> str | None:
        """Returns what `git` prints, without the end of its last line; None where it says no."""
        done = self._run(arguments)
        return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n") if done.returncode == 0 else None

    def do(self, *arguments: str) -> None:
        """Runs `git`, which must succeed. Raises Busy, or StorageError with what it says."""
        told = _told(self._run(arguments))
        if told.startswith("could not lock") and told.endswith("File exists"):
            raise Busy(f"Git's configuration of '{self.here}'", _LOCKED)
        if told:
            raise StorageError(str(self.here), f"`git {arguments[0]}` failed: {told}")

    def reason(self, *arguments: str) -> str:
        """Returns what `git` says of why it fails, "" where it doesn't."""
        return _told(self._run(arguments))

    def _run(self, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[bytes]":
        git = find_program("git", self.environment)
        if git is None:
            raise UsageError("`git` is not on the PATH", hint="install Git")
        try:
            return subprocess.run(
                [git, *arguments],
                cwd=self.here,
                env={**without_git_state(self.environment), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            raise StorageError(str(self.here), f"`git {arguments[0]}` did not run: {error}") from error


def _told(done: "subprocess.CompletedProcess[bytes]") -> str:
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].removeprefix("error: ").removeprefix("fatal: ") if lines else f"exit {done.returncode}"
