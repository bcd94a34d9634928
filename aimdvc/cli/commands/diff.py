"""`aimdvc diff`."""

import importlib
import posixpath
from collections.abc import Iterable, Iterator

import click

from aimdvc.cli.codediff import markdown_lines, plain_lines
from aimdvc.cli.command import command, zero_option
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.codediff import CodeDiff, diff_code
from aimdvc.ops.diff import Diff, FileDiff, Sides, diff, sides_of
from aimdvc.store.state import Head

_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R"}


@command("diff", takes_paths=True)
@click.argument("selectors", nargs=-1, metavar="[A [B]]", shell_complete=complete_selector)
@click.option("--stat", "as_stat", is_flag=True, help="Counts and sizes by file.")
@click.option("--name-status", is_flag=True, help="A letter and the path by file.")
@click.option("--name-only", is_flag=True, help="The path alone by file.")
@click.option("--staged", "--cached", "is_staged", is_flag=True, help="Index from HEAD: what a commit would hold.")
@click.option("--code", "is_code", is_flag=True, help="A and B are commits of the code; B is else the lock on disk.")
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), help="With --code: how to print.")
@click.option("--fetch", "is_fetching", is_flag=True, help="With --code: bring histories that aren't here; no blobs.")
@zero_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something differs.")
def diff_command(
    cli: Cli,
    selectors: tuple[str, ...],
    as_stat: bool,
    name_status: bool,
    name_only: bool,
    is_staged: bool,
    is_code: bool,
    form: str | None,
    is_fetching: bool,
    is_zero: bool,
    exit_code: bool,
) -> int:
    """Show what differs between versions and workspace

    Workspace from index, workspace from version A, or version B from version A; with --staged, index from HEAD. Text is
    shown as a unified diff, whether it lies in Git or in blobs; all else by name, size and oid. Renames are found.
    After `--`, only the PATHs named. --name-only and --name-status print paths as `status -s` does, from the
    workspace's root.

    With --code A and B are commits, branches or tags of the code repository: which artifacts their aimdvc.lock files
    pin differently, the counts, sizes and the largest changes. --format markdown makes it a comment for a pull request.

    \b
    Example:
      aimdvc diff images@v2 images@v3 --stat
      aimdvc diff -- data/images/labels.csv
    """
    lines: Iterable[str]
    if is_code:
        if as_stat or name_status or name_only or is_staged or is_zero or cli.paths:
            raise UsageError("--code compares commits of the code", hint="give it only --format, --fetch, --exit-code")
        found_code = _code(cli, selectors, is_fetching)
        lines = markdown_lines(found_code) if form == "markdown" else plain_lines(found_code)
        cli.out.result({"old": found_code.old, "new": found_code.new, "artifacts": found_code.artifacts}, lines)
        return 1 if exit_code and found_code.artifacts else 0
    if form is not None or is_fetching:
        raise UsageError("--format and --fetch go with --code", hint="run `aimdvc diff --code REV1 REV2`")
    if len(selectors) > 2:
        raise UsageError("diff takes one or two versions", hint="paths come after `--`")
    if is_zero and not (name_status or name_only):
        raise UsageError("-z is for --name-status and --name-only", hint="add one of them")
    with_text = not (as_stat or name_status or name_only)
    found = [_one(cli, name, sides, with_text) for name, sides in _what(cli, selectors, is_staged)]
    if name_status or name_only:
        heads = [(one, cli.workspace.head(one.artifact)) for one in found]
        names = [_names(file, name_only, head) for one, head in heads for file in one.files]
        fields = [field for some in names for field in some]
        lines = ("\t".join(map(shown_path, some)) for some in names)
        cli.out.result({"artifacts": found}, lines, fields if is_zero else None)
    else:
        lines = (line for one in found for line in (_stat(one) if as_stat else text_lines(one)))
        cli.out.result({"artifacts": found}, lines)
    return 1 if exit_code and any(one.files for one in found) else 0


