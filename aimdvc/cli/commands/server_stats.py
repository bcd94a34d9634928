"""`aimdvc server stats`."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from aimdvc.cli.administration import database_option, opened_site
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.model.sizes import size_text

with suppress(ModuleNotFoundError):  # Without the extra `aimdvc[server]` opening a site says so.
    from aimdvc.server.stats import read_stats, read_stored

if TYPE_CHECKING:
    from aimdvc.server.stats import Part, Stats, Stored


@command("server stats")
@click.argument("folder", metavar="[FOLDER]", default="")
@database_option
def server_stats_command(cli: Cli, folder: str, database: str | None) -> None:
    """Show how much a server holds, by folder

    Of the server that is kept in the current directory: its users, artifacts, versions and blobs; what they take in the
    storage, where each blob lies once whoever owns it; what each root holds, or each entry of FOLDER; and the largest
    artifacts there.

    \b
    Example:
      aimdvc server stats -C /srv/aimd
      aimdvc server stats team -C /srv/aimd
    """
    with opened_site(cli, database) as site:
        stats, stored = read_stats(site.database, folder), read_stored(site.storage)
    cli.out.result({"stats": stats, "stored": stored}, _lines(stats, stored))


def _lines(stats: "Stats", stored: "Stored") -> Iterator[str]:
    yield f"{plural(stats.users, 'user')}, {plural(stats.groups, 'group')}, {plural(stats.keys, 'key')}"
    what = f"{plural(stats.artifacts, 'artifact')} in {plural(stats.folders, 'folder')}"
    yield f"{what}, {plural(stats.versions, 'version')}"
    yield f"{plural(stats.blobs, 'blob')} owned, {size_text(stats.size)}; {stats.different:,} different"
    packs = f"{plural(stored.packs, 'git pack')}, {size_text(stored.packs_size)}"
    yield f"stored: {size_text(stored.size)} of blobs, {packs}; trash {size_text(stored.trash)}"
    for title, parts in (("folders", stats.by_folder), ("largest artifacts", stats.largest)):
        if parts:
            yield f"{title}:"
            yield from map(_line, parts)


def _line(part: "Part") -> str:
    of_it = f"{plural(part.artifacts, 'artifact')}, {plural(part.versions, 'version')}, {plural(part.blobs, 'blob')}"
    return f"  {part.path}  {size_text(part.size)}  {of_it}"
