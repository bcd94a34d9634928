"""`aimdvc ref`: entries that name a URI instead of holding bytes."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from aimdvc.cli.action import Action
from aimdvc.cli.command import command, zero_option
from aimdvc.cli.completion import complete_selector
from aimdvc.cli.context import Cli
from aimdvc.cli.output import described, say_error, shown_path
from aimdvc.errors import IntegrityError, UsageError
from aimdvc.model.references import Reference, References, can_read
from aimdvc.model.sizes import size_text
from aimdvc.ops.references import add_reference, find_reference, list_references, remove_reference
from aimdvc.ops.reffetch import Fetched, Wanted, fetch_references
from aimdvc.ops.sources import Sources, check_all

if TYPE_CHECKING:
    from aimdvc.remote.session import Session


@command("ref")
@click.argument("action", type=Action(["list", "add", "rm", "check", "fetch"]), default="list")
@click.argument("values", nargs=-1, metavar="[URI] [NAME[@REV][:KEY]]…", shell_complete=complete_selector)
@click.option("--size", type=click.IntRange(0), metavar="BYTES", help="With add: what it has, as recorded.")
@click.option("--etag", help="With add: its server's tag, as recorded.")
@click.option("--sha256", metavar="HEX", help="With add: its hash, as recorded.")
@click.option("--probe", is_flag=True, help="With add: ask the URI for size and etag.")
@click.option("--hash", "is_hashing", is_flag=True, help="With check: read and hash everything.")
@click.option(
    "--allow-root", "roots", multiple=True, metavar="DIR", help="Read file: URIs below DIR (can be repeated)."
)
@click.option("--out", metavar="PATH", help="With fetch: a file, or a directory for several; here, if not given.")
@zero_option
def ref_command(
    cli: Cli,
    action: str,
    values: tuple[str, ...],
    size: int | None,
    etag: str | None,
    sha256: str | None,
    probe: bool,
    is_hashing: bool,
    roots: tuple[str, ...],
    out: str | None,
    is_zero: bool,
) -> int:
    """Record what lies elsewhere as entries of an artifact

    A reference is versioned and pushed like a file, and holds a URI of any scheme in place of bytes. `add` stages one,
    `rm` removes it. Nothing is asked of the network but by --probe, `check` and `fetch`: those read http(s), without
    any key, and files below --allow-root. `check` exits with 3 when one changed or is gone; `fetch` brings one key,
    those below a directory, or all, writes nothing that differs from what was recorded, and goes on with what was cut.

    \b
    Example:
      aimdvc ref add s3://bucket/raw/train.csv images:raw/train.csv --size 1048576
      aimdvc ref list images
      aimdvc ref check images --hash
      aimdvc ref rm images:raw/train.csv
    """
    asked = _Asked(values, size, etag, sha256, probe, is_hashing, roots, out)
    if action == "list":
        _list(cli, asked, is_zero)
    elif action == "check":
        return _check(cli, asked)
    elif action == "add":
        _add(cli, asked)
    elif action == "rm":
        _rm(cli, asked)
    else:
        return _fetch(cli, asked)
    return 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was typed after the action."""

    values: tuple[str, ...]
    size: int | None
    etag: str | None
    sha256: str | None
    probe: bool
    is_hashing: bool
    roots: tuple[str, ...]
    out: str | None


def _known(cli: Cli, asked: _Asked, action: str) -> tuple[str, References]:
    if len(asked.values) > 1:
        raise UsageError(f"{action} takes one artifact", hint=f"run `aimdvc ref {action} NAME[@REV]`")
    hint = f"run `aimdvc ref {action} NAME`: leave the key out"
    name, parsed = cli.selector(asked.values[0] if asked.values else None, hint)
    return name, list_references(cli.workspace, name, parsed.revision)


def _list(cli: Cli, asked: _Asked, is_zero: bool) -> None:
    name, known = _known(cli, asked, "list")
    fields = (field for one in known.values() for field in (one.key, one.uri)) if is_zero else None
    cli.out.result({"artifact": name, "references": list(known.values())}, map(_line, known.values()), fields)


def _check(cli: Cli, asked: _Asked) -> int:
    name, known = _known(cli, asked, "check")
    with _opened(cli, asked.roots) as sources:
        checked = list(check_all(known, sources, asked.is_hashing, cli.progress))
    lines = (f"{one.state:<9}  {shown_path(one.reference.key)}  {one.reason}".rstrip() for one in checked)
    cli.out.result({"artifact": name, "checked": checked}, lines)
    codes = {one.exit_code for one in checked} - {0}
    return IntegrityError.exit_code if IntegrityError.exit_code in codes else min(codes, default=0)


