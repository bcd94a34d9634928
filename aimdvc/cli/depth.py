"""`--depth`: how many versions of a history a command brings."""

from collections.abc import Callable
from typing import Any

import click

from aimdvc.git.graph import WHOLE_DEPTH

Function = Callable[..., Any]


def depth_option(function: Function) -> Function:
    """Adds `--depth N`; it comes as `depth`, None for all."""
    made: Function = click.option(
        "--depth",
        type=click.IntRange(1, WHOLE_DEPTH - 1),
        metavar="N",
        help="Bring only the newest N versions of the history.",
    )(function)
    return made
