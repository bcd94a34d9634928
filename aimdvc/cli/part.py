"""`--include`, `--exclude` and `--all`: the part of an artifact that a command checks out."""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
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


def named_parts(
    known: Collection[str], include: tuple[str, ...], exclude: tuple[str, ...]
) -> dict[str, Part | None] | None:
    """Returns the artifacts that `NAME` and `NAME:PATTERN` ask for, and the part of each; None where nothing names one.

    A part is None for all that was checked out of an artifact before, else for all of it. Raises UsageError.
    """
    pairs = [[_split(known, text) for text in texts] for texts in (include, exclude)]
    if not any(name for texts in pairs for name, _ in texts):
        return None
    for name, pattern in pairs[0] + pairs[1]:
        if name is None:
            raise click.UsageError(f"'{pattern}' is for no artifact, as others are: write NAME:PATTERN")
    for name, pattern in pairs[1]:
        if pattern is None:
            raise click.UsageError(f"--exclude {name} leaves no pattern: write {name}:PATTERN")
    found: dict[str, Part | None] = {}
    for name in dict.fromkeys(str(name) for name, _ in pairs[0]) or sorted(known):
        patterns = [tuple(pattern for one, pattern in texts if one == name and pattern) for texts in pairs]
        if any(one == name and pattern is None for one, pattern in pairs[0]):
            patterns[0] = ()
        found[name] = parse_part(*patterns) if any(patterns) else None
    stray = [name for name, _ in pairs[1] if name not in found]
    if stray:
        raise click.UsageError(f"--exclude names '{stray[0]}', and --include doesn't")
    return found


def _split(known: Collection[str], text: str) -> tuple[str | None, str | None]:
    """Returns the artifact and the pattern that an option's value means, None for what it leaves out."""
    name, colon, pattern = text.partition(":")
    if name not in known or (colon and not pattern):
        return None, text
    return name, pattern if colon else None


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
