"""`aimdvc check`."""

import importlib
from collections.abc import Iterator
from dataclasses import replace

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.output import described, say_error, shown_path
from aimdvc.errors import CheckFailed, UnknownArtifact, UsageError
from aimdvc.model.lock import Pin
from aimdvc.ops.check import Finding, check_local, check_lock
from aimdvc.ops.codepins import pins_at
from aimdvc.ops.lockfile import read_lock_file, read_pins

_OWN = "*"
_PATHS = 20


@command("check")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_name)
@click.option(
    "--remote",
    "remote",
    metavar="[REMOTE]",
    is_flag=False,
    flag_value=_OWN,
    default=None,
    help="Ask the remote whether it has all that is pinned; each artifact's own, or REMOTE.",
)
@click.option("--code", "revision", metavar="REV", help="Check the pins of a commit of the code, on the remote.")
def check_command(cli: Cli, names: tuple[str, ...], remote: str | None, revision: str | None) -> int:
    """Check that what is pinned is all there

    Asks no network: aimdvc.lock is readable and as aimdvc writes it, pins what is checked out, no artifact has
    uncommitted changes, and the blobs are in the store. What a partial checkout leaves out is not needed. With
    --remote: the remote has every pinned commit and all of its blobs; none travels, of each it is asked. --code takes
    the pins of a commit of the code repository, a branch or a tag, instead of those on disk.

    Exits with 1 and the list of what is wrong; with another code when it could not find out: 6 for the network, 7 for a
    missing key. Put NAMEs before --remote.

    \b
    Example:
      aimdvc check
      aimdvc check images --remote
    """
    if revision is not None and remote is None:
        raise click.UsageError("--code asks what a remote has: it goes with --remote")
    if remote is not None:
        return _remote(cli, names, None if remote == _OWN else remote, revision)
    pins, found = check_lock(read_lock_file(cli.workspace))
    if not any(one.kind == "unreadable" for one in found):
        found += check_local(cli.workspace, pins, cli.names(names, or_pinned=True))
    return _finish(cli, found, {}, "All that is pinned is here, and nothing is uncommitted")


def _remote(cli: Cli, names: tuple[str, ...], remote: str | None, revision: str | None) -> int:
    workspace = cli.workspace
    if remote is not None and remote not in workspace.settings.remotes and workspace.state.head(remote) is not None:
        raise UsageError(
            f"'{remote}' is an artifact, no remote", hint=f"names come first: `aimdvc check {remote} --remote`"
        )
    pins = pins_at(workspace, revision) if revision is not None else read_pins(workspace)
    # Loaded only when a remote is asked: it takes longer than all the rest of a command.
    network = importlib.import_module("aimdvc.cli.network")
    checking = importlib.import_module("aimdvc.ops.check_remote")
    with network.connector(cli) as connector:
        bulk = checking.check_remote(workspace, connector, _chosen(pins, names), remote, cli.progress)
    failed = [{"artifact": failure.artifact, **described(failure.error)} for failure in bulk.failed]
    found = [finding for one in bulk.done for finding in one.findings]
    value: dict[str, object] = {"artifacts": [replace(one, findings=[]) for one in bulk.done]}
    good = [f"{one.artifact}: {one.version} is whole on '{one.remote}'" for one in bulk.done if not one.findings]
    code = _finish(cli, found, value | ({"failed": failed} if failed else {}), *good)
    for failure in bulk.failed:
        say_error(f"{failure.artifact}: {failure.error.message}", failure.error.hint)
    # What is known to be lacking is an answer, whatever could not be asked.
    return code or (bulk.failed[0].error.exit_code if bulk.failed else 0)


def _chosen(pins: dict[str, Pin], names: tuple[str, ...]) -> dict[str, Pin]:
    for name in names:
        if name not in pins:
            raise UnknownArtifact(name, hint=f"pinned are: {', '.join(sorted(pins)) or 'none'}")
    return {name: pins[name] for name in names or pins}


def _finish(cli: Cli, found: list[Finding], value: dict[str, object], *good: str) -> int:
    lines = [*_lines(found)] if found else []
    cli.out.result({"is_good": not found, "findings": found, **value}, lines or good)
    return CheckFailed.exit_code if found else 0


def _lines(found: list[Finding]) -> Iterator[str]:
    for one in found:
        yield one.line
        for path in one.paths[:_PATHS]:
            yield f"    {shown_path(path)}"
        if len(one.paths) > _PATHS:
            yield f"    … and {len(one.paths) - _PATHS:,} more (`--json` lists all)"
