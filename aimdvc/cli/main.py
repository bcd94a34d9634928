"""The `aimdvc` command: finds the subcommand, runs it, and turns whatever happens into one line and an exit code."""

import gc
import importlib
import json
import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from aimdvc.cli import elsewhere
from aimdvc.cli.output import drop, kind_of, say_error
from aimdvc.cli.table import COMMANDS, FAMILIES, Row
from aimdvc.errors import AimdvcError, StorageError, UsageError
from aimdvc.fs.faults import storage_error
from aimdvc.model.nearest import did_you_mean, nearest
from aimdvc.version import __version__

_EXIT_USAGE = 2
_EXIT_BUG = 70
_COLLECTED_FROM = 10_000
"""Objects that may be new before Python looks for cycles among them; its own 700 are met 40 times by loading alone."""
_SIGPIPE = 13


class _Lazy(click.Group):
    """A group that imports a command when it is called; `family` is the word that all of its commands begin with."""

    family = ""

    def _rows(self) -> dict[str, Row]:
        start = f"{self.family} " if self.family else ""
        return {name[len(start) :]: row for name, row in COMMANDS.items() if name.startswith(start)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(dict.fromkeys(name.partition(" ")[0] for name in self._rows()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self._rows().get(cmd_name)
        if row is None:
            return self._family(cmd_name) if cmd_name in self.list_commands(ctx) else None
        command = getattr(importlib.import_module(row.module), row.attribute)
        assert isinstance(command, click.Command)
        return command

    def _family(self, word: str) -> click.Command:
        settings = {"help_option_names": ["-h", "--help"]}
        found = _Lazy(word, help=FAMILIES[word], context_settings=settings, no_args_is_help=False)
        found.family = word
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            known = self.list_commands(ctx)
            near = nearest(args[0], known)
            hint = (
                f"did you mean `{ctx.command_path} {near}`?"
                if near
                else f"`{ctx.command_path} --help` lists the commands"
            )
            hint = hint if self.family else elsewhere.COMMANDS.get(args[0], hint)
            raise UsageError(f"no such command '{' '.join([self.family, args[0]]).strip()}'", hint=hint) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, row.help) for name, row in self._rows().items()]
        hooks = [row for row in rows if row[0].startswith("hook ")]
        for title, some in (("Commands", [row for row in rows if row not in hooks]), ("Hooks, which Git calls", hooks)):
            if some:
                with formatter.section(title):
                    formatter.write_dl(some)


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"aimdvc {__version__}")
        ctx.exit()


