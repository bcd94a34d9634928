"""`login` and `logout`: which server the SDK talks to, and the user's key for it, where the command line has it."""

import uuid
from collections.abc import Mapping

from aimdvc.errors import NotAuthorised, ProtocolError, RemoteUnreachable, UnsafeUrl, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.model.gitconfig import ConfigFile
from aimdvc.ops.login import try_key
from aimdvc.ops.workspace import read_config_file
from aimdvc.remote.credentials import Credentials, KeyFile
from aimdvc.remote.opening import open_session
from aimdvc.remote.session import Patience, Session
from aimdvc.remote.urls import check_url, is_private, origin_of, shown
from aimdvc.sdk.arguments import optional_text
from aimdvc.sdk.environment import read_environment, user_directory

_TIMEOUT_S = 30.0


class CannotConnect(RemoteUnreachable, ConnectionError):
    """The server of a login could not be reached; nothing was stored."""


class NoAimdServer(ProtocolError, ConnectionError):
    """What answers at the host of a login is no AIMD server; nothing was stored."""

    hint = "give the URL that `aimdvc serve` printed"


def login(
    host: str | None = None,
    api_key: str | None = None,
    timeout: float | None = None,
    unable_to_connect_ok: bool = False,
) -> str | None:
    """Stores the server to work with and the user's key for it; returns whose the key is.

    `host` is the server's URL, and may be left out with AIMDVC_HOST set, `api_key` with AIMDVC_API_KEY. The server is
    asked first, for at most `timeout` seconds (30); with `unable_to_connect_ok` one that can't be reached is stored
    untried, and None returned. The key is kept for this user alone (mode 0600), and goes to that server only.

    Raises ValueError without a host or a key, or for a key that is no UUID; ConnectionError where the server can't be
    reached, or is no AIMD server; NotAuthorised where it refuses the key.
    """
    environment = read_environment()
    optional_text("host", host)
    optional_text("api_key", api_key)
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float))):
        raise TypeError(f"timeout is {type(timeout).__name__}, expected a number of seconds")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout is {timeout}, expected a number of seconds above 0")
    host = (host or environment.get("AIMDVC_HOST", "")).rstrip("/")
    api_key = (api_key or environment.get("AIMDVC_API_KEY", "")).strip()
    if not host:
        raise ValueError("no host was given: pass `host`, the server's URL, or set AIMDVC_HOST")
    if not api_key:
        raise ValueError("no key was given: pass `api_key`, or set AIMDVC_API_KEY")
    try:
        key = str(uuid.UUID(api_key))
    except ValueError:
        raise ValueError("the key is no UUID; paste it as the server printed it") from None
    origin = _checked_origin(host)
    user = None
    try:
        user = _try_key(origin, key, timeout, environment)
    except RemoteUnreachable as error:
        if not unable_to_connect_ok:
            raise CannotConnect(shown(host), error.message) from error
    else:
        if user is None:
            raise NoAimdServer(shown(origin), "it doesn't say whose the key is, as an AIMD server does")
    _keys(environment).set(origin, key)
    _remember(host, user, environment)
    return user


def logout() -> None:
    """Forgets the server and the key that `login` stored. Safe to repeat."""
    environment = read_environment()
    host = _stored_host(environment)
    if host is not None:
        _keys(environment).remove(origin_of(host))
        _remember(None, None, environment)


def current_host(environment: Mapping[str, str]) -> str:
    """Returns the URL of the server to work with: AIMDVC_HOST, else what `login` stored. Raises NotAuthorised."""
    host = environment.get("AIMDVC_HOST") or _stored_host(environment)
    if not host:
        raise NotAuthorised("no server is known", hint="call aimdvc.login(host, api_key), or set AIMDVC_HOST")
    check_url(host)
    return host.rstrip("/")


def stored_user(environment: Mapping[str, str]) -> str | None:
    """Returns whose the key is that `login` stored, None where that isn't known: short paths lie in their folders."""
    config: ConfigFile = read_config_file(user_directory(environment) / "config")
    is_stored = environment.get("AIMDVC_HOST", _stored_host(environment)) == _stored_host(environment)
    return config.get("login", None, "user") if is_stored and "AIMDVC_API_KEY" not in environment else None


def session(environment: Mapping[str, str]) -> Session:
    """Returns a session with the user's keys; close it."""
    return open_session(environment, _keys(environment))


def _keys(environment: Mapping[str, str]) -> KeyFile:
    return KeyFile(user_directory(environment) / "keys.json", Disk())


def _checked_origin(host: str) -> str:
    check_url(host)
    if not host.lower().startswith(("http://", "https://")):
        raise UsageError(f"host is '{shown(host)}', expected an http(s) URL such as 'https://aimd.example.org'")
    origin = origin_of(host)
    if not is_private(origin):
        raise UnsafeUrl(origin, "a key is sent over https only", hint="use the server's https URL")
    return origin


def _try_key(origin: str, key: str, timeout: float | None, environment: Mapping[str, str]) -> str | None:
    seconds = timeout or _TIMEOUT_S
    credentials = Credentials(_keys(environment), {origin: key}, environment)
    opened = Session(credentials, Patience(connect_s=seconds, read_s=seconds))
    try:
        return try_key(opened, origin)
    finally:
        opened.close()


def _remember(host: str | None, user: str | None, environment: Mapping[str, str]) -> None:
    path = user_directory(environment) / "config"
    config = read_config_file(path)
    for key, value in (("host", host), ("user", user)):
        if value is None:
            config.unset("login", None, key)
        else:
            config.set("login", None, key, value)
    disk = Disk()
    disk.make_directory(path.parent)
    disk.replace_file(path, config.dump())


def _stored_host(environment: Mapping[str, str]) -> str | None:
    config: ConfigFile = read_config_file(user_directory(environment) / "config")
    return config.get("login", None, "host")
