"""`aimdvc branch` and `aimdvc switch`."""

from collections.abc import Iterator

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_branch
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural
from aimdvc.errors import UsageError
from aimdvc.ops.branch import (
    Branches,
    BranchLine,
    BranchMove,
    create_branch,
    delete_branch,
    list_branches,
    rename_branch,
)
from aimdvc.ops.revisions import short_branch
from aimdvc.ops.switching import Goal, switch_to
from aimdvc.ops.targets import find_target, workspace_path


@command("branch")
@click.argument("first", required=False, metavar="[NAME|[NAME@]BRANCH]", shell_complete=complete_branch)
@click.argument("second", required=False, metavar="[[NAME@]REV]", shell_complete=complete_branch)
@click.option("-v", "--verbose", is_flag=True, help="With the tip, and how far ahead of and behind the remote it is.")
@click.option("-r", "--remotes", is_flag=True, help="List the remotes' branches, as last fetched.")
@click.option("-a", "--all", "is_all", is_flag=True, help="List both.")
@click.option("-d", "--delete", "is_delete", is_flag=True, help="Delete BRANCH, when it is merged.")
@click.option("-D", "is_forced", is_flag=True, help="Delete BRANCH, merged or not.")
@click.option("-m", "--move", "is_move", is_flag=True, help="Rename BRANCH, or the current one, to the last argument.")
def branch_command(
    cli: Cli,
    first: str | None,
    second: str | None,
    verbose: bool,
    remotes: bool,
    is_all: bool,
    is_delete: bool,
    is_forced: bool,
    is_move: bool,
) -> None:
    """List, make, rename and delete branches

    Without BRANCH, list those of the artifact NAME, of the current directory's, or of all. With BRANCH, make it at REV,
    or at HEAD. A word that is an artifact's name means that artifact; `@WORD` is a branch. Only main is numbered; main
    and the current branch are never deleted.

    \b
    Example:
      aimdvc branch relabel images@HEAD~1
      aimdvc branch -v
      aimdvc branch -m images@relabel labels-2026
      aimdvc branch -d images@labels-2026
    """
    if is_move:
        _say(cli, _rename(cli, first, second))
        return
    if is_delete or is_forced:
        name, branch = cli.branch(first)
        if branch is None or second is not None:
            raise UsageError("one branch was expected to delete", hint="run `aimdvc branch -d [NAME@]BRANCH`")
        _say(cli, delete_branch(cli.workspace, name, branch, is_forced), "deleted, it was at")
        return
    if first is not None:
        if cli.branch_parts(first)[1] is not None:
            name, branch, revision = _new(cli, first, second)
            _say(cli, create_branch(cli.workspace, name, branch, revision))
            return
        if second is not None:
            raise UsageError(f"'{first}' is an artifact", hint=f"run `aimdvc branch {first}@BRANCH {second}`")
    found = [
        list_branches(cli.workspace, name, is_all or not remotes, is_all or remotes, verbose)
        for name in _artifacts(cli, first)
    ]
    cli.out.result({"artifacts": found}, (line for one in found for line in _lines(one, verbose, len(found) > 1)))


def _artifacts(cli: Cli, name: str | None) -> list[str]:
    """Returns the artifact named, the one of the current directory, or all."""
    if name is not None:
        return [cli.branch(name)[0]]
    target = find_target(cli.workspace, workspace_path(cli.workspace, cli.here, "."))
    return [target.head.name] if target is not None else [head.name for head in cli.workspace.state.heads()]


def _new(cli: Cli, first: str, second: str | None) -> tuple[str, str, str | None]:
    """Returns (artifact, new branch, where it begins); either argument may name the artifact."""
    given, branch = cli.branch_parts(first)
    other, revision = cli.branch_parts(second)
    if given and other and given != other:
        raise UsageError(f"the branch is of '{given}', and where it begins is of '{other}'")
    if not branch:
        raise UsageError("no branch was given", hint="run `aimdvc branch [NAME@]BRANCH [REV]`")
    return given or other or cli.selector(None)[0], branch, revision


