"""`aimdvc outdated` and `aimdvc upgrade`."""

import click

from aimdvc.cli.bulk import finish
from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name, complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.network import blob_fetcher, connector
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.model.names import check_remote_name
from aimdvc.model.selector import parse_selector
from aimdvc.ops.blobs import Means
from aimdvc.ops.outdated import Standing, outdated
from aimdvc.ops.upgrade import Upgraded, upgrade


@command("outdated")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_name)
@click.option("--remote", metavar="REMOTE", help="Ask this remote, instead of each artifact's own.")
@click.option("--exit-code", "with_exit_code", is_flag=True, help="Exit with 1 when a pin is not the newest version.")
def outdated_command(cli: Cli, names: tuple[str, ...], remote: str | None, with_exit_code: bool) -> int:
    """Show which pins are not the newest version

    Asks the remotes what their newest versions are, a round trip an artifact; brings nothing and moves nothing.
    `aimdvc upgrade` moves the pins.

    \b
    Example:
      aimdvc outdated
    """
    if remote is not None:
        check_remote_name(remote)
    with connector(cli) as connections:
        bulk = outdated(cli.workspace, connections, cli.names(names, or_pinned=True), remote)
    code = finish(cli, bulk, _standing, "No artifact is pinned")
    is_behind = any(one.state in ("outdated", "unknown") for one in bulk.done)
    return code or int(with_exit_code and is_behind)


def _standing(one: Standing) -> str:
    named = f" ({', '.join(one.pinned_aliases)})" if one.pinned_aliases else ""
    pinned = f"{one.artifact}: pinned {one.pinned}{named}"
    if one.state == "empty":
        return f"{pinned}; {one.remote} has no version yet: `aimdvc push {one.artifact}`"
    newest = f"{one.newest} on {one.remote}"
    if one.newest_aliases:
        newest += f" ({', '.join(one.newest_aliases)})"
    if one.state == "current":
        return f"{pinned}, the newest on {one.remote}"
    if one.state == "ahead":
        return f"{pinned}, not on {one.remote}, where {one.newest} is the newest: `aimdvc push {one.artifact}`"
    if one.state == "unknown":
        return f"{pinned}, {newest}; how they stand is not known here: `aimdvc fetch {one.artifact}`"
    further = f", {plural(one.behind, 'version')} further" if one.behind and one.behind > 0 else ""
    return f"{pinned}, {newest}{further}: `aimdvc upgrade {one.artifact}`"


@command("upgrade")
@click.argument("selectors", nargs=-1, metavar="[NAME[@REV]…]", shell_complete=complete_selector)
@click.option("-n", "--dry-run", "is_dry", is_flag=True, help="Fetch and tell what would change; move nothing.")
def upgrade_command(cli: Cli, selectors: tuple[str, ...], is_dry: bool) -> int:
    """Move pins to the newest version, or to a named one

    Fetches, then moves the workspace and aimdvc.lock; without NAME for all that is pinned. The newest version is the
    tip of the remote's main, or of the branch that is checked out. Nothing is merged: versions that were made here and
    that the newest one is without stop it, as local changes do that would be lost. An older REV goes back.

    \b
    Example:
      aimdvc upgrade --dry-run
      aimdvc upgrade images
    """
    wanted: dict[str, str | None] = {}
    for text in selectors:
        parsed = parse_selector(text)
        if parsed.name is None or parsed.path is not None:
            raise UsageError(f"selector '{text}': expected NAME or NAME@REV")
        if parsed.name in wanted:
            raise UsageError(f"artifact '{parsed.name}' is named twice")
        wanted[cli.names((parsed.name,), or_pinned=True)[0]] = parsed.revision
    with connector(cli) as connections:
        means = Means(blob_fetcher(connections), cli.progress)
        bulk = upgrade(cli.workspace, connections, wanted, means, is_dry)
    return finish(cli, bulk, lambda one: _upgraded(one, is_dry), "No artifact is pinned")


def _upgraded(one: Upgraded, is_dry: bool) -> str:
    if one.old == one.new and not one.is_moved:
        return f"{one.artifact}: at {one.new_version} already"
    moved = f"{one.artifact}: {one.old_version} → {one.new_version}, {one.changes.text}"
    if is_dry:
        return f"{moved} (not done: --dry-run)"
    return f"{moved}: {plural(one.written, 'file')} written, {one.deleted:,} deleted"
