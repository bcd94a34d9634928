"""`aimdvc why`."""

from collections.abc import Iterator

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import date_text, plural, shown_text
from aimdvc.model.commits import Commit
from aimdvc.ops.why import CodeRef, Why, why

_KINDS = (
    ("refs/heads/", "branch"),
    ("refs/tags/", "tag"),
    ("refs/remotes/", "remote branch"),
    ("refs/stash", "stash"),
)
_SHOWN = 20


@command("why")
@click.argument("selector", required=False, metavar="[NAME[@REV]]", shell_complete=complete_selector)
def why_command(cli: Cli, selector: str | None) -> None:
    """Show which commits of the code pin a version

    Reads the aimdvc.lock of every commit that a ref of the code repository reaches. Names the branches and tags that
    pin the version now, those that did earlier, and the first and the last commit. Without REV the version that is
    checked out is meant.

    \b
    Example:
      aimdvc why images@v3
    """
    name, parsed = cli.selector(selector)
    found = why(cli.workspace, name, parsed.revision)
    cli.out.result(
        {
            "artifact": found.artifact,
            "version": found.version,
            "commit": found.commit,
            "commits": found.commits,
            "refs": found.refs,
            "is_on_disk": found.is_on_disk,
        },
        _lines(found),
    )
    if found.unread:
        cli.out.note(
            f"the lock of {plural(len(found.unread), 'code commit')} can't be read, such as of {found.unread[0][:12]}"
        )


def _lines(found: Why) -> Iterator[str]:
    named = f"{found.artifact}@{found.version}"
    if not found.commits:
        where = "only aimdvc.lock as it lies here, not committed" if found.is_on_disk else "no code commit"
        yield f"{named}: pinned by {where}"
        return
    yield f"{named}: pinned by {plural(len(found.commits), 'code commit')}"
    yield f"  first {_commit(found.commits[0])}"
    if len(found.commits) > 1:
        yield f"  last  {_commit(found.commits[-1])}"
    for one in found.refs[:_SHOWN]:
        yield f"  {_ref(one)}"
    if len(found.refs) > _SHOWN:
        yield f"  … and {len(found.refs) - _SHOWN:,} more refs (`aimdvc why {named} --json` lists all)"


def _commit(commit: Commit) -> str:
    return f"{commit.id[:12]} {date_text(commit.author)} {shown_text(commit.subject)}"


def _ref(one: CodeRef) -> str:
    kind, name = next(
        ((kind, one.ref.removeprefix(prefix)) for prefix, kind in _KINDS if one.ref.startswith(prefix)),
        ("ref", one.ref),
    )
    return f"{kind} {shown_text(name)}: {'pins it' if one.is_tip else 'pinned it earlier'}"
