"""`remote`: the remotes in `.aimdvc/config`, which is committed with the code."""

import os
from pathlib import Path

from aimdvc.errors import UnknownRemote, UsageError
from aimdvc.model.gitconfig import parse
from aimdvc.model.names import check_remote_name
from aimdvc.model.nearest import did_you_mean
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.urls import check_url, is_path


def list_remotes(workspace: Workspace) -> dict[str, str]:
    """Returns the remotes and their URLs, by name."""
    return dict(sorted(workspace.settings.remotes.items()))


def add_remote(workspace: Workspace, here: Path, name: str, url: str) -> None:
    """Adds a remote. Raises UsageError when the name is taken."""
    check_remote_name(name)
    if name in workspace.settings.remotes:
        raise UsageError(f"remote '{name}' already exists", hint=f"run `aimdvc remote set-url {name} URL`")
    _set(workspace, name, checked_url(url, here))


def set_remote_url(workspace: Workspace, here: Path, name: str, url: str) -> None:
    """Changes where a remote is. Raises UnknownRemote."""
    if name not in workspace.settings.remotes:
        raise UnknownRemote(name, did_you_mean(name, workspace.settings.remotes))
    _set(workspace, name, checked_url(url, here))


def remove_remote(workspace: Workspace, name: str) -> None:
    """Forgets a remote; what was fetched from it stays. Raises UnknownRemote."""
    if name not in workspace.settings.remotes:
        raise UnknownRemote(name, did_you_mean(name, workspace.settings.remotes))
    config = parse(workspace.config_path.read_bytes(), str(workspace.config_path))
    config.remove_section("remote", name)
    workspace.replace_file(workspace.config_path, config.dump())
    workspace.__dict__.pop("settings", None)


def checked_url(url: str, here: Path) -> str:
    """Returns a remote's URL as it is kept: a typed path becomes absolute. Raises UnsafeUrl."""
    check_url(url)
    return os.path.normpath(os.path.join(here, os.path.expanduser(url))) if is_path(url) else url.rstrip("/")


def _set(workspace: Workspace, name: str, url: str) -> None:
    path = workspace.config_path
    config = parse(path.read_bytes() if path.exists() else b"", str(path))
    config.set("remote", name, "url", url)
    workspace.replace_file(path, config.dump())
    workspace.__dict__.pop("settings", None)
