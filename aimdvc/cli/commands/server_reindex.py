"""`aimdvc server reindex`."""

from aimdvc.cli.administration import database_option, opened_site, reindex, reindex_versions
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural


@command("server reindex")
@database_option
def server_reindex_command(cli: Cli, database: str | None) -> None:
    """Make what was pushed to an older server searchable

    Of the server that is kept in the current directory, while it runs or not: reads what the newest version of each
    artifact says of it, where that isn't kept yet, and what each version says that made it. Each push does that by
    itself.

    \b
    Example:
      aimdvc server reindex -C /srv/aimd
    """
    with opened_site(cli, database) as site:
        done = reindex(site.database, site.storage)
        made = reindex_versions(site.database, site.storage)
    lines = [
        f"Read what {plural(done, 'artifact')} {'says' if done == 1 else 'say'}",
        f"Read what made {plural(made, 'version')}",
    ]
    cli.out.result({"artifacts": done, "versions": made}, lines)
