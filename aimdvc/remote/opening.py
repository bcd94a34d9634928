"""Makes the HTTP session from what the environment and the user's key file say: which key goes to which server.

Called by the command line and the Python SDK; reads no environment itself.
"""

from collections.abc import Mapping

from aimdvc.errors import UsageError
from aimdvc.remote.credentials import Credentials, KeyFile, check_key
from aimdvc.remote.session import Patience, Session
from aimdvc.remote.urls import check_url, is_path, origin_of, shown

_READ_S = 120.0
_EXAMPLE = "aimd.example.org"


def open_session(
    environment: Mapping[str, str],
    keys: KeyFile,
    trusted_url: str | None = None,
    typed: Mapping[str, str] | None = None,
) -> Session:
    """Returns a session that knows which key may go where; keys that were `typed`, by origin, go before all others.

    AIMDVC_API_KEY goes to AIMDVC_HOST, and to `trusted_url`, which the user gave for this very call. Raises UsageError.
    """
    given: dict[str, str] = {}
    hint = "run `aimdvc login URL`, or set AIMDVC_HOST=URL and AIMDVC_API_KEY"
    host = environment.get("AIMDVC_HOST")
    if host and not host.lower().startswith(("http://", "https://")):
        raise UsageError(f"AIMDVC_HOST is '{shown(host)}', expected an http(s) URL such as 'https://{_EXAMPLE}'")
    key = environment.get("AIMDVC_API_KEY", "")
    if key:
        for trusted in (host, trusted_url):
            if trusted and not is_path(trusted) and not trusted.startswith("file:"):
                check_url(trusted)
                given[origin_of(trusted)] = check_key(key)
        hint = "AIMDVC_API_KEY goes only to the server in AIMDVC_HOST: set both, or run `aimdvc login URL`"
        if given:
            hint = f"if that is '{', '.join(given)}', it refused AIMDVC_API_KEY; {hint}"
    patience = Patience(read_s=_seconds(environment, "AIMDVC_TIMEOUT", _READ_S))
    return Session(Credentials(keys, {**given, **(typed or {})}, environment, hint), patience)


def _seconds(environment: Mapping[str, str], variable: str, default: float) -> float:
    text = environment.get(variable)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise UsageError(f"{variable} is '{text}', expected seconds between 0 and 86400")
    return seconds
