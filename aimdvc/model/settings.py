"""The settings: `.aimdvc/config` is committed with the code and so hostile; `store.config` is this machine's alone.

Only the keys named here are read.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from aimdvc.errors import UsageError
from aimdvc.model.gitconfig import ConfigFile
from aimdvc.model.names import check_remote_name

Link = Literal["reflink", "hardlink", "copy"]


@dataclass(frozen=True, slots=True)
class Settings:
    """`remotes` are URLs by name; `link` says how blobs that are files get into the workspace."""

    remotes: dict[str, str] = field(default_factory=dict)
    link: Link = "reflink"


def parse_settings(config: ConfigFile) -> Settings:
    """Returns the settings of a config file. Raises InvalidName, UsageError for a value that isn't allowed."""
    remotes = {}
    for name in config.subsections("remote"):
        url = config.get("remote", name, "url")
        if url is not None:
            remotes[check_remote_name(name)] = url
    return Settings(remotes, parse_link(config.get("core", None, "link") or "reflink"))


def parse_link(text: str) -> Link:
    """Returns the way of linking that a setting names. Raises UsageError."""
    if text == "reflink":
        return "reflink"
    if text == "hardlink":
        return "hardlink"
    if text == "copy":
        return "copy"
    raise UsageError(f"core.link is '{text}', expected reflink, hardlink or copy")


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What holds for this store on this machine: `cache_limit` in bytes, None for no limit."""

    cache_limit: int | None = None


_SIZE = re.compile(r"([0-9]{1,12})(\.[0-9]{1,3})? ?([KMGT]?)(i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_local_settings(config: ConfigFile) -> LocalSettings:
    """Returns the settings of a `store.config`. Raises UsageError for a value that isn't allowed."""
    limit = config.get("cache", None, "limit")
    return LocalSettings(parse_size(limit) if limit is not None else None)


def parse_size(text: str) -> int:
    """Returns the bytes that a size means: `50G`, `1.5 TiB`, `1000000`. Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"size '{text}': expected a number and K, M, G or T, such as 50G")
    return int(float(match[1] + (match[2] or "")) * _UNITS[match[3].upper()])
