"""Connections for commands: the session with the user's keys, made from the environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aimdvc.cli.context import Cli
from aimdvc.ops.connect import Connector
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.remote import opening
from aimdvc.remote.credentials import KeyFile
from aimdvc.remote.session import Session

__all__ = ["blob_fetcher", "connector", "key_file", "open_session"]


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
