"""A verb over several artifacts: each is tried, what failed is collected, and nothing that was done goes unsaid."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from aimdvc.errors import AimdvcError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """One artifact that the verb could not be done for, and why."""

    artifact: str
    error: AimdvcError


@dataclass(slots=True)
class Bulk(Generic[T]):
    """What was done, and what was not."""

    done: list[T] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


def each(names: Iterable[str], act: Callable[[str], T]) -> Bulk[T]:
    """Returns the results of a verb on each artifact; an error of one doesn't keep it from the others."""
    bulk: Bulk[T] = Bulk()
    for name in names:
        try:
            bulk.done.append(act(name))
        except AimdvcError as error:
            bulk.failed.append(Failure(name, error))
    return bulk
