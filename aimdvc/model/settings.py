"""`.aimdvc/config`: shared settings, committed with the code and so hostile. Only the keys named here are read."""

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
