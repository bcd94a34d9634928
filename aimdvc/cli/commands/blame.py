"""`aimdvc blame`."""

from collections.abc import Iterator

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import date_text, shown_path
from aimdvc.errors import AimdvcError, UsageError
from aimdvc.model.selector import parse_selector
from aimdvc.ops.blame import Blamed, blame


@command("blame", takes_paths=True)
@click.argument("what", required=False, metavar="NAME[@REV][:PATH] | PATH", shell_complete=complete_selector)
@zero_option
def blame_command(cli: Cli, what: str | None, is_zero: bool) -> None:
    """Show which version made each file what it is

    Of a directory, each file below it, those of the newest version first. A line has, with tabs between: version,
    commit, date, author, the commit of the code that the version came with or `-`, path, subject. With -z each of these
    ends in NUL, and the commits have all their digits. `^` before a version: a shallow history ends there, and it may
    be an older one.

    \b
    Example:
      aimdvc blame images@production:train
      aimdvc blame data/images/labels.csv
    """
    name, revision, path = _place(cli, what)
    found = blame(cli.workspace, name, revision, path)
    if cli.as_json:
        cli.out.result({"artifact": name, "entries": list(found)}, [])
        return
    for one in found:
        if is_zero:
            cli.out.fields([_version(one), one.commit, *_who(one), one.code or "-", one.path, one.subject])
        else:
            code = (one.code or "-").partition("+")[0][:12]
            cli.out.line(
                "\t".join([_version(one), one.commit[:12], *_who(one), code, shown_path(one.path), one.subject])
            )


def _version(one: Blamed) -> str:
    return f"^{one.version}" if one.is_boundary else one.version


def _who(one: Blamed) -> Iterator[str]:
    yield date_text(one.author)
    yield one.author.name


def _place(cli: Cli, what: str | None) -> tuple[str, str | None, str]:
    """Returns artifact, revision and path of what was typed: a selector where it can be one, else a path."""
    if what is None or (not _is_selector(cli, what) and not cli.paths):
        texts = cli.paths if what is None else (what,)
        if len(texts) != 1:
            raise UsageError("blame takes one selector or path", hint="run `aimdvc blame PATH`")
        target = cli.targets(texts)[0]
        return target.head.name, None, target.inner
    name, parsed = cli.selector(what, None)
    return name, parsed.revision, parsed.path or (cli.inner_paths(name)[0] if cli.paths else "")


def _is_selector(cli: Cli, text: str) -> bool:
    try:
        parsed = parse_selector(text)
    except AimdvcError:
        return False
    return "@" in text or ":" in text or cli.workspace.state.head(parsed.name or "") is not None
