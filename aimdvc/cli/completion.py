"""What a shell is told when it completes an argument: artifacts, versions and aliases that are here."""

from pathlib import Path

import click

from aimdvc.cli.context import Cli
from aimdvc.errors import AimdvcError
from aimdvc.ops.branch import local_branches
from aimdvc.ops.revisions import aliases, labels
from aimdvc.ops.targets import default_artifact


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Returns the artifacts whose names begin so."""
    try:
        with _cli(ctx) as cli:
            return [head.name for head in cli.workspace.state.heads() if head.name.startswith(incomplete)]
    except AimdvcError:
        return []


def complete_selector(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Returns the artifacts that begin so; after an `@` the versions, aliases and branches of that one."""
    name, at, _ = incomplete.partition("@")
    if not at:
        return complete_name(ctx, param, incomplete)
    try:
        with _cli(ctx) as cli:
            head = cli.workspace.head(name) if name else default_artifact(cli.workspace, cli.here)
            history = cli.workspace.history(head.name)
            revisions = [*aliases(history), "HEAD", *local_branches(history), *labels(history).values()]
    except AimdvcError:
        return []
    return [found for found in (f"{name}@{revision}" for revision in revisions) if found.startswith(incomplete)]


def complete_branch(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Returns what `complete_selector` does, and the branches of the current directory's artifact, to stand alone."""
    found = complete_selector(ctx, param, incomplete)
    if "@" in incomplete:
        return found
    try:
        with _cli(ctx) as cli:
            history = cli.workspace.history(default_artifact(cli.workspace, cli.here).name)
            return found + [branch for branch in local_branches(history) if branch.startswith(incomplete)]
    except AimdvcError:
        return found


def _cli(ctx: click.Context) -> Cli:
    base = Path.cwd()
    for level in (ctx.find_root(), ctx):
        base = base / (level.params.get("directory") or "")
    return Cli(base, True, ())
