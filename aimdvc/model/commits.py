"""A commit of an artifact, and what must be known to write one."""

from typing import NamedTuple

from aimdvc.model.oid import GitId

REFLOG_S = 90 * 24 * 3600
"""Seconds; a move of a ref, or of a HEAD, keeps what it moved from for as long, as Git's gc.reflogExpire does."""


class Signature(NamedTuple):
    """Who and when. `time_s` is seconds since the epoch; `zone_s` is the offset east of UTC in seconds."""

    name: str
    email: str
    time_s: int
    zone_s: int


class Commit(NamedTuple):
    """A commit as read. The message holds the trailers too and ends with one newline."""

    id: GitId
    tree: GitId
    parents: tuple[GitId, ...]
    author: Signature
    committer: Signature
    message: str

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class CommitDraft(NamedTuple):
    """All that a new commit holds; its id follows from it."""

    tree: GitId
    parents: tuple[GitId, ...]
    author: Signature
    committer: Signature
    message: str


class RefUpdate(NamedTuple):
    """One ref to move from `old` to `new`; None means that it is not there (create, delete)."""

    ref: str
    old: GitId | None
    new: GitId | None


def trailer(message: str, key: str) -> str | None:
    """Returns the value of a trailer of a message: a line `key: value` of its last paragraph; the last one counts."""
    paragraph = message.rstrip("\n").rpartition("\n\n")[2]
    values = [line.partition(": ")[2] for line in paragraph.split("\n") if line.startswith(f"{key}: ")]
    return values[-1].strip() if values else None
