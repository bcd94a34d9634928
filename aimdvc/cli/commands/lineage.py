"""`aimdvc lineage`."""

from collections.abc import Iterator

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.network import connector
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.model.oid import GitId
from aimdvc.ops.lineage import DOWN, UP, Lineage, Wish, lineage
from aimdvc.ops.revisions import resolve
from aimdvc.ops.settle import settle
from aimdvc.ops.told_lineage import Version

_SHOWN = 12
_LABEL = 60


@command("lineage")
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
@click.option("--up", "is_up", is_flag=True, help="What it was made from; the default.")
@click.option("--down", "is_down", is_flag=True, help="What was made from it.")
@click.option("--depth", type=click.IntRange(0, 100), default=10, show_default=True, help="How many steps to go.")
@click.option("--local", "is_local", is_flag=True, help="Ask no server: by what is here alone.")
@click.option("--dot", "is_dot", is_flag=True, help="Print a graph for Graphviz.")
def lineage_command(
    cli: Cli, selector: str | None, is_up: bool, is_down: bool, depth: int, is_local: bool, is_dot: bool
) -> None:
    """Show what made a version, or what was made from it

    Its code, command, trial and inputs, and what made these; `+dirty` says that files of the code were changed. By the
    versions of the workspace's artifacts and, where it can be reached, by the artifact's server, which knows of others.
    What isn't known is said. `aimdvc help made-by` tells more, and what `--json` prints.

    \b
    Example:
      aimdvc lineage images@v3
      aimdvc lineage images@v3 --down --dot
    """
    if is_up and is_down:
        raise UsageError("--up and --down are two questions", hint="run it twice, once with each")
    if is_dot and cli.as_json:
        raise UsageError("--dot and --json are two forms", hint="leave one out")
    name, parsed = cli.selector(selector, "a whole version is meant: leave the path out")
    workspace = cli.workspace
    head = settle(workspace, name)
    if head.commit is None and parsed.revision is None:
        raise UsageError(f"artifact '{name}' has no version yet", hint='run `aimdvc commit -m "MESSAGE"` first')
    commit = resolve(workspace, head, parsed.revision or "HEAD")
    with connector(cli) as connections:
        session = None if is_local else connections.session
        found = lineage(workspace, head, Wish(commit, DOWN if is_down else UP, depth, session))
    _print(cli, found, is_dot)
    for one in found.not_asked:
        cli.out.note(f"{one.origin} could not be asked: {one.why}")
    if not found.is_whole:
        cli.out.note("there is more: give a greater --depth, or ask from the last versions")


def _print(cli: Cli, found: Lineage, is_dot: bool) -> None:
    unknown = [{"name": edge.name, "commit": edge.input} for edge in found.unknown()]
    told = {
        "artifact": found.artifact,
        "commit": found.commit,
        "direction": found.direction,
        "versions": list(found.versions.values()),
        "edges": list(found.edges.values()),
        "unknown": unknown,
        "not_asked": found.not_asked,
        "is_whole": found.is_whole,
    }
    cli.out.result(told, _dot(found) if is_dot else _tree(found))


def _tree(found: Lineage) -> Iterator[str]:
    """Yields the lines of a tree; a version that is met again is named alone."""
    is_up = found.direction == UP
    following: dict[GitId, list[tuple[GitId, str | None]]] = {}
    for edge in found.edges.values():
        here, there = (edge.output, edge.input) if is_up else (edge.input, edge.output)
        following.setdefault(here, []).append((there, edge.name))
    if found.commit not in following:
        yield from _version(found.versions[found.commit], 0)
        yield "No inputs are known" if is_up else "Nothing is known that was made from it"
        return
    seen: set[GitId] = set()
    pending: list[tuple[GitId, str | None, int]] = [(found.commit, None, 0)]
    while pending:
        commit, name, depth = pending.pop()
        version = found.versions.get(commit)
        if version is None:
            yield f"{'  ' * depth}{name or 'a version'} {commit[:_SHOWN]}: nothing more is known of it"
        elif commit in seen:
            yield f"{_title(version, depth)}: see above"
        else:
            seen.add(commit)
            yield from _version(version, depth)
            pending += [(other, called, depth + 1) for other, called in reversed(following.get(commit, []))]
    yield f"{plural(len(found.versions) - 1, 'version')} {'it was made from' if is_up else 'made from it'}"


def _title(version: Version, depth: int) -> str:
    number = f" {version.version}" if version.version else ""
    return f"{'  ' * depth}{version.artifact}{number} {version.commit[:_SHOWN]}"


def _version(version: Version, depth: int) -> Iterator[str]:
    yield _title(version, depth)
    indent = "  " * depth + "    "
    if version.command:
        yield f"{indent}command {version.command}"
    if version.code:
        yield f"{indent}code    {version.code}"
    if version.trial is not None:
        folder = f"{version.trial.folder}/" if version.trial.folder else ""
        yield f"{indent}trial   " + (f"{folder}{version.trial.name} " if version.trial.name else "") + version.trial.id


def _dot(found: Lineage) -> Iterator[str]:
    """Yields a graph in Graphviz's language, https://graphviz.org/doc/info/lang.html: from input to output."""
    yield "digraph lineage {"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for version in found.versions.values():
        command = version.command or ""
        lines = [_title(version, 0), command if len(command) <= _LABEL else f"{command[: _LABEL - 1]}…"]
        yield f'  "{version.commit}" [label={_dot_text([line for line in lines if line])}];'
    for edge in found.unknown():
        lines = [edge.name or "", edge.input[:_SHOWN]]
        yield f'  "{edge.input}" [label={_dot_text([line for line in lines if line])}, style=dashed];'
    for edge in found.edges.values():
        yield f'  "{edge.input}" -> "{edge.output}";'
    yield "}"


def _dot_text(lines: list[str]) -> str:
    """Returns lines as a string of that language, in which a backslash and a quote mean something."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
