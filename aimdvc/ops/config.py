"""`config`: the settings of a workspace. Only known keys: the file is committed, and read on every machine.

`cache.limit` is this machine's alone, and kept in the store.
"""

from collections.abc import Iterable
from pathlib import Path

from aimdvc.errors import UsageError
from aimdvc.model.gitconfig import parse
from aimdvc.model.nearest import did_you_mean
from aimdvc.model.settings import parse_link, parse_size
from aimdvc.ops.remotes import add_remote, remove_remote, set_remote_url
from aimdvc.ops.workspace import Workspace

_LINK = "core.link"
_LIMIT = "cache.limit"


def read_config(workspace: Workspace, key: str | None) -> dict[str, str]:
    """Returns the settings that count, by key; one alone when `key` is given. Raises UsageError for an unknown one."""
    found = {_LINK: str(workspace.settings.link)}
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
    if key == _LINK:
        _edit(workspace, workspace.config_path, ("core", "link"), parse_link(value) if value is not None else None)
    elif key == _LIMIT:
        if value is not None:
            parse_size(value)
        workspace.disk.make_directory(workspace.places.store)
        _edit(workspace, workspace.local_config_path, ("cache", "limit"), value)
    else:
        raise _unknown(key, [_LINK, _LIMIT])


def _edit(workspace: Workspace, path: Path, key: tuple[str, str], value: str | None) -> None:
    config = parse(path.read_bytes() if path.exists() else b"", str(path))
    if value is None:
        config.unset(key[0], None, key[1])
    else:
        config.set(key[0], None, key[1], value)
    workspace.replace_file(path, config.dump())
    for name in ("settings", "local_settings"):
        workspace.__dict__.pop(name, None)


def _unknown(key: str, known: Iterable[str]) -> UsageError:
    hint = did_you_mean(key, known) or f"the settings are {_LINK}, {_LIMIT} and remote.NAME.url"
    return UsageError(f"no setting '{key}'", hint=hint)
