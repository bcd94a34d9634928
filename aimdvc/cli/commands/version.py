"""`aimdvc version` and `aimdvc completion`."""

import platform
from importlib.metadata import version

import click
from click.shell_completion import get_completion_class

from aimdvc.cli.bash import register
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.main import aimdvc
from aimdvc.version import __version__


@command("version")
def version_command(cli: Cli) -> None:
    """Print the versions of aimdvc and its libraries

    \b
    Example:
      aimdvc version --json
    """
    found = {"aimdvc": __version__, "python": platform.python_version(), "platform": platform.platform()}
    found |= {name: version(name) for name in ("click", "dulwich", "requests")}
    cli.out.result(found, [f"{name} {text}" for name, text in found.items()])


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(cli: Cli, shell: str) -> None:
    """Print the completion script for a shell

    With it the shell completes commands, options, artifacts, versions and aliases.

    \b
    Example:
      eval "$(aimdvc completion bash)"
    """
    register()
    made = get_completion_class(shell)
    assert made is not None, "click knows the three shells"
    script = made(aimdvc, {}, "aimdvc", "_AIMDVC_COMPLETE").source()
    cli.out.result({"shell": shell, "script": script}, script.splitlines())
