"""How large a git pack may be that comes from elsewhere. Sizes are of inflated bytes: a bomb is small before."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PackRatio:
    """What a pack may cost for each byte that was sent. Below the floors no ratio counts.

    A pointer takes about 140 bytes of a pack, its object 340 in memory. A version that changes one file of a directory
    of 100,000 takes 400 bytes of a pack, once its tree is there, and 3.5 MiB inflated.
    """

    object_bytes: int = 32
    """The least mean bytes of one object."""
    object_floor: int = 100_000
    """So many objects are always fine."""
    inflated: int = 500
    """The most inflated bytes for each byte of the pack."""
    inflated_floor: int = 256 << 20
    """So many inflated bytes are always fine."""


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

    @property
    def ratio(self) -> PackRatio | None:
        """What holds in proportion to the pack's size, or None where only the absolute limits do."""
        ...


def most_objects(limits: PackLimits, size: int) -> int:
    """Returns how many objects a pack of this many bytes may hold."""
    if limits.ratio is None:
        return limits.git_objects
    return min(limits.git_objects, max(limits.ratio.object_floor, size // limits.ratio.object_bytes))


def most_inflated(limits: PackLimits, size: int) -> int:
    """Returns how many bytes may be inflated to read a pack of this many bytes."""
    if limits.ratio is None:
        return limits.inflated_bytes
    return min(limits.inflated_bytes, max(limits.ratio.inflated_floor, size * limits.ratio.inflated))


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What a client takes from a remote, which it chose: a clone may hold years of versions of one large tree."""

    git_object_bytes: int = 64 << 20
    inflated_bytes: int = 64 << 30
    git_objects: int = 50_000_000
    delta_depth: int = 4096
    ratio: PackRatio | None = None
