"""`aimdvc meta`."""

import json
from typing import Any

import click

from aimdvc.cli.action import Action
from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plain
from aimdvc.errors import UsageError
from aimdvc.ops.meta import get_metadata, set_metadata


@command("meta")
@click.argument("action", type=Action(["get", "set"]))
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
@click.argument("key", required=False)
@click.argument("value", required=False)
def meta_command(cli: Cli, action: str, selector: str | None, key: str | None, value: str | None) -> None:
    """Read and set description, type, labels and metadata

    Labels are separated by commas, or a JSON list of texts; all other values are texts. An empty VALUE removes. What is
    `set` counts for the next commit. KEY is `description`, `type`, `labels` or `metadata.NAME`.

    \b
    Example:
      aimdvc meta set images description "Street scenes, 2026"
      aimdvc meta set images labels "street, night"
      aimdvc meta set images metadata.license CC-BY-4.0
      aimdvc meta get images@v3
    """
    name, parsed = cli.selector(selector, "metadata is of whole versions: leave the path out")
    if action == "set":
        if key is None or value is None:
            raise UsageError("set needs a key and a value", hint="run `aimdvc meta set NAME KEY VALUE`")
        if parsed.revision is not None:
            raise UsageError("a version can't be changed", hint=f"run `aimdvc meta set {name} {key} …`, then commit")
        found = set_metadata(cli.workspace, name, key, value)
    else:
        found = get_metadata(cli.workspace, name, parsed.revision)
    values: Any = plain(found)
    unknown = values.pop("unknown")
    values |= unknown
    if action == "get" and key is not None:
        chosen: Any = values
        for part in key.split("."):
            if not isinstance(chosen, dict) or part not in chosen:
                raise UsageError(f"'{name}' has no metadata '{key}'")
            chosen = chosen[part]
        text = chosen if isinstance(chosen, str) else json.dumps(chosen, ensure_ascii=False)
        cli.out.result({"artifact": name, key: chosen}, [text])
        return
    cli.out.result(
        {"artifact": name, "metadata": values}, json.dumps(values, indent=2, ensure_ascii=False).splitlines()
    )
