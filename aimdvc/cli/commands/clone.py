"""`aimdvc clone` and `aimdvc get`."""

from dataclasses import replace
from pathlib import Path

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.cli.depth import depth_option
from aimdvc.cli.network import blob_fetcher, connector
from aimdvc.cli.output import plural
from aimdvc.cli.part import absent_text, note_unmatched, part_of, part_options
from aimdvc.ops.blobs import Means
from aimdvc.ops.clone import Cloned, clone, get, parse_origin


@command("clone")
@click.argument("address", metavar="URL/NAME[@REV]")
@click.argument("path", required=False, type=click.Path())
@depth_option
@part_options
def clone_command(
    cli: Cli, address: str, path: str | None, depth: int | None, include: tuple[str, ...], exclude: tuple[str, ...]
) -> None:
    """Bring an artifact of a remote here, with its history

    Inside a workspace it becomes an artifact of it at PATH, and aimdvc.lock pins it. Elsewhere PATH becomes a workspace
    of its own. A clone that was cut is finished by running it again. --include and --exclude leave the other files out
    until they are asked for, --depth leaves older versions out (`aimdvc help partial`).

    \b
    Example:
      aimdvc clone https://aimd.example.org/team/images@v3 data/images
      aimdvc clone https://aimd.example.org/team/images newest --depth 1
      aimdvc clone https://aimd.example.org/team/images --include 'train/**'
    """
    origin = replace(parse_origin(address, cli.here), part=part_of(include, exclude), depth=depth)
    cli.typed_url = origin.url
    with connector(cli) as connections:
        means = Means(blob_fetcher(connections), cli.progress, cli.user_config)
        done = clone(connections, cli.here, origin, path, cli.disk, means)
    _print(cli, done)


@command("get")
@click.argument("address", metavar="URL/NAME[@REV]")
@click.option("--out", metavar="DIR", type=click.Path(), help="Where to; else a directory named as the artifact.")
@part_options
def get_command(cli: Cli, address: str, out: str | None, include: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """Write the files of a remote version into a directory

    No workspace is needed, and no history is brought.

    \b
    Example:
      aimdvc get https://aimd.example.org/team/images@production --out images
    """
    origin = replace(parse_origin(address, cli.here), part=part_of(include, exclude))
    cli.typed_url = origin.url
    target = cli.here / Path(out or origin.name)
    with connector(cli) as connections:
        done = get(connections, origin, target, cli.disk, Means(blob_fetcher(connections), cli.progress))
    _print(cli, done)


def _print(cli: Cli, done: Cloned) -> None:
    note_unmatched(cli, done.artifact, done.unmatched)
    line = f"{done.artifact} {done.version} in '{done.path}': {plural(done.files, 'file')}{absent_text(done.absent)}"
    cli.out.result({"artifacts": [done]}, [line])
