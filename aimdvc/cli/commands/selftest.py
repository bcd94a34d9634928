"""`aimdvc selftest`."""

from pathlib import Path

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.errors import CheckFailed
from aimdvc.ops.selftest import try_durability


@command("selftest")
@click.option("--durability", "place", metavar="DIR", required=True, help="The directory to try.")
def selftest_command(cli: Cli, place: str) -> int:
    """Try whether a file system keeps what aimdvc promises

    Locks, renames, links, names, time stamps, holes and syncs are tried in a new directory in DIR, and processes that
    store blobs are killed. `failed` breaks a promise, and exits with 1; a `note` is worth knowing. A disk that says
    "durable" too early can't be found this way. Takes some seconds, and leaves nothing behind.

    \b
    Example:
      aimdvc selftest --durability .
    """
    tested = try_durability(cli.here / Path(place).expanduser(), cli.disk)
    width = max(len(one.name) for one in tested.probes)
    lines = [f"{one.name:{width}}  {one.outcome:6}  {one.detail}" for one in tested.probes]
    verdict = "safe" if tested.is_safe else "not safe"
    value = {"directory": tested.directory, "is_safe": tested.is_safe, "probes": tested.probes}
    cli.out.result(value, [*lines, f"'{tested.directory}' is {verdict} for aimdvc"])
    return 0 if tested.is_safe else CheckFailed.exit_code
