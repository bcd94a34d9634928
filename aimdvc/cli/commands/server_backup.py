"""`aimdvc server backup` and `aimdvc server restore`."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aimdvc.cli.administration import database_option, new_site, opened_site, source_site
from aimdvc.cli.command import command
from aimdvc.cli.commands.server_check import damage_lines
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import IntegrityError
from aimdvc.model.sizes import size_text

with suppress(ModuleNotFoundError):  # Without the extra `aimdvc[server]` opening a site says so.
    from aimdvc.server.backup import Kept, backup, restore, restore_lost
    from aimdvc.server.verify import verify

if TYPE_CHECKING:
    from aimdvc.server.bytecopy import Copied
    from aimdvc.server.site import Site


@command("server backup")
@click.argument("destination", metavar="DEST")
@database_option
def server_backup_command(cli: Cli, destination: str, database: str | None) -> int:
    """Copy all that a server keeps, while it runs

    Of the server that is kept in the current directory, into the directory DEST: everything as it stands at one moment,
    however much is pushed meanwhile. Run again, it brings DEST up to date, and copies only what is new; cut, it is
    finished by running it again, and the last backup stays good. DEST is a server's directory: `aimdvc serve DEST`
    serves it. It holds the secret that signs hrefs, and hashes of keys: nobody else may read it.

    Every blob and git pack that is copied is hashed. What is damaged is named, and the rest goes on; then it exits
    with 3.

    \b
    Example:
      aimdvc server backup /srv/aimd-backup -C /srv/aimd
    """
    place = cli.here / Path(destination)
    with opened_site(cli, database) as site:
        done = backup(_kept(site), place, cli.disk, cli.progress)
    cli.out.result(_value(done), _lines(done, "Copied", f" to '{place}'"))
    return IntegrityError.exit_code if done.damage else 0


@command("server restore")
@click.argument("source", metavar="SOURCE")
@click.option("--lost", is_flag=True, help="Into a server in use: only blobs that it has lost.")
@database_option
@click.option("--storage", metavar="URL", envvar="AIMDVC_STORAGE", help="The new server's bucket, as `serve` has it.")
def server_restore_command(cli: Cli, source: str, lost: bool, database: str | None, storage: str | None) -> int:
    """Make a server of a backup, in an empty directory

    In the current directory, and in the database and the bucket that are given: they need not be of the kind that the
    backup is from. A server with artifacts, or users beside its first, is left alone. Cut, it is finished by running it
    again, and can't be served before. Users, keys, shares, refs and the audit log are as they were. Then all of it is
    checked, as by `aimdvc server verify`.

    With --lost a server that is in use gets the blobs that it names and has no longer, as after `aimdvc server scrub`
    has set some aside, and nothing else changes.

    \b
    Example:
      mkdir /srv/aimd-new
      aimdvc server restore /srv/aimd-backup -C /srv/aimd-new
      aimdvc server restore /srv/aimd-backup --lost -C /srv/aimd
    """
    if lost:
        with source_site(cli, source) as backed, opened_site(cli, database) as site:
            done = restore_lost(_kept(backed), _kept(site), cli.progress)
    else:
        with source_site(cli, source) as backed, new_site(cli, database, storage) as site:
            done = restore(_kept(backed), _kept(site), cli.progress)
            known = {(one.artifact, one.what) for one in done.damage}
            found = verify(_kept(site), False, cli.progress).damage
            done.damage += (one for one in found if (one.artifact, one.what) not in known)
    where = f" from '{cli.here / source}'"
    cli.out.result(_value(done), _lost_lines(done, where) if lost else _lines(done, "Restored", where))
    return IntegrityError.exit_code if done.damage else 0


def _kept(site: "Site") -> "Kept":
    return Kept(site.database, site.storage)


def _value(done: "Copied") -> dict[str, object]:
    return {
        "artifacts": done.artifacts,
        "packs": done.packs,
        "blobs": done.blobs,
        "size": done.size,
        "damage": done.damage,
    }


def _lost_lines(done: "Copied", where: str) -> Iterator[str]:
    yield from damage_lines(done.damage)
    yield f"Got back {plural(done.blobs, 'blob')}, {size_text(done.size)},{where}"


def _lines(done: "Copied", verb: str, where: str) -> Iterator[str]:
    yield from damage_lines(done.damage)
    copied = f"{plural(done.blobs, 'blob')} and {plural(done.packs, 'git pack')}, {size_text(done.size)},"
    yield f"{verb} {plural(done.artifacts, 'artifact')}: {copied} new{where}"
