"""`aimdvc import git`, `import lfs` and `import dvc`."""

import posixpath
import shlex
from collections.abc import Callable, Sequence

import click

from aimdvc.cli.bulk import finish
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.bulk import each
from aimdvc.ops.importing import Imported, Source, Wish, import_path
from aimdvc.ops.importing_dvc import DvcSource
from aimdvc.ops.importing_git import GitSource
from aimdvc.ops.targets import workspace_path

name_option = click.option("-n", "--name", metavar="NAME", help="Name the artifact; else as the path's last part.")
history_option = click.option("--no-history", is_flag=True, help="Make one version, of what HEAD has.")
paths_argument = click.argument("paths", nargs=-1, required=True, metavar="PATH…", type=click.Path())


@command("import git")
@paths_argument
@name_option
@history_option
def import_git_command(cli: Cli, paths: tuple[str, ...], name: str | None, no_history: bool) -> int:
    """Make artifacts of files that Git tracks, with history

    Each commit of the code that changed something at PATH, from HEAD back by first parents, becomes a version with its
    author, date and message. Then Git tracks the files no longer; they stay where they are, and older commits of the
    code stay as they are. Changes that aren't committed stop it. The next `git commit` records it.

    \b
    Example:
      aimdvc import git samples
    """
    return import_all(
        cli, paths, name, lambda path: GitSource(cli.workspace, path, cli.environment, is_whole=not no_history)
    )


@command("import lfs")
@paths_argument
@name_option
@history_option
def import_lfs_command(cli: Cli, paths: tuple[str, ...], name: str | None, no_history: bool) -> int:
    """Make artifacts of files that Git LFS keeps, with history

    As `import git`, and pointers become the contents that Git LFS has in this clone, hash-checked. One that is missing
    stops it before anything was changed: `git lfs fetch --all` brings those of earlier commits, too.

    \b
    Example:
      aimdvc import lfs samples
    """
    return import_all(
        cli,
        paths,
        name,
        lambda path: GitSource(cli.workspace, path, cli.environment, has_lfs=True, is_whole=not no_history),
    )


@command("import dvc")
@paths_argument
@name_option
@history_option
def import_dvc_command(cli: Cli, paths: tuple[str, ...], name: str | None, no_history: bool) -> int:
    """Make artifacts of files that DVC keeps, with history

    PATH is an output of DVC, a file or a directory, or its `.dvc` file; also one of a pipeline (`dvc.lock`). Each
    commit of the code that changed it becomes a version, with the contents of DVC's cache or of a remote in a local
    directory, checked by MD5. One that is missing stops it before anything was changed: `dvc fetch --all-commits`
    brings them. Then the `.dvc` file is removed; the files stay where they are. Needs `pip install 'aimdvc[dvc]'`.

    \b
    Example:
      aimdvc import dvc samples
    """
    return import_all(
        cli,
        [path.removesuffix(".dvc") for path in paths],
        name,
        lambda path: DvcSource(cli.workspace, path, cli.environment, is_whole=not no_history),
    )


def import_all(cli: Cli, paths: Sequence[str], name: str | None, source: Callable[[str], Source]) -> int:
    """Imports each path from the source that is made for it, and says what became of it."""
    if name is not None and len(paths) > 1:
        raise UsageError("-n names one artifact, and several paths were given", hint="import them one by one")
    inside = {text: workspace_path(cli.workspace, cli.here, text) for text in paths}

    def act(text: str) -> Imported:
        return import_path(cli.workspace, source(inside[text]), Wish(inside[text], name), cli.means)

    bulk = each(paths, act)
    code = finish(cli, bulk, _imported)
    for one in bulk.done:
        for note in one.notes:
            cli.out.note(note)
    if bulk.done:
        ignoring = sorted({shlex.quote(posixpath.join(posixpath.dirname(one.path), ".gitignore")) for one in bulk.done})
        told = " ".join(["aimdvc.lock", ".aimdvc", *ignoring])
        cli.out.note(f"Git tracks aimdvc.lock instead: `git add {told}` and `git commit` record the change")
    return code


def _imported(one: Imported) -> str:
    line = f"{one.code[0][:12]} to {one.code[-1][:12]}" if len(one.code) > 1 else one.code[0][:12]
    counts = f"{plural(one.files, 'file')} now, {size_text(one.size)} in all"
    return f"{one.artifact}: {plural(len(one.versions), 'version')} of '{shown_path(one.path)}' ({line}), {counts}"
