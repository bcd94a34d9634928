"""`aimdvc server gc` and `aimdvc server trash`."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from aimdvc.cli.action import Action
from aimdvc.cli.administration import database_option, day, opened_site, removed_line
from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import IntegrityError, UsageError
from aimdvc.model.oid import parse_oid
from aimdvc.model.sizes import size_text

with suppress(ModuleNotFoundError):  # Without the extra `aimdvc[server]` opening a site says so.
    from aimdvc.server.gc import DAY_S, Graces, collect
    from aimdvc.server.gc_trash import empty, list_runs, restore_run
    from aimdvc.server.gc_why import keepers

if TYPE_CHECKING:
    from aimdvc.server.gc import Report, Tidied
    from aimdvc.server.site import Site


class _Days(click.FloatRange):
    """A number of days, 0 or more. To click NaN and infinity are numbers, too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        days = float(super().convert(value, param, ctx))
        if not isfinite(days):
            self.fail(f"'{value}' is no number of days", param, ctx)
        return days


_DAYS = _Days(0)


@command("server gc")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; else only tell what would be done.")
@click.option("--grace", metavar="DAYS", type=_DAYS, default=14, show_default=True, help="How long unnamed blobs stay.")
@click.option("--keep", metavar="DAYS", type=_DAYS, default=30, show_default=True, help="How long left commits stay.")
@click.option(
    "--removed-days", metavar="DAYS", type=_DAYS, default=30, show_default=True, help="How long what was removed stays."
)
@click.option("--why", "oid", metavar="OID", help="Tell what keeps a blob alive, and do nothing else.")
@database_option
def server_gc_command(cli: Cli, is_applied: bool, oid: str | None, database: str | None, **days: float) -> int:
    """Delete what nothing on a server needs any more

    Of the server that is kept in the current directory, while it runs. Commits that no ref reaches any more, as after a
    force push, go --keep days after the refs left them. A blob that nothing in its artifact names is marked at one run,
    and goes into the trash at a later one, --grace days on; whoever wants it in between keeps it. So do stored blobs
    that no artifact owns. `aimdvc server trash` lists them and puts them back.

    What `aimdvc server folder remove` took away is deleted for good --removed-days later, with its versions and shares:
    `aimdvc server folder restore` puts it back until then. Its blobs go the way of all that no artifact owns.

    Without --apply nothing is changed. An artifact that can't be read is named, keeps all that it has, and the exit
    code is 3.

    \b
    Example:
      aimdvc server gc -C /srv/aimd
      aimdvc server gc --apply -C /srv/aimd
    """
    with opened_site(cli, database) as site:
        if oid is not None:
            _tell_why(cli, site, oid)
            return 0
        graces = Graces(days["grace"] * DAY_S, days["keep"] * DAY_S, days["removed_days"] * DAY_S)
        report = collect(site.database, site.storage, graces, is_applied, cli.progress)
    cli.out.result(asdict(report), _lines(report))
    return IntegrityError.exit_code if report.failed else 0


def _tell_why(cli: Cli, site: "Site", oid: str) -> None:
    found = keepers(site.database, site.storage, parse_oid(oid))
    lines = [f"{shown_path(one.artifact)}: {one.how}{_place(one.ref, one.path)}" for one in found]
    cli.out.result({"keepers": [one._asdict() for one in found]}, lines or ["No artifact owns it"])


def _place(ref: str | None, path: str | None) -> str:
    return f", {ref}: {shown_path(path)}" if path is not None else ""


def _lines(report: "Report") -> Iterator[str]:
    would = "" if report.is_applied else "would be "
    for gone in report.removed:
        yield f"{removed_line(gone)}: {would}deleted for good"
    for one in report.artifacts:
        yield f"{shown_path(one.artifact)}: {', '.join(_parts(one, would))}"
    if report.unowned:
        yield f"{plural(report.unowned, 'blob')} that no artifact owns {would}taken ({size_text(report.unowned_size)})"
    for path in report.busy:
        yield f"{shown_path(path)}: a push is running, what it may need stays until the next run"
    for path, reason in report.failed:
        yield f"{shown_path(path) if path else 'stored blobs'}: left alone: {reason}"
    if not (report.removed or report.artifacts or report.unowned or report.failed):
        yield "Everything is needed"
    elif not report.is_applied:
        yield "Nothing was changed: run it with --apply"


def _parts(one: "Tidied", would: str) -> Iterator[str]:
    if one.dropped:
        yield f"{plural(one.dropped, 'git object')} {would}dropped"
    swept = one.swept
    for count, size, what in (
        (swept.marked, swept.marked_size, f"{would}marked"),
        (swept.waiting, swept.waiting_size, "marked, waiting"),
        (swept.taken, swept.taken_size, f"{would}taken"),
    ):
        if count:
            yield f"{plural(count, 'blob')} {what} ({size_text(size)})"


@command("server trash")
@click.argument("action", type=Action(["list", "restore", "empty"]), default="list")
@click.argument("run", type=click.IntRange(1, (1 << 63) - 1), required=False)
@click.option("--older-than", "days", metavar="DAYS", type=_DAYS, help="Of `empty`: only what is as old; else 30 days.")
@database_option
def server_trash_command(cli: Cli, action: str, run: int | None, days: float | None, database: str | None) -> None:
    """List, give back and delete what `server gc` took

    Of the server that is kept in the current directory. `restore RUN` gives the blobs that one run took back to their
    artifacts. `empty` deletes for good what was taken 30 days ago and before.

    \b
    Example:
      aimdvc server trash list -C /srv/aimd
      aimdvc server trash empty --older-than 60 -C /srv/aimd
    """
    if (run is not None) != (action == "restore"):
        raise UsageError(
            "`restore` takes the number of a run, nothing else does", hint="`aimdvc server trash list` shows them"
        )
    if days is not None and action != "empty":
        raise UsageError("--older-than is for `aimdvc server trash empty`")
    with opened_site(cli, database) as site:
        if action == "empty":
            freed = empty(site.database, site.storage, (30 if days is None else days) * DAY_S)
            cli.out.result({"freed": freed}, [f"Deleted {size_text(freed)}"])
        elif run is not None:
            done = restore_run(site.database, site.storage, run)
            is_there = done.blobs or done.gone
            lines = [f"Gave back {plural(done.blobs, 'blob')}" if is_there else f"The trash has nothing of run {run}"]
            lines += [f"{plural(done.gone, 'blob')} of it are gone for good"] if done.gone else []
            cli.out.result({"blobs": done.blobs, "gone": done.gone}, lines)
        else:
            runs = list_runs(site.database)
            lines = [
                f"{one.run}  {day(one.time_s)}  {plural(one.blobs, 'blob')}, {size_text(one.size)}: "
                f"{', '.join(map(shown_path, one.artifacts))}"
                for one in runs
            ]
            cli.out.result({"runs": [one._asdict() for one in runs]}, lines or ["The trash is empty"])
