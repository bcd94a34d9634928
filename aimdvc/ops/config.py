"""`config`: the settings of a workspace. Only known keys: the file is committed, and read on every machine."""

from collections.abc import Iterable
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.model.gitconfig import parse
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.settings import parse_link
from aimdvc.ops.remotes import add_remote, remove_remote, set_remote_url
from aimdvc.ops.workspace import Workspace

_LINK = "core.link"


def read_config(workspace: Workspace, key: str | None) -> dict[str, str]:
    """Returns the settings that count, by key; one alone when `key` is given. Raises UsageError for an unknown one."""
    found = {_LINK: str(workspace.settings.link)}
    found |= {f"remote.{name}.url": url for name, url in sorted(workspace.settings.remotes.items())}
    if key is None:
        return found
    if key not in found:
        raise _unknown(key, found)
    return {key: found[key]}


def set_config(workspace: Workspace, here: Path, key: str, value: str | None) -> None:
    """Sets a key, or removes it with None. Raises UsageError, UnsafeUrl."""
    section, _, rest = key.partition(".")
    name, dot, last = rest.rpartition(".")
    if section == "remote" and dot and last == "url":
        if value is None:
            remove_remote(workspace, name)
        elif name in workspace.settings.remotes:
            set_remote_url(workspace, here, name, value)
        else:
            add_remote(workspace, here, name, value)
        return
    if key != _LINK:
        raise _unknown(key, [_LINK])
    path = workspace.config_path
    config = parse(path.read_bytes() if path.exists() else b"", str(path))
    if value is None:
        config.unset("core", None, "link")
    else:
        config.set("core", None, "link", parse_link(value))
    workspace.replace_file(path, config.dump())
    workspace.__dict__.pop("settings", None)


def _unknown(key: str, known: Iterable[str]) -> UsageError:
    hint = did_you_mean(key, known) or f"the settings are {_LINK} and remote.NAME.url"
    return UsageError(f"no setting '{key}'", hint=hint)
