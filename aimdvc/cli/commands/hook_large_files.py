"""`aimdvc hook large-files`."""

import os

import click

from aimdvc.cli.hooked import Hooked, hook
from aimdvc.errors import Refused
from aimdvc.ops.hook_large_files import Limits, find_large, staged_paths

_NORMAL = Limits()


@hook("large-files", "aimdvc-large-files")
@click.argument("files", nargs=-1, type=click.Path(), metavar="[FILE…]")
@click.option(
    "--maxkb", type=click.IntRange(0), default=_NORMAL.max_kb, metavar="KB", help="The largest file of any kind; 500."
)
@click.option(
    "--kind-maxkb",
    type=click.IntRange(0),
    default=_NORMAL.kind_kb,
    metavar="KB",
    help="The largest file of a model or of data, by what it begins with; 10.",
)
@click.option(
    "--max-images",
    type=click.IntRange(0),
    default=_NORMAL.max_images,
    metavar="N",
    help="How many images may come at once; 20.",
)
@click.option("--enforce-all", is_flag=True, help="Files, too, that Git has already.")
def hook_large_files_command(
    hooked: Hooked, files: tuple[str, ...], maxkb: int, kind_maxkb: int, max_images: int, enforce_all: bool
) -> int:
    """Stop files that should be an artifact's

    A FILE that is new to Git is stopped, with 1, when it is larger than --maxkb, or larger than --kind-maxkb and of an
    artifact's kind: safetensors, Parquet, Arrow, Feather, Avro, NumPy, HDF5, GGUF, ONNX, PyTorch, pickle; and images
    when there are more than --max-images. The command that makes it an artifact's is told. Pointers of Git LFS, links
    and submodules are let through. Without FILE the files count that are staged. `SKIP=aimdvc-large-files git commit`
    lets all through, once.

    \b
    Example:
      aimdvc hook large-files --maxkb 1000 data/images/labels.csv
    """
    limits = Limits(maxkb, kind_maxkb, max_images, enforce_all)
    return tell_large(hooked, files, limits)


def tell_large(hooked: Hooked, files: tuple[str, ...], limits: Limits = _NORMAL) -> int:
    """Prints which files are stopped, and returns the exit code. Without files those that are staged are looked at."""
    found = find_large(hooked.project, _paths(hooked, files, limits), limits)
    hooked.cli.out.result({"files": found}, [one.line for one in found])
    return Refused.exit_code if found else 0


def _paths(hooked: Hooked, files: tuple[str, ...], limits: Limits) -> list[str]:
    if not files:
        return staged_paths(hooked.project, hooked.index_path, limits)
    top, here = hooked.project.work_tree, os.path.realpath(hooked.cli.here)
    inside = (os.path.relpath(os.path.join(here, file), top).replace(os.sep, "/") for file in files)
    return [path for path in inside if path != ".." and not path.startswith("../")]