def _add(cli: Cli, asked: _Asked) -> None:
    if len(asked.values) != 2:
        raise UsageError("add needs a URI and where it goes", hint="run `aimdvc ref add URI NAME:KEY`")
    name, key = _key(cli, asked.values[1])
    reference = Reference(key, asked.values[0], asked.size, asked.etag, asked.sha256)
    if asked.probe:
        reference = _probed(cli, reference, asked.roots)
    done = add_reference(cli.workspace, name, reference)
    what = "is staged" if done.is_new else "is staged in place of what it was"
    cli.out.result({"artifact": name, "reference": reference}, [f"{name}: reference {shown_path(key)} {what}"])


def _rm(cli: Cli, asked: _Asked) -> None:
    name, key = _one_key(cli, asked, "rm")
    removed = remove_reference(cli.workspace, name, key)
    line = f"{name}: reference {shown_path(key)} is staged as removed"
    cli.out.result({"artifact": name, "reference": removed.reference}, [line])


def _fetch(cli: Cli, asked: _Asked) -> int:
    chosen = [_chosen(cli, text) for text in asked.values or (None,)]
    found = {(name, one.key): one for name, references, _ in chosen for one in references}
    out = cli.here / (asked.out or ".")
    if len(chosen) == 1 and chosen[0][2]:
        (one,) = found.values()
        base_name = one.key.rpartition("/")[2]
        target = out / base_name if asked.out is None or out.is_dir() else out
        wanted = [Wanted(one, target, asked.out is not None)]
    else:
        wanted = [Wanted(one, out / one.key, False) for one in found.values()]
        if len({one.target for one in wanted}) < len(wanted):
            raise UsageError("two of the artifacts have the same key", hint="fetch one at a time, each with its --out")
    with _opened(cli, asked.roots) as sources:
        bulk = fetch_references(cli.workspace, wanted, sources, cli.progress)
    failed = [{"key": one.artifact, **described(one.error)} for one in bulk.failed]
    value = {"fetched": bulk.done} | ({"failed": failed, **described(bulk.failed[0].error)} if failed else {})
    cli.out.result(value, map(_fetched_line, bulk.done))
    sys.stdout.flush()
    for failure in bulk.failed:
        say_error(f"{shown_path(failure.artifact)}: {failure.error.message}", failure.error.hint)
    return bulk.failed[0].error.exit_code if bulk.failed else 0


def _chosen(cli: Cli, text: str | None) -> tuple[str, list[Reference], bool]:
    """Returns the artifact, the references that a selector means, and whether it names one key."""
    name, parsed = cli.selector(text, None)
    known = list_references(cli.workspace, name, parsed.revision)
    if parsed.path is None:
        return name, list(known.values()), False
    below = [one for one in known.values() if one.key.startswith(f"{parsed.path}/")]
    return (name, below, False) if below else (name, [find_reference(known, name, parsed.path)], True)


def _fetched_line(one: Fetched) -> str:
    resumed = f", {size_text(one.resumed)} of it here before" if one.resumed else ""
    key = shown_path(one.reference.key)
    return f"{key}: {size_text(one.size)} in {shown_path(one.path)}{resumed}, sha256 {one.sha256}"


def _one_key(cli: Cli, asked: _Asked, action: str) -> tuple[str, str]:
    if len(asked.values) != 1:
        raise UsageError(f"{action} needs a key", hint=f"run `aimdvc ref {action} NAME:KEY`")
    return _key(cli, asked.values[0])


def _line(reference: Reference) -> str:
    known = [f"{reference.size} bytes"] if reference.size is not None else []
    known += [f"etag {reference.etag}"] if reference.etag is not None else []
    known += [f"sha256 {reference.sha256}"] if reference.sha256 is not None else []
    return f"{shown_path(reference.key)}  {reference.uri}" + (f"  ({', '.join(known)})" if known else "")


def _key(cli: Cli, text: str) -> tuple[str, str]:
    name, parsed = cli.selector(text, None)
    if not parsed.path:
        raise UsageError(f"'{text}' names no key", hint=f"run it with {name}:KEY")
    if parsed.revision is not None:
        raise UsageError("a version can't be changed", hint=f"leave @{parsed.revision} out, then commit")
    return name, parsed.path


@contextmanager
def _opened(cli: Cli, roots: tuple[str, ...]) -> Iterator[Sources]:
    """Opens sources for as long as a `with` lasts; the network is loaded by the first that asks it."""

    def open_session() -> "Session":
        session: Session = importlib.import_module("aimdvc.cli.network").open_session(cli)
        return session

    sources = Sources(open_session, [cli.here / root for root in roots])
    try:
        yield sources
    finally:
        sources.close()


def _probed(cli: Cli, reference: Reference, roots: tuple[str, ...]) -> Reference:
    with _opened(cli, roots) as sources:
        if not can_read(reference.uri):
            raise UsageError(f"--probe asks http(s) and files, and not '{reference.uri.partition(':')[0]}'")
        found = sources.look(reference.uri)
    if found is None:
        raise UsageError(f"nothing is at '{reference.uri}'", hint="check the URI, or leave --probe out")
    size = reference.size if reference.size is not None else found.size
    return Reference(reference.key, reference.uri, size, reference.etag or found.etag, reference.sha256)
