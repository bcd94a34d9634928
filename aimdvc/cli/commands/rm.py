"""`aimdvc rm`."""

import shlex
from collections.abc import Iterator, Sequence

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.ops.rm import Removed, RmOptions, rm


@command("rm")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path())
@click.option("--cached", "is_cached", is_flag=True, help="Leave the files on disk, untracked.")
@click.option("-r", "is_recursive", is_flag=True, help="Directories, too, with all that is tracked below them.")
@click.option("-f", "--force", is_flag=True, help="Lose local changes; leave versions that were not pushed behind.")
@zero_option
def rm_command(
    cli: Cli, paths: tuple[str, ...], is_cached: bool, is_recursive: bool, force: bool, is_zero: bool
) -> None:
    """Remove files, or an artifact, from the workspace

    Files go from the disk and, at the next commit, from the versions to come. The path of a whole artifact takes it out
    of the workspace: its files, its pin in aimdvc.lock, its line in .gitignore. Its versions stay in the store.
    Untracked files stay. Refused, with nothing changed, when local changes would be lost.

    \b
    Example:
      aimdvc rm -r data/images/train
      aimdvc rm --cached data/images/labels.csv
    """
    removed = rm(cli.workspace, cli.here, paths, RmOptions(is_cached, is_recursive, force), cli.progress)
    fields = [path for one in removed for path in _places(one)] if is_zero else None
    cli.out.result({"artifacts": removed}, _lines(removed, is_cached), fields)


def _places(one: Removed) -> Iterator[str]:
    for path in one.paths:
        is_file = one.is_artifact and path == one.path.rpartition("/")[2]
        yield one.path if is_file else path if one.path == "." else f"{one.path}/{path}"


def _lines(removed: Sequence[Removed], is_cached: bool) -> Iterator[str]:
    where = "the index" if is_cached else "disk and index"
    for one in removed:
        if not one.is_artifact:
            yield f"{one.artifact}: {plural(len(one.paths), 'file')} removed from {where}"
            continue
        kept = "; its files stay" if is_cached else ""
        yield f"{one.artifact}: no artifact of this workspace any more{kept}"
        if one.commit is not None:
            back = f"aimdvc checkout {one.artifact}@{one.commit[:12]} --at {shlex.quote(one.path)}"
            yield f"  its versions stay in the store: `{back}` brings it back"
