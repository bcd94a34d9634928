"""`aimdvc maintenance`."""

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.ops.maintain import maintain


@command("maintenance")
def maintenance_command(cli: Cli) -> None:
    """Join small packs and loose objects of the store

    What `commit`, `fetch` and `pull` do by themselves when there are many. Nothing is lost, and others may go on
    working meanwhile. It frees no blob: that is for `aimdvc prune`.

    \b
    Example:
      aimdvc maintenance
    """
    done = maintain(cli.workspace)
    cli.out.result(
        {"joined": done},
        [
            f"Joined {plural(done.git_packs, 'git pack')}, {plural(done.loose_objects, 'loose object')},"
            f" {plural(done.loose_refs, 'loose ref')}, {plural(done.blob_packs, 'blob pack')}"
        ],
    )
