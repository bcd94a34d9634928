"""`aimdvc checkout`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.cli.part import absent_text, all_option, note_unmatched, part_of, part_options, unpinned_line
from aimdvc.errors import Refused, UsageError
from aimdvc.model.selector import parse_selector
from aimdvc.ops.checkout import CheckedOut, CheckoutOptions, bring_back, checkout
from aimdvc.ops.following import checkout_lock
from aimdvc.ops.relink import Relinked, relink
from aimdvc.ops.restore import restore_from
from aimdvc.ops.targets import workspace_path


@command("checkout", takes_paths=True)
@click.argument("selector", required=False, metavar="[NAME@REV]", shell_complete=complete_selector)
@click.option("-f", "--force", is_flag=True, help="Lose local changes.")
@click.option("--at", "place", metavar="PATH", help="Bring an artifact that only the store has to PATH.")
@click.option(
    "--relink", "is_relink", is_flag=True, help="Link or copy large files anew, as core.link says; stay here."
)
@part_options
@all_option
def checkout_command(
    cli: Cli,
    selector: str | None,
    force: bool,
    place: str | None,
    is_relink: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    is_all: bool,
) -> int:
    """Make the files those of a version, or of aimdvc.lock

    With NAME@REV that artifact's; without, those of all artifacts as aimdvc.lock pins them; that exits with 1 if one of
    them isn't here. A local change that would be lost stops it before anything is touched. After `--`, only those PATHs
    are brought, and HEAD stays. Blobs that aren't here are fetched. An artifact that was removed from the workspace
    comes back with --at.

    --include and --exclude check out only a part of the files, from now on, and --all ends that. Files that leave the
    part are removed when they are unchanged (`aimdvc help partial`).

    \b
    Example:
      aimdvc checkout images@v3
      aimdvc checkout images --include 'train/**' --exclude '*.tiff'
      aimdvc checkout images@v2 -- data/images/labels.csv
    """
    workspace = cli.workspace
    part = part_of(include, exclude, is_all)
    if part is not None and (cli.paths or place is not None or is_relink):
        raise click.UsageError("a part is chosen by patterns alone: with no paths after `--`, no --at and no --relink")
    if is_relink:
        _relink(cli, selector, force)
        return 0
    if cli.paths:
        name, parsed = cli.selector(selector)
        targets = [target for target in cli.targets(cli.paths) if target.head.name == name]
        if not targets or len(targets) < len(cli.paths):
            raise UsageError(f"not all of the paths belong to '{name}'")
        restored = restore_from(workspace, name, parsed.revision or "HEAD", targets, force, cli.means)
        lines = [f"{one.artifact}: {plural(one.written, 'file')} written, {one.deleted:,} deleted" for one in restored]
        cli.out.result({"artifacts": restored}, lines)
        return 0
    if place is not None:
        stored = parse_selector(selector or "")
        if stored.name is None or stored.path is not None or workspace.state.head(stored.name) is not None:
            raise UsageError("--at is for an artifact that is not in the workspace", hint="name it: NAME@REV --at PATH")
        back = bring_back(
            workspace, stored.name, stored.revision, workspace_path(workspace, cli.here, place), cli.means
        )
        cli.out.result({"artifacts": [back]}, [_line(back)])
        return 0
    if selector is None and part is None:
        followed = checkout_lock(workspace, force, cli.means)
        lines = [_line(one) for one in followed.moved]
        lines = [unpinned_line(one) for one in followed.unpinned] + lines
        lines += [f"{name}: pinned in aimdvc.lock, not here: `aimdvc pull` brings it" for name in followed.missing]
        value = {"artifacts": followed.moved, "missing": followed.missing, "unpinned": followed.unpinned}
        cli.out.result(value, lines or ["Everything is as aimdvc.lock says"])
        return 0 if followed.is_as_pinned else Refused.exit_code
    name, parsed = cli.selector(selector)
    done = checkout(workspace, name, parsed.revision, CheckoutOptions(force, part), cli.means)
    note_unmatched(cli, name, done.unmatched)
    cli.out.result({"artifacts": [done]}, [_line(done)])
    return 0


def _relink(cli: Cli, selector: str | None, force: bool) -> None:
    if force or cli.paths:
        raise UsageError("--relink takes no other option and no path")
    name, parsed = cli.selector(selector) if selector is not None else (None, None)
    if parsed is not None and parsed.revision is not None:
        raise UsageError("--relink takes an artifact, not a version: what is checked out stays")
    done = relink(cli.workspace, [name] if name else [], cli.progress)
    lines = [f"{one.artifact}: {plural(one.written, 'file')} written anew{_left(one)}" for one in done]
    cli.out.result({"artifacts": done}, lines or ["No artifacts here"])


def _left(done: Relinked) -> str:
    return f", {plural(done.changed, 'changed file')} left alone" if done.changed else ""


def _line(done: CheckedOut) -> str:
    detached = "" if done.branch else ", detached"
    return (
        f"{done.artifact} at {done.version}{detached}: {plural(done.written, 'file')} written, {done.deleted:,} deleted"
        f"{absent_text(done.absent)}"
    )
