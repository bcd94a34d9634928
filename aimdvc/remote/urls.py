"""URLs of remotes: which are allowed, what an origin is, and where an artifact lies below one.

Only http(s) and file. A URL in `.aimdvc/config` may come from anyone, so it is checked before anything looks at it.
"""

import ipaddress
import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from aimdvc.errors import UnsafeUrl

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_url(url: str) -> None:
    """Raises UnsafeUrl for anything but a path, a file URL, or an http(s) URL without credentials in it."""
    if not url or any(ord(char) < 32 or ord(char) == 127 for char in url):
        raise UnsafeUrl(shown(url), "is empty or holds control characters")
    if is_path(url):
        return
    scheme = url.partition("://")[0].lower()
    if scheme in ("ssh", "git", "git+ssh") or "://" not in url:
        raise UnsafeUrl(shown(url), "only http(s), file and paths are spoken", hint="use the host's https URL")
    if scheme not in ("http", "https", "file"):
        raise UnsafeUrl(shown(url), f"'{scheme}' is not spoken", hint="use an http(s) or file URL, or a path")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UnsafeUrl(shown(url), "is not a URL") from error
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UnsafeUrl(
            shown(url), "carries a user or password", hint="run `aimdvc login URL` and leave it out of the URL"
        )
    if scheme == "file":
        if parts.netloc not in ("", "localhost") or "%00" in parts.path:
            raise UnsafeUrl(url, "a file URL names no host")
        return
    if not parts.hostname or port == 0 or set(parts.netloc) & set("%\\ ") or parts.query or parts.fragment:
        raise UnsafeUrl(shown(url), "is not scheme://host[:port]/path")


def is_path(url: str) -> bool:
    """Returns whether a remote is written as a path of this machine rather than as a URL."""
    head = url.split("/", 1)[0]
    return "://" not in url and (url.startswith(("/", ".", "~")) or ":" not in head)


def artifact_url(base: str, path: str) -> str:
    """Returns the address of the artifact's repository below a remote's URL. Raises UnsafeUrl."""
    check_url(base)
    name = path.removesuffix(".git")
    if is_path(base):
        return os.path.join(os.path.expanduser(base), f"{name}.git")
    return f"{base.rstrip('/')}/{quote(name)}.git"


def folder_path(url: str) -> Path | None:
    """Returns the directory that a path or file URL names, None for http(s)."""
    if is_path(url):
        return Path(url)
    parts = urlsplit(url)
    return Path(unquote(parts.path, errors="surrogateescape")) if parts.scheme.lower() == "file" else None


def origin_of(url: str) -> str:
    """Returns `scheme://host:port` of an http(s) URL, in lower case. Raises UnsafeUrl."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as error:
        raise UnsafeUrl(shown(url), "is not a URL") from error
    if scheme not in _PORTS or not host:
        raise UnsafeUrl(shown(url), "is no http(s) URL")
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{port or _PORTS[scheme]}"


def is_private(origin: str) -> bool:
    """Returns whether a secret may travel to an origin: over https, or without leaving this machine."""
    parts = urlsplit(origin)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def is_inside(url: str) -> bool:
    """Returns whether a URL's host is written as an address of this machine or of a private network.

    Names but `localhost` are not looked up: where they lead is checked when the connection is made (addresses.py).
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return is_inside_address(host)
    except ValueError:
        return False


def is_inside_address(text: str) -> bool:
    """Returns whether an IP address is of this machine or a private network. Raises ValueError for what is none."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global


def shown(url: str) -> str:
    """Returns a URL fit for messages: no credentials, no query (it may be signed), nothing unprintable."""
    clean = "".join(char if char.isprintable() else "?" for char in url)
    scheme, separator, rest = clean.partition("://")
    if not separator:
        return clean
    host, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
