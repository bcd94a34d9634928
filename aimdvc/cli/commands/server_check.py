"""`aimdvc server verify`."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from aimdvc.cli.administration import database_option, opened_site
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import IntegrityError
from aimdvc.model.sizes import size_text

with suppress(ModuleNotFoundError):  # Without the extra `aimdvc[server]` opening a site says so.
    from aimdvc.server.backup import Kept
    from aimdvc.server.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aimdvc.server.bytecopy import Damage
    from aimdvc.server.verify import Verified

HEALING = {
    "blob": "a blob is healed by whoever has it, by `aimdvc push --restore` or `git lfs push --all`",
    "git": "git packs and objects come from the last backup; `aimdvc push --restore` brings it what it lacks",
}
"""What to do about what is damaged, by the first word that it is called by."""


@command("server verify")
@click.option("--data", "with_data", is_flag=True, help="Read and hash every blob, too; set damaged ones aside.")
@database_option
def server_verify_command(cli: Cli, with_data: bool, database: str | None) -> int:
    """Check that all is there that a server's refs and rows name

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
