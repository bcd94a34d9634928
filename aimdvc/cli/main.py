"""The `aimdvc` command: finds the subcommand, runs it, and turns whatever happens into one line and an exit code."""

import importlib
import json
import os
import re
import signal
import sys
import traceback
from types import FrameType
from typing import Any

import click

from aimdvc.cli.table import COMMANDS
from aimdvc.errors import AimdvcError
from aimdvc.fs.faults import storage_error
from aimdvc.version import __version__

_EXIT_USAGE = 2
_EXIT_BUG = 70


class _Lazy(click.Group):
    """A group that imports a command when it is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        command = getattr(importlib.import_module(row.module), row.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, row.help) for name, row in COMMANDS.items()])


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"aimdvc {__version__}")
        ctx.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-C", "directory", metavar="DIR", help="Run as if started in DIR.")
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@click.pass_context
def aimdvc(ctx: click.Context, directory: str | None, debug: bool) -> None:
    """Git-style versioning for artifacts: data sets, models, anything too big for a code repository.

    \b
    Example:
      aimdvc init
      aimdvc add data
      aimdvc commit -m "First version"
    """
    ctx.ensure_object(dict)
    ctx.obj["debug"] = debug
    if directory is not None:
        ctx.obj["directory"] = directory


class _Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwind, so that temporary files go."""

    def __init__(self, number: int) -> None:
        self.number = number


def _on_signal(number: int, frame: FrameType | None) -> None:
    raise _Terminated(number)


def main() -> None:
    """Runs the command line and exits."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs a command line and returns the exit code (docs/errors.md)."""
    as_json = "--json" in arguments
    try:
        code = aimdvc.main(arguments, prog_name="aimdvc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        _report(as_json, "usage-error", error.format_message(), _usage_hint(error), _EXIT_USAGE)
        return _EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("aimdvc: interrupted; nothing is lost, run it again to finish")
        return 128 + signal.SIGINT
    except _Terminated as error:
        return 128 + error.number
    except BrokenPipeError:
        # Whoever read our output has left; Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except AimdvcError as error:
        return _fail(error, as_json, arguments)
    except OSError as error:
        return _fail(storage_error(error, str(error.filename or "")), as_json, arguments)
    except Exception as error:  # the boundary: what is not in our tree is a bug, said in one line
        if "--debug" in arguments:
            traceback.print_exc()
        message = f"a bug in aimdvc: {type(error).__name__}: {error}"
        _report(as_json, "bug", message, "run it again with `aimdvc --debug …` and report what it prints", _EXIT_BUG)
        return _EXIT_BUG


def _fail(error: AimdvcError, as_json: bool, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    _report(as_json, kind, error.message, error.hint, error.exit_code)
    return error.exit_code


def _report(as_json: bool, kind: str, message: str, hint: str, code: int) -> None:
    if as_json:
        report: dict[str, Any] = {"error": kind, "message": message, "hint": hint, "exit_code": code}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
    _say(f"aimdvc: {message}" + (f"; {hint}" if hint else ""))


def _say(line: str) -> None:
    clean = "".join(char if char.isprintable() else " " for char in line)
    sys.stderr.write(clean.encode("utf-8", "backslashreplace").decode() + "\n")


def _usage_hint(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    return f"run `{ctx.command_path} --help`" if ctx is not None else ""
