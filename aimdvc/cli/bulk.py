"""How a verb over several artifacts ends: what was done is printed, then what was not; the first error counts."""

import sys
from collections.abc import Callable
from typing import TypeVar

from aimdvc.cli.context import Cli
from aimdvc.cli.output import described, say_error
from aimdvc.ops.bulk import Bulk

T = TypeVar("T")


def finish(cli: Cli, bulk: Bulk[T], line: Callable[[T], str], nothing: str = "") -> int:
    """Prints the results and returns the exit code: 0, or that of the first artifact that failed."""
    failed = [{"artifact": failure.artifact, **described(failure.error)} for failure in bulk.failed]
    value: dict[str, object] = {"artifacts": bulk.done}
    if failed:
        value |= {"failed": failed, **described(bulk.failed[0].error)}
    lines = [line(one) for one in bulk.done]
    cli.out.result(value, lines or ([nothing] if nothing and not failed else []))
    sys.stdout.flush()
    for failure in bulk.failed:
        error = failure.error
        named = error.message if f"'{failure.artifact}'" in error.message else f"{failure.artifact}: {error.message}"
        say_error(named, error.hint)
    return bulk.failed[0].error.exit_code if bulk.failed else 0