def _rename(cli: Cli, first: str | None, second: str | None) -> BranchMove:
    if first is None:
        raise UsageError("no name was given", hint="run `aimdvc branch -m [NAME@][OLD] NEW`")
    if second is None:
        name, new = cli.branch(first)
        old = None
    else:
        name, old = cli.branch(first)
        new = second
    if new is None:
        raise UsageError("no new name was given", hint=f"run `aimdvc branch -m {first} NEW`")
    return rename_branch(cli.workspace, name, old, new)


def _say(cli: Cli, done: BranchMove, what: str = "at") -> None:
    renamed = f"renamed from {done.old}, " if done.old is not None else ""
    line = f"{done.artifact}: branch {done.branch} {renamed}{what} {done.version}"
    cli.out.result({"artifact": done.artifact, "branches": [done]}, [line])


def _lines(found: Branches, verbose: bool, with_name: bool) -> Iterator[str]:
    indent = "  " if with_name else ""
    if with_name:
        yield f"{found.artifact}:"
    if found.detached is not None:
        yield f"{indent}* (HEAD detached at {found.detached})"
    width = max((len(one.branch) for one in found.branches), default=0)
    for one in found.branches:
        mark = "*" if one.is_current else " "
        yield f"{indent}{mark} {one.branch:<{width}}{_tip(one)}" if verbose else f"{indent}{mark} {one.branch}"


def _tip(one: BranchLine) -> str:
    counts = [f"{count} {word}" for count, word in ((one.ahead, "ahead"), (one.behind, "behind")) if count]
    distance = f" [{', '.join(counts)}]" if counts else ""
    return f"  {one.commit[:12]} {one.version or '-':<5}{distance} {one.subject}"


@command("switch")
@click.argument("first", required=False, metavar="[NAME@]BRANCH", shell_complete=complete_branch)
@click.argument("second", required=False, metavar="[[NAME@]REV]", shell_complete=complete_branch)
@click.option("-c", "--create", "is_new", is_flag=True, help="Make BRANCH first, at REV or at HEAD.")
@click.option(
    "--detach", "is_detached", is_flag=True, help="Go to a version that is no branch; REV, instead of BRANCH."
)
@click.option("-f", "--force", is_flag=True, help="Lose local changes.")
def switch_command(
    cli: Cli, first: str | None, second: str | None, is_new: bool, is_detached: bool, force: bool
) -> None:
    """Go to a branch, or make one and go there

    Files, index and aimdvc.lock become those of its tip. Local changes stay where the branches don't differ; a change
    that would be lost stops it before anything is touched. A branch that only the remote has is made here, too; `-` is
    the branch that HEAD was on before.

    \b
    Example:
      aimdvc switch -c relabel
      aimdvc switch images@main
    """
    if first is None:
        raise UsageError("no branch was given", hint="run `aimdvc switch [NAME@]BRANCH`; `aimdvc branch` lists them")
    if is_new and is_detached:
        raise UsageError("-c and --detach exclude each other")
    start = None
    if is_new:
        name, target, start = _new(cli, first, second)
    else:
        name, named = cli.branch(first)
        if second is not None:
            raise UsageError("one branch was expected", hint="run `aimdvc switch -c BRANCH REV` to make a new one")
        if named is None and not is_detached:
            raise UsageError(f"no branch of '{name}' was given", hint=f"run `aimdvc switch {name}@BRANCH`")
        target = named or "HEAD"
    done = switch_to(cli.workspace, name, Goal(target, start, is_new, is_detached, force), cli.means)
    where = "detached" if done.branch is None else f"on {short_branch(done.branch)}"
    files = f"{plural(done.written, 'file')} written, {done.deleted:,} deleted"
    cli.out.result({"artifacts": [done]}, [f"{name} at {done.version}, {where}: {files}"])
