"""`aimdvc server verify` and `aimdvc server scrub`."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from aimdvc.cli.administration import database_option, opened_site
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import IntegrityError, UsageError
from aimdvc.model.sizes import parse_size, size_text

with suppress(ModuleNotFoundError):  # Without the extra `aimdvc[server]` opening a site says so.
    from aimdvc.server.backup import Kept
    from aimdvc.server.scrub import Pace, scrub
    from aimdvc.server.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimdvc.server.bytecopy import Damage
    from aimdvc.server.scrub import Scrubbed
    from aimdvc.server.verify import Verified

HEALING = {
    "blob": "a lost blob comes back from whoever has it, by `aimdvc push --restore` or `git lfs push --all`,"
    " or from a backup, by `aimdvc server restore --lost`",
    "git": "git packs and objects come from the last backup; `aimdvc push --restore` brings it what it lacks",
}
"""What to do about what is damaged, by the first word that it is called by."""


@command("server verify")
@click.option("--data", "with_data", is_flag=True, help="Read and hash every blob, too; set damaged ones aside.")
@database_option
def server_verify_command(cli: Cli, with_data: bool, database: str | None) -> int:
    """Check that all is there that a server's rows name

    Of the server that is kept in the current directory, while it runs or not: the database; the audit log; every git
    pack, whole; that each ref leads to what is there; that each blob which a version names is owned and stored, at its
    size. With --data blobs are read and hashed, too, and one that is damaged is set aside, so that the next client that
    has it can send it again. What is wrong is listed by artifact, and it exits with 3.

    \b
    Example:
      aimdvc server verify -C /srv/aimd
      aimdvc server verify --data -C /srv/aimd
    """
    with opened_site(cli, database) as site:
        done = verify(Kept(site.database, site.storage), with_data, cli.progress)
    value = {
        "is_whole": not done.damage,
        "artifacts": done.artifacts,
        "refs": done.refs,
        "objects": done.objects,
        "blobs": done.blobs,
        "size": done.size,
        "entries": done.entries,
        "damage": done.damage,
    }
    cli.out.result(value, _verified(done))
    return IntegrityError.exit_code if done.damage else 0


@command("server scrub")
@click.option("--rate", metavar="SIZE", default="50M", show_default=True, help="Read at most so much in a second.")
@click.option("--limit", metavar="SIZE", help="Stop after so much; else when all was read.")
@database_option
def server_scrub_command(cli: Cli, rate: str, limit: str | None, database: str | None) -> int:
    """Read and hash stored blobs, and set damaged ones aside

    Of the server that is kept in the current directory, while it runs: run it from a timer. It begins where the last
    run stopped, and anew when all was read. A damaged blob is set aside and never served; it counts as missing, so the
    next client that has it sends it again: by `aimdvc push --restore`, or `git lfs push --all`. It is named with the
    artifacts that own it, and noted in the audit log; then it exits with 3.

    \b
    Example:
      aimdvc server scrub --rate 20M --limit 100G -C /srv/aimd
    """
    most = parse_size(limit) if limit is not None else None
    pace = parse_size(rate)
    if not pace:
        raise UsageError("--rate is 0, expected some bytes a second")
    with opened_site(cli, database) as site:
        done = scrub(Kept(site.database, site.storage), Pace(pace), most, cli.progress)
    value = {"blobs": done.blobs, "size": done.size, "is_complete": done.is_complete, "damage": done.damage}
    cli.out.result(value, _scrubbed(done))
    return IntegrityError.exit_code if done.damage else 0


def _scrubbed(done: "Scrubbed") -> Iterator[str]:
    yield from damage_lines(done.damage)
    rest = "all were read" if done.is_complete else "the next run goes on here"
    yield f"Read {plural(done.blobs, 'blob')}, {size_text(done.size)}; {rest}"


def damage_lines(damage: "Sequence[Damage]") -> Iterator[str]:
    """Yields what is wrong, a line each, and what to do about it."""
    for one in damage:
        yield f"damaged: {f'{one.artifact}: ' if one.artifact else ''}{one.what}: {one.reason}"
    kinds = {one.what.partition(" ")[0] for one in damage}
    yield from (line for kind, line in HEALING.items() if kind in kinds)


def _verified(done: "Verified") -> Iterator[str]:
    yield from damage_lines(done.damage)
    read = f", {size_text(done.size)} read" if done.size else ""
    yield (
        f"{plural(done.artifacts, 'artifact')}, {plural(done.refs, 'ref')}, {plural(done.objects, 'git object')},"
        f" {plural(done.blobs, 'blob')}{read}: "
        + (f"{plural(len(done.damage), 'thing')} damaged" if done.damage else "all whole")
    )
