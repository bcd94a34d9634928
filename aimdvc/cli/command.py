"""What every command has: `-C`, `--json`, paths after `--`, and a Session of the command line that it works with."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aimdvc.cli.context import Cli

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PATHS = "aimdvc.paths"
Function = Callable[..., Any]


class Command(click.Command):
    """A command whose arguments after `--` are always paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sets the paths aside before click drops the `--`."""
        if self.takes_paths and "--" in args:
            cut = args.index("--")
            ctx.meta[PATHS] = tuple(args[cut + 1 :])
            args = args[:cut]
        return super().parse_args(ctx, args)

    takes_paths = False


class PathsCommand(Command):
    """A command whose positionals are selectors before `--`, and paths after it."""

    takes_paths = True

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Leaves what follows `--` to the shell, which knows the files."""
        if PATHS in ctx.meta:
            return click.Path().shell_complete(ctx, self.params[0], incomplete)
        return super().shell_complete(ctx, incomplete)


def command(name: str, takes_paths: bool = False) -> Callable[[Function], click.Command]:
    """Returns the decorator that makes a function `f(cli, …)` the command `name`; its docstring is the help."""

    def decorate(function: Function) -> click.Command:
        @click.pass_context
        @functools.wraps(function)
        def wrapped(ctx: click.Context, /, directory: str | None, as_json: bool, **values: Any) -> Any:
            settings = ctx.find_object(dict) or {}
            base = Path.cwd()
            if "directory" in settings:
                base = base / settings["directory"]
            if directory is not None:
                base = base / directory
            if not base.is_dir():
                raise click.UsageError(f"-C: '{base}' is no directory", ctx)
            with Cli(base, as_json, ctx.meta.get(PATHS, ()), takes_paths) as cli:
                return function(cli, **values)

        options = [
            click.option("-C", "directory", metavar="DIR", help="Run as if started in DIR."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        ]
        made: Any = wrapped
        for option in options:
            made = option(made)
        cls = PathsCommand if takes_paths else Command
        return click.command(name, cls=cls, context_settings={"help_option_names": ["-h", "--help"]})(made)

    return decorate


def zero_option(function: Function) -> Function:
    """Adds `-z` to a command that prints paths; it comes as `is_zero`."""
    made: Function = click.option("-z", "is_zero", is_flag=True, help="Print paths as they are, a NUL after each.")(
        function
    )
    return made
