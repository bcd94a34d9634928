"""How large a git pack may be that comes from elsewhere. Sizes are of inflated bytes: a bomb is small before."""

from dataclasses import dataclass
from typing import Protocol


class PackLimits(Protocol):
    """What a check of a pack holds against it."""

    @property
    def git_object_bytes(self) -> int:
        """One inflated git object."""
        ...

    @property
    def inflated_bytes(self) -> int:
        """All git objects together, inflated."""
        ...

    @property
    def git_objects(self) -> int:
        """Git objects in one pack."""
        ...

    @property
    def delta_depth(self) -> int:
        """The longest chain of deltas."""
        ...


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a client takes from a remote."""

    git_object_bytes: int = 64 << 20
    inflated_bytes: int = 64 << 30
    git_objects: int = 50_000_000
    delta_depth: int = 4096
