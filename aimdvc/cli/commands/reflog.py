"""`aimdvc reflog` and `aimdvc tag`."""

import click

from aimdvc.cli.command import command
from aimdvc.cli.completion import complete_branch, complete_name
from aimdvc.cli.context import Cli
from aimdvc.cli.output import date_text
from aimdvc.model.commits import Signature
from aimdvc.ops.reflog import Move, list_tags, reflog


@command("reflog")
@click.argument("selector", required=False, metavar="[NAME[@BRANCH|ALIAS]]", shell_complete=complete_branch)
@click.option("-n", "limit", type=click.IntRange(min=0), metavar="N", help="At most N moves.")
def reflog_command(cli: Cli, selector: str | None, limit: int | None) -> None:
    """List where HEAD, a branch or an alias stood, newest first

    Of HEAD in this workspace, or of the branch or alias that is named, also when it is deleted. Each line begins with
    the commit that it moved to. What it calls them are revisions: `aimdvc reset --hard images@HEAD@{1}` goes back by
    one move.

    \b
    Example:
      aimdvc reflog images@main -n 5
    """
    name, ref = cli.branch(selector)
    found = reflog(cli.workspace, name, ref, limit)
    cli.out.result({"artifact": name, "moves": found}, (_line(one) for one in found))


def _line(one: Move) -> str:
    places = f"{one.old_version or '-'} → {one.new_version or '-'}"
    return f"{(one.new or '-')[:12]:<12}  {one.name}  {places}  {date_text(one.who)}  {one.who.name}: {one.why}"


@command("tag")
@click.argument("name", required=False, metavar="[NAME]", shell_complete=complete_name)
@click.option("-n", "limit", type=click.IntRange(min=0), metavar="N", help="At most N tags.")
def tag_command(cli: Cli, name: str | None, limit: int | None) -> None:
    """List the versions and other tags of an artifact

    Newest version first. A push makes the tag `vN` that numbers a version, and it never moves; for a name that can
    move, see `aimdvc alias`.

    \b
    Example:
      aimdvc tag images -n 10
    """
    artifact, _ = cli.selector(name, "tags are of whole versions: leave the path out")
    found = list_tags(cli.workspace, artifact, limit)
    lines = [
        f"{one.tag:<6} {one.commit[:12]}  {date_text(Signature('', '', one.time_s, 0))}  {one.subject}" for one in found
    ]
    cli.out.result({"artifact": artifact, "tags": found}, lines)
