"""The first word of a command that does several things: `list`, `add` and the like."""

from typing import Any

import click

from aimdvc.errors import UsageError


class Action(click.Choice[str]):
    """Takes one of the words; for any other it asks for the one that may have been left out, the first."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the word. Raises UsageError."""
        if value in self.choices:
            return str(value)
        command = ctx.command_path if ctx is not None else "aimdvc"
        words = ", ".join(self.choices)
        raise UsageError(
            f"'{value}' is none of {words}", hint=f"say which: `{command} {self.choices[0]} {value}`, for one"
        )
