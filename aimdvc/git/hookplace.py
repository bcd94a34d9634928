"""Where the hooks of a code repository lie: which directory Git takes them from, and whose that is."""

import os
from dataclasses import dataclass
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.git.program import Git


@dataclass(frozen=True, slots=True)
class HookPlace:
    """A repository with a work tree. `directory` is where Git looks for hooks, `own` where it does by default."""

    work_tree: Path
    common_dir: Path
    directory: Path
    hooks_path: str | None
    """What core.hooksPath says, None where it is not set."""
    scope: str | None
    """Whose core.hooksPath that is: local, worktree, global, system or command."""

    @property
    def own(self) -> Path:
        """The directory of hooks in the repository, shared by its worktrees."""
        return self.common_dir / "hooks"

    @property
    def is_outside(self) -> bool:
        """Whether Git takes hooks from outside of this repository: other repositories may use them, too."""
        return not self.is_in_work_tree and not _is_in(self.directory, self.common_dir)

    @property
    def is_in_work_tree(self) -> bool:
        """Whether the hooks lie among the files that Git tracks, or could."""
        return _is_in(self.directory, self.work_tree) and not _is_in(self.directory, self.common_dir)


def find_hook_place(git: Git) -> HookPlace:
    """Returns where the hooks lie of the repository whose work tree holds the directory. Raises UsageError."""
    told = git.reason("rev-parse", "--git-dir")
    if told.startswith("not a git repository"):
        raise UsageError(f"not in a Git work tree: '{git.here}'", hint="hooks are Git's: run `git init` first")
    if told:
        raise UsageError(f"git refuses '{git.here}': {told}", hint="`git status` says what to do")
    if git.ask("rev-parse", "--is-inside-work-tree") != "true":
        is_bare = git.ask("rev-parse", "--is-bare-repository") == "true"
        raise UsageError(
            f"'{git.here}' is {'a bare repository' if is_bare else 'inside of a Git directory'}, not a work tree",
            hint="install the hooks in a clone, where people work" if is_bare else "go to the work tree",
        )
    top = git.at(Path(git.ask("rev-parse", "--show-toplevel") or git.here))
    value = top.ask("config", "--type=path", "--get", "core.hooksPath")
    # Git before 2.26 knows no scopes.
    scope = (top.ask("config", "--show-scope", "--get", "core.hooksPath") or "set").partition("\t")[0]
    common = Path(os.path.realpath(top.here / (top.ask("rev-parse", "--git-common-dir") or ".git")))
    # Git itself takes the hooks of the root directory where core.hooksPath is empty.
    directory = Path(os.path.normpath(top.here / (value or "/"))) if value is not None else common / "hooks"
    return HookPlace(top.here, common, directory, value, scope if value is not None else None)


def _is_in(path: Path, directory: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))
