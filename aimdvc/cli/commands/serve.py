"""`aimdvc serve`."""

import errno
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from aimdvc.cli.command import command
from aimdvc.cli.context import Cli
from aimdvc.errors import UsageError
from aimdvc.fs.disk import Disk

try:
    from aimdvc.server.run import ServeOptions, serve
    from aimdvc.server.site import Location
except ModuleNotFoundError as error:  # the extra `aimdvc[server]` is not installed
    serve, missing = None, error.name  # type: ignore[assignment]


_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _origin(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Checks the value of `--url`."""
    if value is None:
        return None
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path not in ("", "/")
        or "@" in parts.netloc
    ):
        raise UsageError(f"'{value}' is no URL of a server", hint="write https://HOST, with :PORT if it is another")
    return f"{parts.scheme}://{parts.netloc}"


@command("serve")
@click.argument("directory_to_serve", metavar="DIR")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8750, show_default=True, help="The port; 0 takes a free one."
)
@click.option(
    "--database",
    metavar="URL",
    envvar="AIMDVC_DATABASE",
    help="A PostgreSQL, postgresql://USER:PASSWORD@HOST/NAME; else SQLite in DIR. Also AIMDVC_DATABASE.",
)
@click.option(
    "--storage",
    metavar="URL",
    envvar="AIMDVC_STORAGE",
    help="A bucket, s3://NAME/PREFIX, with ?endpoint=URL where it is not AWS's; else DIR. Also AIMDVC_STORAGE.",
)
@click.option(
    "--url", metavar="URL", callback=_origin, help="What clients call it, where a proxy with TLS is in front."
)
@click.option("--access-log", metavar="FILE", help="Append a line of JSON for each request; - is standard error.")
def serve_command(
    cli: Cli,
    directory_to_serve: str,
    host: str,
    port: int,
    database: str | None,
    storage: str | None,
    url: str | None,
    access_log: str | None,
) -> None:
    """Serve artifacts to others, over HTTP

    From DIR, to aimdvc, and to stock Git and git-lfs. At the first start it makes an administrator and prints the key,
    once. With --json the first line of output is {"url": …, "admin_key": … or null}. A push makes the folder and the
    artifact. Stop it with Ctrl-C or SIGTERM; under `nohup` it outlives the terminal.

    \b
    Example:
      aimdvc serve /srv/aimd --port 8750
    """
    if serve is None:
        raise UsageError(f"the server needs '{missing}', not installed", hint="run `pip install 'aimdvc[server]'`")
    place = cli.here / Path(directory_to_serve)
    # The blobs and git packs in it are for whoever has a key, not for every user of the machine.
    Disk().make_directory(place, 0o700)

    is_open = host not in _LOOPBACK and not (url or "").startswith("https:")

    def ready(listens_at: str, admin_key: str | None) -> None:
        lines = [f"Serving '{place}' at {listens_at}"]
        if admin_key is not None:
            lines.append(f"The administrator's key, shown this once: {admin_key}")
            lines.append(f"Keep it with `aimdvc login {url or listens_at}`")
        cli.out.result({"url": listens_at, "admin_key": admin_key}, lines)
        if is_open:
            cli.out.note(
                "this is plain HTTP: who is on the way reads the keys; put a proxy with TLS in front, see --url"
            )
        sys.stdout.flush()

    try:
        log = None if access_log is None else Path("-") if access_log == "-" else cli.here / access_log
        serve(Location(place, database, storage), host, port, ready, ServeOptions(log, url))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        reason = (error.strerror or "").lower()
        raise UsageError(f"can't listen on {host}, port {port}: {reason}", hint="choose another with --port") from error
