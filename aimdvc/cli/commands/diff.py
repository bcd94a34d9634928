"""`aimdvc diff`."""

import posixpath
from collections.abc import Iterable, Iterator

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.diff import Diff, FileDiff, Sides, diff, sides_of
from aimdvc.store.state import Head

_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "renamed": "R"}


@command("diff", takes_paths=True)
@click.argument("selectors", nargs=-1, metavar="[A [B]]", shell_complete=complete_selector)
@click.option("--stat", "as_stat", is_flag=True, help="Counts and sizes by file.")
@click.option("--name-status", is_flag=True, help="A letter and the path by file.")
@click.option("--name-only", is_flag=True, help="The path alone by file.")
@click.option("--staged", "--cached", "is_staged", is_flag=True, help="Index from HEAD: what a commit would hold.")
@zero_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something differs.")
def diff_command(
    cli: Cli,
    selectors: tuple[str, ...],
    as_stat: bool,
    name_status: bool,
    name_only: bool,
    is_staged: bool,
    is_zero: bool,
    exit_code: bool,
) -> int:
    """Show what differs between versions and workspace

    Workspace from index, workspace from version A, or version B from version A; with --staged, index from HEAD. Text is
    shown as a unified diff, whether it lies in Git or in blobs; all else by name, size and oid. Renames are found.
    After `--`, only the PATHs named. --name-only and --name-status print paths as `status -s` does, from the
    workspace's root.

    \b
    Example:
      aimdvc diff images@v2 images@v3 --stat
      aimdvc diff -- data/images/labels.csv
    """
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
        lines: Iterable[str] = ("\t".join(map(shown_path, some)) for some in names)
        cli.out.result({"artifacts": found}, lines, fields if is_zero else None)
    else:
        lines = (line for one in found for line in (_stat(one) if as_stat else text_lines(one)))
        cli.out.result({"artifacts": found}, lines)
    return 1 if exit_code and any(one.files for one in found) else 0


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
