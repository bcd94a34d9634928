"""Connections for commands: the session with the user's keys, made from the environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError
from aimdvc.ops.connect import Connector
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.remote.credentials import Credentials, KeyFile, check_key
from aimdvc.remote.session import Patience, Session
from aimdvc.remote.urls import check_url, is_path, origin_of, shown

__all__ = ["blob_fetcher", "connector", "key_file", "open_session"]

_READ_S = 120.0
_EXAMPLE = "aimd.example.org"


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
    given: dict[str, str] = {}
    hint = "run `aimdvc login URL`, or set AIMDVC_HOST=URL and AIMDVC_API_KEY"
    host = cli.environment.get("AIMDVC_HOST")
    if host and not host.lower().startswith(("http://", "https://")):
        raise UsageError(f"AIMDVC_HOST is '{shown(host)}', expected an http(s) URL such as 'https://{_EXAMPLE}'")
    key = cli.environment.get("AIMDVC_API_KEY", "")
    if key:
        for trusted in (host, cli.typed_url):
            if trusted and not is_path(trusted) and not trusted.startswith("file:"):
                check_url(trusted)
                given[origin_of(trusted)] = check_key(key)
        hint = "AIMDVC_API_KEY goes only to the server in AIMDVC_HOST: set both, or run `aimdvc login URL`"
        if given:
            hint = f"if that is '{', '.join(given)}', it refused AIMDVC_API_KEY; {hint}"
    patience = Patience(read_s=_seconds(cli, "AIMDVC_TIMEOUT", _READ_S))
    return Session(Credentials(key_file(cli), {**given, **(typed or {})}, cli.environment, hint), patience)


def _seconds(cli: Cli, variable: str, default: float) -> float:
    text = cli.environment.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise UsageError(f"{variable} is '{text}', expected seconds between 0 and 86400")
    return seconds
