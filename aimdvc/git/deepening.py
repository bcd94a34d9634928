"""A history that ends early, or that goes deeper: in which order its file `shallow` and its commits change.

Begun before any commit comes, finished after all came. A process that is killed in between leaves commits noted as ends
that are not here; `changing_ends` forgets these.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aimdvc.errors import ProtocolError
from aimdvc.fs.locks import exclusive
from aimdvc.git.graph import Deepening
from aimdvc.git.history import History

NO_DEEPENING = Deepening(frozenset(), frozenset())

_LOCK = "aimdvc-shallow.lock"
_LOCK_WAIT_S = 10


@contextmanager
def changing_ends(history: History, is_deepening: bool) -> Iterator[None]:
    """Keeps other processes from changing where a history ends, if it does or is about to, while the `with` lasts.

    Raises Busy.
    """
    if not (is_deepening or history.shallow):
        yield
        return
    with exclusive(history.path / _LOCK, f"'{history.path}', whose history another process deepens", _LOCK_WAIT_S):
        history.reread_ends()
        absent = {commit for commit in history.shallow if not history.has(commit)}
        if absent:
            history.end_at(frozenset(history.shallow) - absent)
        yield


def begin_deepening(history: History, deepening: Deepening) -> None:
    """Notes where the history will end. What is here with its parents stays whole: a history is never cut shorter."""
    new = {commit for commit in deepening.shallow if not history.has(commit)}
    if new:
        history.end_at(frozenset(history.shallow) | new)


def finish_deepening(history: History, deepening: Deepening, source: str) -> None:
    """Lets the history go on beyond where it ended. Raises ProtocolError when what lies there didn't come."""
    opened = deepening.unshallow & frozenset(history.shallow)
    if not opened:
        return
    for parent in history.parents_of(opened):
        if not history.has(parent):
            raise ProtocolError(source, f"git object {parent} was announced and is not in the pack")
    history.end_at(frozenset(history.shallow) - opened)
