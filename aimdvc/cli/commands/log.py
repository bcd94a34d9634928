"""`aimdvc log` and `aimdvc show`."""

from collections.abc import Iterator

import click

from aimdvc.cli.command import command
from aimdvc.cli.commands.diff import text_lines
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import date_text, plural, shown_path
from aimdvc.model.sizes import size_text
from aimdvc.ops.diff import Diff, Sides, diff
from aimdvc.ops.log import Logged, LoggedChange, log

_SIGNS = {"added": "+", "modified": "~", "deleted": "−", "renamed": "→"}


@command("log", takes_paths=True)
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
@click.option("--oneline", is_flag=True, help="One line a version.")
@click.option("-n", "limit", type=click.IntRange(min=0), metavar="N", help="At most N versions.")
@click.option("--stat", "with_changes", is_flag=True, help="With the files that each version changed.")
@click.option("-p", "--patch", "with_text", is_flag=True, help="With what each version changed, as `show` has it.")
def log_command(
    cli: Cli, selector: str | None, oneline: bool, limit: int | None, with_changes: bool, with_text: bool
) -> None:
    """List the versions of an artifact, newest first

    After `--`, only those that changed a PATH. A version that no server has numbered yet is shown with a question mark:
    v4?.

    \b
    Example:
      aimdvc log --oneline images@production -- data/images/train
    """
    name, parsed = cli.selector(selector)
    ends: list[Logged] = []
    paths = cli.inner_paths(name)
    if with_text and cli.as_json:
        raise click.UsageError("-p is for reading: `aimdvc diff --json` has the changes")

    def text(entry: Logged) -> Iterator[str]:
        yield from _one(entry) if oneline else _many(entry)
        if with_text:
            yield from _text(cli, name, entry)
            yield ""

    def versions() -> Iterator[Logged]:
        for entry in log(cli.workspace, parsed, name, limit, paths, with_changes or with_text):
            if entry.is_boundary:
                ends.append(entry)
            yield entry

    if cli.as_json:
        cli.out.result({"artifact": name, "versions": list(versions())}, [])
    else:
        cli.out.result({}, (line for entry in versions() for line in text(entry)))
    if ends:
        cli.out.note(f"older versions are not here, the history is shallow: `aimdvc fetch --unshallow {name}`")


@command("show")
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
def show_command(cli: Cli, selector: str | None) -> None:
    """Show one version and what it changed

    Who, when and why, and the changes of text as a unified diff.

    \b
    Example:
      aimdvc show images@v3
    """
    name, parsed = cli.selector(selector, "run `aimdvc cat NAME@REV:PATH`")
    workspace = cli.workspace
    found = list(log(workspace, parsed, name, 1, [], True))
    if not found:
        cli.out.result({"artifact": name, "version": None}, [f"Artifact '{name}' has no version yet"])
        return
    entry = found[0]
    changed = _diff(cli, name, entry)
    lines = [*_many(entry), *(text_lines(changed) if changed else ())]
    cli.out.result({"artifact": name, "version": entry, "diff": changed}, lines)


def _diff(cli: Cli, name: str, entry: Logged) -> Diff | None:
    """Returns what a version changed from its first parent, of the paths after `--`; None for the first version."""
    if not entry.commit.parents:
        return None
    sides = Sides(entry.commit.parents[0], entry.commit.id)
    return diff(cli.workspace, name, sides, cli.targets(cli.paths), True, cli.means)


def _text(cli: Cli, name: str, entry: Logged) -> Iterator[str]:
    changed = _diff(cli, name, entry)
    if changed is not None:
        yield from text_lines(changed)


def _one(entry: Logged) -> Iterator[str]:
    version = "-" if entry.commit.id.startswith(entry.version) else entry.version
    yield f"{version:<5} {entry.commit.id[:12]} {_decoration(entry)}{entry.commit.subject}"
    yield from _changes(entry.changes)


def _many(entry: Logged) -> Iterator[str]:
    commit = entry.commit
    yield f"version {entry.version} {_decoration(entry)}".rstrip()
    yield f"commit  {commit.id}"
    if len(commit.parents) > 1:
        yield f"merge   {' '.join(parent[:12] for parent in commit.parents)}"
    yield f"author  {commit.author.name} <{commit.author.email}>"
    yield f"date    {date_text(commit.author)}"
    yield ""
    for line in commit.message.rstrip("\n").split("\n"):
        yield f"    {line}"
    yield ""
    if entry.changes:
        yield from _changes(entry.changes)
        yield ""


def _decoration(entry: Logged) -> str:
    names = (["HEAD"] if entry.is_head else []) + entry.aliases
    return f"({', '.join(names)}) " if names else ""


def _changes(changes: list[LoggedChange]) -> Iterator[str]:
    for change in changes[:200]:
        size = f" ({size_text(change.size)})" if change.size is not None else ""
        old = f"{shown_path(change.old_path)} → " if change.old_path is not None else ""
        yield f"  {_SIGNS[change.kind]} {old}{shown_path(change.path)}{size}"
    if len(changes) > 200:
        yield f"  … and {len(changes) - 200:,} more"
    if changes:
        yield f"  {plural(len(changes), 'file')} changed"
