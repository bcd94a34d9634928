"""What is known of a version without bringing anything of it."""

from dataclasses import dataclass
from datetime import datetime, timezone

from aimdvc.sdk.answers import Answer


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an artifact, as the server tells it. `message` is that of its commit, trailers included."""

    version: str
    commit: str
    time: datetime
    author: str
    message: str


def version_of(told: Answer) -> Version:
    """Returns a version of what the server's REST says of it. Raises ProtocolError."""
    when = datetime.fromtimestamp(told.number("time_s"), timezone.utc)
    author = told.object("author").text("name")
    return Version(told.text("version"), told.text("commit"), when, author, told.text("message"))
