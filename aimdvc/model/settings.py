"""Settings, by where they are kept. Only the keys named here are read.

`.aimdvc/config` is committed with the code, and so hostile: it names remotes. What is the machine's business is in
`store.config`, which nobody commits, or in the user's own file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from aimdvc.errors import UsageError
from aimdvc.model.gitconfig import ConfigFile
from aimdvc.model.names import check_remote_name
from aimdvc.model.sizes import parse_size

Link = Literal["reflink", "hardlink", "copy"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What is committed with the code: `remotes` are URLs by name."""

    remotes: dict[str, str] = field(default_factory=dict)


def parse_settings(config: ConfigFile) -> Settings:
    """Returns the settings of a committed file. Raises InvalidName."""
    remotes = {}
    for name in config.subsections("remote"):
        url = config.get("remote", name, "url")
        if url is not None:
            remotes[check_remote_name(name)] = url
    return Settings(remotes)


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What holds on this machine: how blobs that are files get into workspaces, and `cache_limit` in bytes or None."""

    link: Link = "reflink"
    cache_limit: int | None = None


def parse_local_settings(files: Iterable[ConfigFile]) -> LocalSettings:
    """Returns the settings of files that nobody commits: the first that has a key counts. Raises UsageError."""
    links, limits = [], []
    for config in files:
        links.append(config.get("core", None, "link"))
        limits.append(config.get("cache", None, "limit"))
    limit = next((text for text in limits if text is not None), None)
    return LocalSettings(parse_link(next(filter(None, links), "reflink")), parse_size(limit) if limit else None)


def parse_link(text: str) -> Link:
    """Returns the way of linking that a setting names. Raises UsageError."""
    if text == "reflink":
        return "reflink"
    if text == "hardlink":
        return "hardlink"
    if text == "copy":
        return "copy"
    raise UsageError(f"core.link is '{text}', expected reflink, hardlink or copy")
