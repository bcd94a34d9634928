"""`aimdvc ls` and `aimdvc cat`."""

import base64

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.log import cat, list_artifacts, ls

_JSON_LIMIT = 1 << 20


@command("ls")
@click.argument("selector", required=False, metavar="[NAME[@REV][:PATH]]", shell_complete=complete_selector)
@click.option("-l", "--long", "is_long", is_flag=True, help="With mode, size and oid.")
@zero_option
def ls_command(cli: Cli, selector: str | None, is_long: bool, is_zero: bool) -> None:
    """List the artifacts, or the files of a version

    Of HEAD without REV; what is staged, `status` shows. Files that are not checked out here are marked so. With -z, of
    artifacts the name and the path, of files the path alone.

    \b
    Example:
      aimdvc ls images@v3:train -l
    """
    if selector is None:
        artifacts = list_artifacts(cli.workspace)
        lines = [
            f"{one.artifact}  {one.version or '-'}  {_quoted(one.path)}  {plural(one.entries, 'file')}"
            for one in artifacts
        ]
        fields = (text for one in artifacts for text in (one.artifact, one.path)) if is_zero else None
        cli.out.result({"artifacts": artifacts}, lines, fields)
        return
    name, parsed = cli.selector(selector, None)
    entries = ls(cli.workspace, parsed, name)
    if cli.as_json:
        cli.out.result({"artifact": name, "entries": list(entries)}, [])
        return
    for entry in entries:
        facts = f"{entry.mode} {size_text(entry.size):>10} {entry.id[:12]} " if is_long else ""
        if is_zero:
            cli.out.fields([facts + entry.path])
        else:
            target = f"  → {entry.uri}" if entry.uri is not None else ""
            if entry.problem is not None:
                cli.out.note(f"the references of '{name}' can't be read: {entry.problem}")
            cli.out.line(facts + shown_path(entry.path) + target + ("  (not checked out)" if entry.is_absent else ""))


def _quoted(path: str) -> str:
    shown = shown_path(path)
    return shown if shown.startswith('"') else f"'{shown}'"


@command("cat")
@click.argument("selector", metavar="NAME[@REV]:PATH", shell_complete=complete_selector)
def cat_command(cli: Cli, selector: str) -> None:
    """Print a file of a version

    Byte for byte, of HEAD without REV; a blob that isn't here is fetched. With --json in base64, up to 1 MiB.

    \b
    Example:
      aimdvc cat images@production:labels.csv
    """
    name, parsed = cli.selector(selector, None)
    chunks = cat(cli.workspace, parsed, name, cli.means)
    if not cli.as_json:
        for chunk in chunks:
            cli.out.raw(chunk)
        return
    path = parsed.path or cli.workspace.only_entry(cli.workspace.head(name))
    content = b""
    for chunk in chunks:
        content += chunk
        if len(content) > _JSON_LIMIT:
            raise UsageError(f"'{path}' is larger than {size_text(_JSON_LIMIT)}", hint="run it without --json")
    encoded = base64.b64encode(content).decode("ascii")
    cli.out.result({"path": path, "size": len(content), "content_base64": encoded}, [])
