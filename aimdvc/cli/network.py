"""Connections for commands: the session with the user's keys, made from the environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aimdvc.cli.context import Cli
from aimdvc.ops.connect import Connector
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.ops.workspace import Workspace
from aimdvc.remote import opening
from aimdvc.remote.credentials import KeyFile
from aimdvc.remote.session import Session
from aimdvc.remote.urls import check_url, is_path, origin_of
from aimdvc.store.state import origin_of_source

__all__ = ["blob_fetcher", "connector", "is_used", "key_file", "open_session"]


@contextmanager
def connector(cli: Cli) -> Iterator[Connector]:
    """Opens connections while the `with` lasts."""
    made = Connector(lambda: open_session(cli))
    try:
        yield made
    finally:
        made.close()


def key_file(cli: Cli) -> KeyFile:
    """Returns the user's keys: `$XDG_CONFIG_HOME/aimdvc/keys.json`."""
    return KeyFile(cli.user_directory / "keys.json", cli.disk)


def open_session(cli: Cli, typed: Mapping[str, str] | None = None) -> Session:
    """Returns a session that knows which key may go where; keys that were `typed`, by origin, go before all others."""
    return opening.open_session(cli.environment, key_file(cli), cli.typed_url, typed)


def is_used(cli: Cli, workspace: Workspace, name: str, source: str | None) -> bool:
    """Returns whether the user has used an artifact's remote before: it didn't merely come with the code.

    A server: there is a key for it, or AIMDVC_HOST names it. A folder: this store has fetched from it.
    """
    remote, _ = origin_of_source(name, source)
    url = workspace.settings.remotes.get(remote)
    if url is None:
        return False
    if is_path(url) or url.startswith("file:"):
        is_here = workspace.repository_path(name).exists()
        return is_here and bool(workspace.history(name).refs(f"refs/remotes/{remote}/"))
    check_url(url)
    host = cli.environment.get("AIMDVC_HOST", "")
    named = origin_of(host) if host.lower().startswith(("http://", "https://")) else None
    return origin_of(url) == named or origin_of(url) in key_file(cli).read()
