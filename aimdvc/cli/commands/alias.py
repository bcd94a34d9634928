"""`aimdvc alias`."""

import click

from aimdvc.cli.action import Action
from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError
from aimdvc.ops.alias import delete_alias, list_aliases, set_alias


@command("alias")
@click.argument("action", type=Action(["list", "set", "delete"]), default="list")
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
@click.argument("alias", required=False, metavar="[ALIAS]")
def alias_command(cli: Cli, action: str, selector: str | None, alias: str | None) -> None:
    """Name versions by aliases, which can move

    `list` them, `set` and `delete` them; `push` sends them. Where an alias pointed before is kept in its reflog.

    \b
    Example:
      aimdvc alias set images@v3 production
      aimdvc alias list images
      aimdvc alias delete images production
    """
    name, parsed = cli.selector(selector, "aliases name whole versions: leave the path out")
    if action == "list":
        found = list_aliases(cli.workspace, name)
        lines = [f"{one.alias}  {one.version}  {one.commit[:12]}" for one in found]
        cli.out.result({"artifact": name, "aliases": found}, lines)
        return
    if alias is None:
        raise UsageError(
            "no alias was given", hint=f"run `aimdvc alias {action} NAME{'@REV' if action == 'set' else ''} ALIAS`"
        )
    if action == "set":
        done = set_alias(cli.workspace, name, parsed.revision, alias)
        line = f"{name}: {alias} names {done.version}"
    else:
        done = delete_alias(cli.workspace, name, alias)
        line = f"{name}: {alias} deleted, it named {done.version}"
    cli.out.result({"artifact": name, "aliases": [done]}, [line])
