"""`aimdvc add`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import IntegrityError, UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.add import Added, AddOptions, add


@command("add")
@click.argument("paths", nargs=-1, metavar="PATH…", type=click.Path())
@click.option("-A", "--all", "is_all", is_flag=True, help="Stage what changed in all artifacts.")
@click.option("-u", "--update", is_flag=True, help="Stage only what is tracked; without PATH, of all artifacts.")
@click.option("-n", "--name", metavar="NAME", help="The name of the artifact that PATH becomes; else its base name.")
@click.option("--type", "kind", metavar="T", help="The type of the artifact that PATH becomes, such as `dataset`.")
@click.option("-f", "--force", is_flag=True, help="Take files that .aimdvcignore leaves out, too.")
def add_command(
    cli: Cli, paths: tuple[str, ...], is_all: bool, update: bool, name: str | None, kind: str | None, force: bool
) -> int:
    """Stage what changed at paths; make a new path an artifact

    Deletions are staged, too. A path that is in no artifact becomes one: a directory or a lone file. Its contents are
    stored at once; the index is saved last, so an interrupted `add` is finished by running it again. Exits with 3, when
    all is done, if a file that is a hard link to a blob was edited in place: what the blob was has to be healed.

    \b
    Example:
      aimdvc add data/images -n images --type dataset
    """
    if not paths and not (is_all or update):
        raise UsageError("no path was given", hint="run `aimdvc add PATH`, or `aimdvc add -A` for all artifacts")
    if paths and is_all:
        raise UsageError("-A is for all artifacts", hint="leave it out: `aimdvc add PATH` stages deletions, too")
    if not paths:
        paths = tuple(str(cli.workspace.root / head.path) for head in cli.workspace.state.heads())
    added = add(cli.workspace, cli.here, paths, AddOptions(name, kind, force, update), cli.progress)
    for result in added:
        for note in result.notes:
            cli.out.note(note)
        for edited in result.edited:
            cli.out.note(f"{edited.message}; it is set aside: `aimdvc fsck --repair` brings it back")
    cli.out.result({"artifacts": added}, (_line(result) for result in added))
    return IntegrityError.exit_code if any(result.edited for result in added) else 0


def _line(result: Added) -> str:
    changes = [
        f"{count:,} {word}"
        for count, word in ((result.added, "added"), (result.modified, "modified"), (result.deleted, "deleted"))
        if count
    ]
    made = f"New artifact '{result.artifact}' at '{result.path}': " if result.is_new else f"{result.artifact}: "
    ignored = f"; {plural(result.ignored, 'path')} ignored" if result.ignored else ""
    return made + (f"{', '.join(changes)} ({size_text(result.size)} read)" if changes else "nothing changed") + ignored
