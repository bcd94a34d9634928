"""What is known of a version without bringing anything of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an artifact, as the server tells it. `message` is that of its commit, trailers included."""

    version: str
    commit: str
    time: datetime
    author: str
    message: str


def version_of(told: Mapping[str, Any]) -> Version:
    """Returns a version of what the server's REST says of it."""
    when = datetime.fromtimestamp(float(told["time_s"]), timezone.utc)
    return Version(str(told["version"]), str(told["commit"]), when, str(told["author"]["name"]), str(told["message"]))