def _code(cli: Cli, revisions: tuple[str, ...], is_fetching: bool) -> CodeDiff:
    if not 1 <= len(revisions) <= 2:
        raise UsageError("diff --code takes one or two revisions of the code", hint="such as `diff --code main HEAD`")
    if is_fetching:
        # Loaded only when a history has to come from elsewhere: it takes longer than all the rest of a command.
        network = importlib.import_module("aimdvc.cli.network")
        histories = importlib.import_module("aimdvc.ops.codehistories")
        with network.connector(cli) as connector:
            histories.bring_histories(cli.workspace, connector, revisions, cli.progress)
    return diff_code(cli.workspace, revisions)


def _what(cli: Cli, selectors: tuple[str, ...], is_staged: bool) -> list[tuple[str, Sides]]:
    if not selectors:
        heads = [target.head for target in cli.targets(cli.paths)] if cli.paths else cli.workspace.state.heads()
        return [(name, Sides(None, None, is_staged)) for name in dict.fromkeys(head.name for head in heads)]
    name, first = cli.selector(selectors[0])
    if is_staged:
        if len(selectors) > 1 or first.revision is not None:
            raise UsageError("--staged compares the index with HEAD", hint=f"run `aimdvc diff --staged {name}`")
        return [(name, Sides(None, None, True))]
    parsed = [first]
    for text in selectors[1:]:
        other, selector = cli.selector(text)
        if selector.name is not None and other != name:
            raise UsageError(f"'{name}' and '{other}' are two artifacts", hint="give two versions of one")
        parsed.append(selector)
    return [(name, sides_of(parsed))]


def _one(cli: Cli, name: str, sides: Sides, with_text: bool) -> Diff:
    targets = [target for target in cli.targets(cli.paths) if target.head.name == name] if cli.paths else []
    return diff(cli.workspace, name, sides, targets, with_text, cli.means)


def _names(file: FileDiff, name_only: bool, head: Head) -> list[str]:
    inner = [file.old_path] if file.old_path is not None and not name_only else []
    paths = [head.path if head.is_file else posixpath.normpath(f"{head.path}/{path}") for path in (*inner, file.path)]
    return paths if name_only else [_LETTERS[file.kind], *paths]


def _stat(found: Diff) -> Iterator[str]:
    if not found.files:
        return
    yield f"{found.artifact}: {found.old} → {found.new}"
    for file in found.files:
        old = f"{shown_path(file.old_path)} → " if file.old_path is not None else ""
        yield f"  {_LETTERS[file.kind]} {old}{shown_path(file.path)}  {_sizes(file)}"
    counts = {kind: sum(1 for file in found.files if file.kind == kind) for kind in _LETTERS}
    change = sum((file.new_size or 0) - (file.old_size or 0) for file in found.files)
    parts = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    sign = "−" if change < 0 else "+"
    yield f"  {plural(len(found.files), 'file')}: {', '.join(parts)}; {sign}{size_text(abs(change))}"


def _sizes(file: FileDiff) -> str:
    old = size_text(file.old_size) if file.old_size is not None else ""
    new = size_text(file.new_size) if file.new_size is not None else ""
    return f"{old} → {new}" if old and new and old != new else new or old


def text_lines(found: Diff) -> Iterator[str]:
    """Yields the differences as Git prints them: headers, hunks of text, one line for all else."""
    for file in found.files:
        old, new = file.old_path or file.path, file.path
        yield f"diff {found.artifact} {shown_path('a/' + old)} {shown_path('b/' + new)}"
        if file.kind == "renamed":
            yield f"rename from {shown_path(old)}"
            yield f"rename to {shown_path(new)}"
        if file.lines:
            yield f"--- {'/dev/null' if file.kind == 'added' else shown_path('a/' + old)}"
            yield f"+++ {'/dev/null' if file.kind == 'deleted' else shown_path('b/' + new)}"
            for line in file.lines:
                yield from line.split("\n")
        elif file.lines is None:
            ids = f"{(file.old_id or '-')[:12]} → {(file.new_id or '-')[:12]}"
            yield f"{file.kind}: {_sizes(file)}, {ids}"
