"""Makes docs/cli-reference.md from the commands' own help: `python -m tests.reference > docs/cli-reference.md`."""

import inspect
import re

import click

from aimdvc.cli.main import aimdvc
from aimdvc.cli.table import COMMANDS


def reference() -> str:
    """Returns the text of the reference."""
    parts = [
        "# Commands",
        "",
        "Made from `aimdvc COMMAND --help` by `python -m tests.reference > docs/cli-reference.md`;",
        "a test keeps it current.",
        "",
        "Every command takes `-C DIR` (run as if started in DIR), `--json` (print one JSON object) and `--help`.",
        "Exit codes and errors: [errors.md](errors.md). Selectors: `NAME`, `NAME@REV`, `NAME@REV:PATH`; REV is a",
        "version (`v3`), an alias, a branch or a commit (4 hex digits or more), then `~N` or `^`.",
        "",
        "| command | what it does |",
        "|---|---|",
        *(f"| [`{name}`](#aimdvc-{name}) | {row.help} |" for name, row in COMMANDS.items()),
        "",
    ]
    context = click.Context(aimdvc, info_name="aimdvc")
    for name in COMMANDS:
        command = aimdvc.get_command(context, name)
        assert command is not None
        parts += _section(name, command, context)
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(name: str, command: click.Command, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    text = inspect.cleandoc(command.help or "")
    prose, _, example = text.partition("\b\n")
    lines = [f"## aimdvc {name}", "", f"    aimdvc {name} {usage}", "", *_wrapped(prose), ""]
    options = [_option(param, context) for param in command.params if isinstance(param, click.Option)]
    lines += [*[line for line in options if line], ""]
    code = [line[2:] for line in example.splitlines() if line.startswith("  ")]
    return [*lines, "```sh", *code, "```", ""]


def _wrapped(prose: str) -> list[str]:
    return re.sub(r"\n{3,}", "\n\n", prose).strip().splitlines()


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    if record is None or option.name in ("directory", "as_json"):
        return ""
    return f"* `{record[0]}`: {record[1]}"


if __name__ == "__main__":
    print(reference(), end="")
