"""`config`: the settings of a workspace, of this machine and of the user. Only known keys: one file is committed."""

from collections.abc import Callable, Iterable
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.fs.disk import Disk
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.settings import parse_link
from aimdvc.model.sizes import parse_size
from aimdvc.ops.remotes import add_remote, remove_remote, set_remote_url
from aimdvc.ops.workspace import Workspace, read_config_file

_LINK = "core.link"
_LIMIT = "cache.limit"
_LOCAL: dict[str, Callable[[str], object]] = {_LINK: parse_link, _LIMIT: parse_size}
"""The keys of the files that nobody commits, each with what refuses a value that isn't allowed."""


def read_config(workspace: Workspace, key: str | None) -> dict[str, str]:
    """Returns the settings that count, by key; one alone when `key` is given. Raises UsageError for an unknown one."""
    found = {_LINK: str(workspace.local_settings.link)}
    found |= {f"remote.{name}.url": url for name, url in sorted(workspace.settings.remotes.items())}
    limit = workspace.local_settings.cache_limit
    if limit is not None:
        found[_LIMIT] = str(limit)
    if key is None:
        return found
    if key == _LIMIT and limit is None:
        return {}
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
    _edit(workspace.local_config_path, workspace.disk, key, value)
    workspace.__dict__.pop("local_settings", None)


def set_user_config(path: Path, disk: Disk, key: str, value: str | None) -> None:
    """Sets a key, or removes it with None, in the user's own file: for every workspace that doesn't say otherwise."""
    _edit(path, disk, key, value)


def _edit(path: Path, disk: Disk, key: str, value: str | None) -> None:
    check = _LOCAL.get(key)
    if check is None:
        raise _unknown(key, _LOCAL)
    section, _, name = key.partition(".")
    config = read_config_file(path)
    if value is None:
        config.unset(section, None, name)
    else:
        check(value)
        config.set(section, None, name, value)
    disk.make_directory(path.parent)
    disk.replace_file(path, config.dump())


def _unknown(key: str, known: Iterable[str]) -> UsageError:
    if key.startswith("user."):
        return UsageError(f"no setting '{key}'", hint=f"the author is Git's: run `git config --global {key} …`")
    hint = did_you_mean(key, known) or f"the settings are {_LINK}, {_LIMIT} and remote.NAME.url"
    return UsageError(f"no setting '{key}'", hint=hint)
