"""What every hook has that Git calls: the project around it, a clean environment, and silence where there is none.

A hook never prompts. What Git and pre-commit tell it by variables is kept apart, and what Git exports is taken out of
the environment of all else: `GIT_DIR` and the like mean the code repository, and an artifact has one of its own.
"""

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.ops.project import Project, find_project
from aimdvc.ops.workspace import Workspace

Function = Callable[..., Any]

_KEPT = ("GIT_SSH", "GIT_ASKPASS", "GIT_CONFIG_", "GIT_TERMINAL_PROMPT", "GIT_SSL", "GIT_TRACE", "GIT_CURL", "GIT_HTTP")
_WHO = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")


class Hooked(NamedTuple):
    """One call of a hook: `variables` is the whole environment, as Git or pre-commit set it."""

    cli: Cli
    project: Project
    variables: Mapping[str, str]

    @property
    def is_framework(self) -> bool:
        """Whether pre-commit, or what takes its place, calls: no arguments of Git's then, and nothing on stdin."""
        return self.variables.get("PRE_COMMIT") == "1"

    def is_skipped(self, skip_id: str) -> bool:
        """Returns whether the user named a hook in SKIP, by its id of pre-commit."""
        return is_skipped(self.variables, skip_id)

    @property
    def index_path(self) -> Path | None:
        """The index that `git commit -a` or `git commit PATH` made for this commit; None for the work tree's own."""
        named = self.variables.get("GIT_INDEX_FILE")
        return self.cli.here / named if named else None

    @contextmanager
    def workspaces(self) -> Iterator[list[Workspace]]:
        """Opens the workspaces of the work tree while the `with` lasts; none where none has an artifact or a lock."""
        cli = self.cli
        opened = [Workspace.open(root, cli.disk, cli.author, cli.user_config) for root in self.project.roots]
        try:
            yield [workspace for workspace in opened if _is_used(workspace)]
        finally:
            for workspace in opened:
                workspace.close()

    def place(self, workspace: Workspace) -> str:
        """Returns what goes before a line about a workspace: its directory, "" where it is the work tree's own."""
        inside = self.project.inside(workspace.root)
        return f"{inside}: " if inside else ""


def _is_used(workspace: Workspace) -> bool:
    return workspace.lock_path.exists() or (
        (workspace.places.state / "state.db").exists() and bool(workspace.state.heads())
    )


def hook(name: str, skip_id: str) -> Callable[[Function], click.Command]:
    """Returns the decorator that makes a function `f(hooked, …)` the hook `name`; its docstring is the help.

    It does nothing, and exits with 0, outside of a project, and when `skip_id` stands in SKIP, as with pre-commit.
    """

    def decorate(function: Function) -> click.Command:
        @click.option("--no-color", is_flag=True, hidden=True, help="Hooks print no colour.")
        @functools.wraps(function)
        def framed(cli: Cli, /, no_color: bool, **values: Any) -> int:
            variables = cli.environment
            cli.environment = stripped(variables)
            if is_skipped(variables, skip_id):
                return 0
            project = find_project(cli.here, _index_path(cli, variables))
            if project is None:
                return 0
            return int(function(Hooked(cli, project, variables), **values) or 0)

        return command(name)(framed)

    return decorate


def _index_path(cli: Cli, variables: Mapping[str, str]) -> Path | None:
    named = variables.get("GIT_INDEX_FILE")
    return cli.here / named if named else None


def is_skipped(variables: Mapping[str, str], skip_id: str) -> bool:
    """Returns whether SKIP has an id, as pre-commit reads it: names with commas between."""
    return skip_id in [word.strip() for word in variables.get("SKIP", "").split(",")]


def stripped(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment without what Git exports to hooks; who commits, and how to reach a server, stays."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("GIT_") or name.startswith(_KEPT) or name in _WHO or name in ("GIT_CONFIG",)
    }


def is_quiet(variables: Mapping[str, str] | None = None) -> bool:
    """Returns whether this is pre-commit's own stash, which checks files out and back."""
    return (os.environ if variables is None else variables).get("_PRE_COMMIT_SKIP_POST_CHECKOUT") == "1"
