"""How a verb tells how far it is, without knowing who looks."""

from typing import Literal, Protocol


class Progress(Protocol):
    """One task at a time: started, advanced, finished. Calls come from one thread at a time."""

    def start(self, label: str, total: int | None, unit: Literal["bytes", "files"]) -> None:
        """Begins a task of `total` bytes or files, None when unknown."""
        ...

    def advance(self, amount: int) -> None:
        """Adds to what is done."""
        ...

    def finish(self) -> None:
        """Ends the task."""
        ...


class Silent:
    """Shows nothing."""

    def start(self, label: str, total: int | None, unit: Literal["bytes", "files"]) -> None:
        """Does nothing."""

    def advance(self, amount: int) -> None:
        """Does nothing."""

    def finish(self) -> None:
        """Does nothing."""