@click.group(cls=_Lazy, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
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
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(_EXIT_USAGE)
    ctx.ensure_object(dict)
    ctx.obj["debug"] = debug
    if directory is not None:
        ctx.obj["directory"] = directory


class _Terminated(BaseException):
    """SIGTERM or SIGHUP came: unwind, so that temporary files go."""

    def __init__(self, number: int) -> None:
        self.number = number


def _on_signal(number: int, frame: FrameType | None) -> None:
    # What is half made when it is stopped may complain as it goes (dulwich's Pack does): no one can act on that.
    sys.unraisablehook = lambda unraisable: None
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise _Terminated(number)


def main() -> None:
    """Runs the command line and exits."""
    has_output = sys.stdout is not None
    _fill_streams()
    if not has_output:
        sys.exit(_fail(StorageError("standard output", "is closed", hint="redirect it to /dev/null"), [], False))
    handled = _handled_signals()
    for number in handled:
        signal.signal(number, _on_signal)
    if "_AIMDVC_COMPLETE" in os.environ:
        importlib.import_module("aimdvc.cli.bash").register()
    # What is loaded by now stays to the end, and a command makes little that has to be looked for.
    gc.freeze()
    gc.set_threshold(_COLLECTED_FROM)
    code = run(sys.argv[1:])
    gc.freeze()  # The process ends: looking through all that it still has takes as long as a small command.
    for number in handled:
        # Nothing is left to unwind: a signal now ends the process, without a traceback of Python's own ending.
        signal.signal(number, signal.SIG_DFL)
    sys.exit(code)


def _handled_signals() -> list[signal.Signals]:
    """Returns the signals that end a command; what was ignored at the start stays so: `nohup` runs us that way."""
    known = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


def run(arguments: list[str]) -> int:
    """Runs a command line and returns the exit code (docs/errors.md)."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in options
    streams = sys.stdout, sys.stderr
    try:
        code = aimdvc.main(arguments, prog_name="aimdvc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        _report(as_json, "usage-error", _usage_message(error), _usage_hint(error), _EXIT_USAGE)
        return _EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return _stopped(as_json, "interrupted", signal.SIGINT)
    except _Terminated as error:
        return _stopped(as_json, "terminated", error.number)
    except SystemExit:
        # click turns a broken pipe into an exit of its own, and puts other streams in place of ours.
        if sys.stdout is streams[0]:
            raise
        sys.stdout, sys.stderr = streams
        return _left_alone()
    except BrokenPipeError:
        return _left_alone()
    except Exception as error:  # the boundary: every error becomes one line and an exit code; an unknown one is a bug
        return _ended(error, options, as_json)


def _ended(error: Exception, options: list[str], as_json: bool) -> int:
    stop = _stop_behind(error)
    if stop is not None:
        kind = "interrupted" if stop == signal.SIGINT else "terminated"
        return _stopped(as_json, kind, stop)
    if isinstance(error, AimdvcError):
        return _fail(error, options, as_json)
    if isinstance(error, OSError):
        # Everything below names its files, so what has no name is what we print to.
        failed = storage_error(error, str(error.filename or "standard output"))
        if not error.filename:
            drop(sys.stdout)
        return _fail(failed, options, as_json)
    if isinstance(error, MemoryError):
        return _fail(StorageError("memory", "there is not enough of it"), options, as_json)
    if "--debug" in options:
        _show_traceback(error)
    message = f"a bug in aimdvc: {type(error).__name__}: {error}"
    _report(as_json, "bug", message, "run it again with `aimdvc --debug …` and report what it prints", _EXIT_BUG)
    return _EXIT_BUG


def _stop_behind(error: BaseException | None) -> int | None:
    """Returns the signal that was being unwound when an error came of it: a file that was half closed, say."""
    while error is not None:
        if isinstance(error, _Terminated):
            return error.number
        if isinstance(error, KeyboardInterrupt):
            return int(signal.SIGINT)
        error = error.__context__
    return None


def _fill_streams() -> None:
    """Opens what of stdin, stdout and stderr is closed: else the next file that is opened takes the place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open to the end


def _left_alone() -> int:
    drop(sys.stdout)
    return 128 + _SIGPIPE


def _stopped(as_json: bool, kind: str, number: int) -> int:
    _report(as_json, kind, kind, "nothing is lost, run it again to finish", 128 + number)
    return 128 + number


def _show_traceback(error: BaseException) -> None:
    # As Python itself prints it: its module for tracebacks takes a fiftieth of a small command to load.
    sys.__excepthook__(type(error), error, error.__traceback__)


def _fail(error: AimdvcError, options: list[str], as_json: bool) -> int:
    if "--debug" in options:
        _show_traceback(error)
    _report(as_json, kind_of(error), error.message, error.hint, error.exit_code)
    return error.exit_code


def _report(as_json: bool, kind: str, message: str, hint: str, code: int) -> None:
    if as_json:
        report: dict[str, Any] = {"error": kind, "message": message, "hint": hint, "exit_code": code}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
    say_error(message, hint)


def _usage_message(error: click.ClickException) -> str:
    """Returns what click says, as we say it: lower case, no period, one line."""
    if isinstance(error, click.NoSuchOption):
        return f"no such option '{error.option_name}'"
    text = " ".join(error.format_message().split()).removesuffix(".")
    return text[:1].lower() + text[1:]


def _usage_hint(error: click.ClickException) -> str:
    ctx = getattr(error, "ctx", None)
    if isinstance(error, click.NoSuchOption) and ctx is not None:
        known = [name for param in ctx.command.params for name in param.opts if name.startswith("--")]
        instead = elsewhere.OPTIONS.get((str(ctx.info_name), error.option_name))
        hint = instead or did_you_mean(error.option_name, known)
        if hint is not None:
            return hint
    return f"run `{ctx.command_path if ctx is not None else 'aimdvc'} --help`"
