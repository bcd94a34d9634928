"""`aimdvc hooks`."""

import sys
from collections.abc import Iterator

import click

from aimdvc.cli.action import Action
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import shown_path
from aimdvc.fs.processes import find_program
from aimdvc.git.mergedriver import DriverState
from aimdvc.git.program import Git
from aimdvc.ops.hooks import HooksChanged, HooksState, HookState, install_hooks, read_hooks, uninstall_hooks

_DRIVER = {
    DriverState.REGISTERED: "by aimdvc, artifact by artifact",
    DriverState.DIFFERS: "otherwise: by what the user set",
    DriverState.NOT_REGISTERED: "as text: its merge driver is not registered",
}
_STATE = {
    "chained": "installed, runs with {beside}",
    "older": "of another aimdvc: `aimdvc hooks install` renews it",
    "differs": "calls aimdvc by a text of its own, which is left as it is",
    "disabled": "not executable: Git doesn't run it",
    "not-installed": "not installed",
}


@command("hooks")
@click.argument("action", type=Action(["status", "install", "uninstall"]), default="status")
@click.option("--force", "is_forced", is_flag=True, help="Also where core.hooksPath leads out of this repository.")
def hooks_command(cli: Cli, action: str, is_forced: bool) -> None:
    """Have Git's hooks keep code and artifacts in step

    `install` writes Git's hooks, which run `aimdvc hook NAME`, where Git looks for them: in the repository, for all of
    its worktrees, or where core.hooksPath says. A hook that is there already is kept beside, as NAME.aimdvc-chained,
    and runs first; that of pre-commit or prek stays where it is, and runs aimdvc's. It also has Git merge aimdvc.lock
    artifact by artifact. `uninstall` puts everything back as it was, `status` tells how it is.

    The hooks find `aimdvc` by the PATH. Where it isn't there, they say so and stop the commit or the push.

    \b
    Example:
      git init -q
      aimdvc hooks install
      aimdvc hooks status
    """
    git = Git(cli.here, cli.environment)
    if action == "status":
        found = read_hooks(git)
        cli.out.result({"hooks": found}, _status_lines(found))
        return
    verb = install_hooks if action == "install" else uninstall_hooks
    done = verb(git, cli.disk, is_forced)
    cli.out.result(
        {"changed": done.changed, "is_driver_changed": done.is_driver_changed, "hooks": done.now},
        _changed_lines(done, "Installed" if action == "install" else "Uninstalled"),
    )
    for text in (*_left(done), *(_remarks(cli, done) if action == "install" else ())):
        cli.out.note(text)


def _status_lines(found: HooksState) -> Iterator[str]:
    yield f"Hooks in {shown_path(found.directory)}"
    if found.hooks_path is not None:
        outside = ", outside of this repository" if found.is_outside else ""
        yield f"  core.hooksPath ({found.scope}) says so{outside}"
    width = max(len(one.name) for one in found.hooks)
    for one in found.hooks:
        yield f"  {one.name:{width}}  {_state_text(one)}"
    if found.hidden:
        yield f"Hidden by core.hooksPath, in the repository's own directory: {', '.join(found.hidden)}"
    yield f"Git merges aimdvc.lock {_DRIVER[found.merge_driver]}"


def _state_text(one: HookState) -> str:
    beside = " and ".join(one.beside)
    if one.state == "not-installed" and one.beside:
        return f"not installed; {beside} runs" if one.beside[0] != one.name else "not installed; there is another"
    return _STATE.get(one.state, one.state).format(beside=beside)


def _changed_lines(done: HooksChanged, verb: str) -> Iterator[str]:
    states = {one.name: one for one in done.now.hooks}
    for name in done.changed:
        beside = states[name].beside if verb == "Installed" else ()
        yield f"{verb} {name}" + (f", runs with {' and '.join(beside)}" if beside else "")
    if done.is_driver_changed:
        yield f"Git merges aimdvc.lock {_DRIVER[done.now.merge_driver]}"
    if not done.changed and not done.is_driver_changed:
        yield f"Nothing to do: what can be {verb.lower()} is"


def _left(done: HooksChanged) -> Iterator[str]:
    for one in done.now.hooks:
        if one.state == "differs":
            yield f"{one.name} {_STATE['differs']}"
    if done.now.merge_driver == DriverState.DIFFERS:
        yield f"Git merges aimdvc.lock {_DRIVER[DriverState.DIFFERS]}; that was left as it is"


def _remarks(cli: Cli, done: HooksChanged) -> Iterator[str]:
    if done.now.is_in_work_tree and done.changed:
        yield f"core.hooksPath ({done.now.scope}) has the hooks in the work tree: commit them, or have Git ignore them"
    program = find_program("aimdvc", cli.environment)
    if program is None:
        yield "`aimdvc` is not on the PATH: until it is, Git's hooks stop with 'aimdvc: not found'"
    elif sys.prefix != sys.base_prefix and program.startswith(sys.prefix) and done.changed:
        yield (
            f"`aimdvc` is on the PATH only where '{sys.prefix}' is active; elsewhere, as in a graphical client, Git's"
            f" hooks stop with 'aimdvc: not found': link '{program}' into a directory of every PATH"
        )
