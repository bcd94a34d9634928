"""`aimdvc fetch` and `aimdvc pull`."""

import click

from aimdvc.cli.bulk import finish
from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.depth import depth_option
from aimdvc.cli.network import blob_fetcher, connector
from aimdvc.cli.output import plural
from aimdvc.cli.part import all_option, named_parts, note_unmatched, part_of, part_options
from aimdvc.ops.blobs import Means
from aimdvc.ops.depth import WHOLE, Depth
from aimdvc.ops.fetch import Fetched, FetchOptions, fetch
from aimdvc.ops.join import Favor
from aimdvc.ops.lockfile import read_pins
from aimdvc.ops.pull import Pulled, PullOptions, pull


@command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_name)
@click.option("--refetch", is_flag=True, help="Bring all git objects anew: heals what fsck finds missing or damaged.")
@click.option("--force", is_flag=True, help="Follow a remote that went back.")
@depth_option
@click.option("--unshallow", is_flag=True, help="Bring the versions that a shallow history lacks, and all branches.")
def fetch_command(
    cli: Cli, names: tuple[str, ...], refetch: bool, force: bool, depth: int | None, unshallow: bool
) -> int:
    """Bring a remote's versions and aliases here

    Files, branches and pins stay as they are. A remote that lost versions which it had, as after a restore from an
    older backup, is not followed: that exits with 5. `aimdvc push --restore` pushes them again; `--force` follows it,
    and then the versions that it lost are unpublished here. A shallow history (`aimdvc help partial`) stays so until
    --unshallow; --depth makes it deeper, and never cuts one that is here.

    \b
    Example:
      aimdvc fetch images
      aimdvc fetch --unshallow images
    """
    if depth is not None and unshallow:
        raise click.UsageError("--unshallow brings all versions: it excludes --depth")
    wanted = WHOLE if unshallow else Depth(depth) if depth is not None else None
    options = FetchOptions(refetch, force, wanted)
    with connector(cli) as connections:
        bulk = fetch(cli.workspace, connections, cli.names(names, or_pinned=True), options, cli.progress)
    for one in bulk.done:
        for alias in one.diverged_aliases:
            cli.out.note(f"alias '{alias}' moved on the remote and here: `aimdvc alias set` decides")
    return finish(cli, bulk, _fetched)


def _fetched(one: Fetched) -> str:
    news = []
    if one.versions:
        news.append(f"new {', '.join(one.versions[-10:])}")
    if one.aliases:
        news.append(f"moved {', '.join(one.aliases)}")
    if not news and one.old != one.new:
        news.append("main moved")
    return f"{one.artifact}: {'; '.join(news) or 'nothing new'}"


@command("pull")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=complete_name)
@click.option("--ours", "favor", flag_value="ours", help="Settle paths that both sides changed with what is here.")
@click.option("--theirs", "favor", flag_value="theirs", help="Settle paths that both sides changed with the remote's.")
@click.option("--rebase", is_flag=True, help="Make local commits anew on the remote's tip, instead of a merge.")
@depth_option
@part_options
@all_option
def pull_command(
    cli: Cli,
    names: tuple[str, ...],
    favor: Favor | None,
    rebase: bool,
    depth: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    is_all: bool,
) -> int:
    """Fetch, then bring the files up to date

    After a `git clone` or `git pull` that changed aimdvc.lock, bring what it pins, no more. Else fast-forward the
    current branch to the remote's same branch, or merge by path. Where both sides changed one path it stops as `merge`
    does: --ours, --theirs, or `aimdvc merge` afterwards, settle it. Local changes that would be lost stop it, too.
    --rebase changes nothing when there is a conflict; it refuses to make anew what is published, or pinned by a commit
    of the code. --include and --exclude bring only a part of one artifact's files, from now on; without NAME they
    may name artifacts, as `NAME`, which brings no others, or `NAME:PATTERN`. --depth brings only the newest versions of
    a history that is not here yet (`aimdvc help partial`).

    \b
    Example:
      aimdvc pull
      aimdvc pull --theirs images
      aimdvc pull images --include 'train/**'
      aimdvc pull --include 'images:train/**'
    """
    if rebase and favor:
        raise click.UsageError("--rebase settles no conflicts: it excludes --ours and --theirs")
    known = {*read_pins(cli.workspace), *(head.name for head in cli.workspace.state.heads())}
    parts = None if names else named_parts(known, include, exclude)
    part = part_of(include, exclude, is_all) if parts is None or is_all else None
    wanted = list(parts) if parts is not None else cli.names(names, or_pinned=True)
    if part is not None and not names:
        wanted = [cli.selector(None)[0]]
    with connector(cli) as connections:
        means = Means(blob_fetcher(connections), cli.progress)
        bulk = pull(cli.workspace, connections, wanted, PullOptions(favor, rebase, part, depth, parts or {}), means)
    for one in bulk.done:
        note_unmatched(cli, one.artifact, one.unmatched)
    return finish(cli, bulk, _pulled, "No artifacts here, and none pinned")


def _pulled(one: Pulled) -> str:
    if one.how == "up-to-date":
        files = (
            f": {plural(one.written, 'file')} written, {one.deleted:,} deleted" if one.written or one.deleted else ""
        )
        return f"{one.artifact}: up to date" + (f" at {one.version}" if one.version else "") + files
    if one.how == "unpinned":
        files = plural(one.deleted, "file")
        return f"{one.artifact}: not pinned any more: {files} deleted; the store keeps {one.version}"
    if one.how == "local":
        return f"{one.artifact}: fetched; the remote doesn't have this branch: `aimdvc push {one.artifact}` sends it"
    if one.how == "detached":
        return f"{one.artifact}: fetched; HEAD is detached at {one.version}: `aimdvc checkout {one.artifact}@main`"
    further = f"; the remote is {plural(one.behind, 'commit')} further, which another pull brings" if one.behind else ""
    counts = f"{plural(one.written, 'file')} written, {one.deleted:,} deleted"
    return f"{one.artifact}: {one.how} to {one.version}: {counts}{further}"
