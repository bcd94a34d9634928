"""`aimdvc fsck` and `aimdvc du`."""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from aimdvc.cli.command import command, zero_option
from aimdvc.cli.context import Cli
from aimdvc.cli.output import plural, shown_path
from aimdvc.errors import IntegrityError, UsageError
from aimdvc.model.sizes import size_text
from aimdvc.ops.fsck import Checked, Damage, Part, fsck
from aimdvc.ops.usage import du

if TYPE_CHECKING:
    from aimdvc.ops.repair import Repaired


@command("fsck")
@click.option("--quick", is_flag=True, help="Read no blob: check histories, the index and the pins only.")
@click.option("--subset", metavar="N/T", help="Read the N-th of T parts of the blobs: with N from 1 to T, all of them.")
@click.option("--repair", "is_repair", is_flag=True, help="Heal what can be healed.")
@zero_option
def fsck_command(cli: Cli, quick: bool, subset: str | None, is_repair: bool, is_zero: bool) -> int:
    """Read and hash everything, and name what is damaged

    Every blob, git object and version; a damaged or lost blob is named with the paths and versions that need it. With
    -z, these alone. `--repair` heals it from what else the store holds, from an intact file of the workspace, or from
    any remote. Damaged bytes go to `damaged/` in the store. Exits with 3 while anything is damaged.

    \b
    Example:
      aimdvc fsck
      aimdvc fsck --subset 1/7
    """
    if quick and (subset is not None or is_repair):
        raise UsageError("--quick excludes --subset and --repair: they read blobs")
    part = _part(subset)
    healed: list[str] = []
    value: dict[str, object] = {}
    if is_repair:
        # What heals can fetch, and so loads what a check has no need of.
        module = importlib.import_module("aimdvc.cli.repairing")
        repaired: Repaired = module.run_repair(cli, part)
        for note in repaired.notes:
            cli.out.note(note)
        found = repaired.checked
        healed = [f"healed: {one.what}: {one.how}" for one in repaired.healed]
        value = {"healed": repaired.healed, "notes": repaired.notes}
    else:
        found = fsck(cli.workspace, quick, cli.progress, part)
    fields = (place for damage in found.damage for place in damage.needed_by) if is_zero else None
    cli.out.result({"is_whole": not found.damage, "checked": found, **value}, [*healed, *_lines(found)], fields)
    return IntegrityError.exit_code if found.damage else 0


def _part(text: str | None) -> Part:
    number, slash, count = (text or "1/1").partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 0 < int(number) <= int(count)):
        raise UsageError(f"--subset is '{text}', expected N/T with N from 1 to T")
    return Part(int(number), int(count))


def _lines(found: Checked) -> Iterator[str]:
    for damage in found.damage:
        yield f"damaged: {damage.what}: {damage.reason}"
        yield from _places(damage, "needed by ")
    for warning in found.warnings:
        yield f"warning: {warning.what}: {warning.reason}"
        yield from _places(warning, "")
    yield f"{plural(found.blobs, 'blob')} ({size_text(found.size)}), {plural(found.commits, 'commit')}: " + (
        f"{plural(len(found.damage), 'thing')} damaged" if found.damage else "all whole"
    )
    if any(damage.what.startswith("git object ") for damage in found.damage):
        yield "`aimdvc fetch --refetch` brings the git objects of what the remote has anew"
    if found.not_fetched:
        yield f"{plural(found.not_fetched, 'blob')} of other versions not here; `aimdvc checkout` fetches what it needs"


def _places(damage: Damage, word: str) -> Iterator[str]:
    for place in damage.needed_by[:20]:
        yield f"  {word}{shown_path(place)}"
    if len(damage.needed_by) > 20:
        yield f"  … and {len(damage.needed_by) - 20:,} more"


@command("du")
def du_command(cli: Cli) -> None:
    """Show how much room each artifact takes

    Its blobs in all versions, and what is checked out; then the store, what of it no workspace has checked out, and the
    trash.

    \b
    Example:
      aimdvc du
    """
    used = du(cli.workspace)
    lines = [
        f"{one.artifact}: {plural(one.versions, 'version')}, {plural(one.blobs, 'blob')}, {size_text(one.size)};"
        f" checked out {size_text(one.checked_out)}"
        for one in used.artifacts
    ]
    lines.append(f"store: {size_text(used.on_disk)} on disk, {size_text(used.spare)} of it not checked out")
    if used.trash:
        lines.append(f"trash: {size_text(used.trash)}; `aimdvc trash empty` frees them")
    cli.out.result(
        {"artifacts": used.artifacts, "on_disk": used.on_disk, "spare": used.spare, "trash": used.trash}, lines
    )
