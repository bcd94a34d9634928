"""What moves git objects and refs between a history and a remote; the HTTP that it runs over is handed in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aimdvc.git.history import History
from aimdvc.model.commits import RefUpdate
from aimdvc.model.oid import GitId
from aimdvc.model.progress import Progress


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """A remote's refs as it advertised them: by name, with the branch that its HEAD names and what it can do."""

    refs: dict[str, GitId]
    head: str | None
    capabilities: frozenset[str]


class HttpReply(Protocol):
    """An answer whose body is read as it comes. Header names are in lower case."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        ...

    def read(self, size: int) -> bytes:
        """Returns up to `size` bytes, b"" only at the end."""
        ...

    def close(self) -> None:
        """Gives the connection back."""
        ...


class Http(Protocol):
    """Sends requests; credentials, retries, redirects and error mapping are its own."""

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None = None,
        is_repeatable: bool = True,
    ) -> HttpReply:
        """Returns the answer, whose status is 2xx. Raises RemoteError, NotAuthorised."""
        ...


class Transport(Protocol):
    """One artifact's repository on a remote."""

    def read_refs(self, for_push: bool) -> RemoteRefs:
        """Returns the remote's refs: one round trip."""
        ...

    def fetch(
        self,
        history: History,
        wants: Sequence[GitId],
        progress: Progress,
        is_whole: bool = False,
        depth: int | None = None,
    ) -> None:
        """Brings what the wanted commits reach and the history lacks; durable when it returns. No ref moves.

        `is_whole` brings all that they reach: what is here may be damaged. With a `depth` only so many commits from
        each wanted one, itself included: the history ends there, except where it went on before.
        """
        ...

    def push(self, history: History, updates: Sequence[RefUpdate], known: RemoteRefs, progress: Progress) -> None:
        """Sends what the remote lacks, then moves its refs: all by compare-and-set, or none.

        Raises RefMoved when one is not where the update says, RemoteRefused with the remote's reason.
        """
        ...
