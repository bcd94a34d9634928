"""`--include`, `--exclude` and `--all`: the part of an artifact that a command checks out."""

import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.model.patterns import WHOLE, Part, parse_part
from aimdvc.ops.unpinned import Unpinned

Function = Callable[..., Any]


def part_options(function: Function) -> Function:
    """Adds the options that choose a part; they come as `include`, `exclude`, for `part_of`."""
    options = (
        ("--exclude", "Leave these files out (can be repeated)."),
        ("--include", "Check out only these files: a pattern as in .gitignore (can be repeated)."),
    )
    for name, text in options:
        function = click.option(name, metavar="PATTERN", multiple=True, help=text)(function)
    return function


def all_option(function: Function) -> Function:
    """Adds `--all`, which ends a partial checkout; it comes as `is_all`."""
    made: Function = click.option("--all", "is_all", is_flag=True, help="Check out all files again.")(function)
    return made


def part_of(include: tuple[str, ...], exclude: tuple[str, ...], is_all: bool = False) -> Part | None:
    """Returns the part that was asked for; None when none was. Raises UsageError."""
    if not (include or exclude):
        return WHOLE if is_all else None
    if is_all:
        raise click.UsageError("--all checks out everything: it excludes --include and --exclude")
    return parse_part(include, exclude)


def absent_text(count: int) -> str:
    """Returns the end of a line that says what was done: how many files are not checked out."""
    return f", {count:,} not checked out" if count else ""


def note_unmatched(cli: Cli, artifact: str, patterns: Iterable[str]) -> None:
    """Says which patterns matched no file: most likely they were mistyped."""
    for pattern in patterns:
        cli.out.note(f"the pattern '{shown_path(pattern)}' matches no file of '{artifact}'")


def unpinned_line(one: Unpinned) -> str:
    """Returns the line for an artifact that the code doesn't pin any more."""
    if one.is_kept:
        return f"{one.artifact}: not pinned any more, and has local changes: it stays in '{shown_path(one.path)}'"
    back = f"`aimdvc checkout {one.artifact}@{one.version} --at {shlex.quote(one.path)}`"
    return f"{one.artifact}: not pinned any more: {plural(one.deleted, 'file')} deleted; {back} brings them back"


def part_line(part: Part, absent: int) -> Iterator[str]:
    """Yields the line of `status` about what is not checked out, if anything isn't."""
    if part.is_whole and not absent:
        return
    patterns = [f"--{kind} {shown_path(one)}" for kind in ("include", "exclude") for one in getattr(part, kind)]
    yield f"  partial: {' '.join([*patterns[:10], *['…'][: len(patterns) > 10]]) or 'no patterns'}" + (
        f": {plural(absent, 'file')} not checked out"
    )
