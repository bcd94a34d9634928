"""Case S22: the server connects to nothing that a request names. What can open a connection is imported here alone."""

import ast
import json

from aimdvc.server.bodies import Body
from aimdvc.server.routes import ROUTES
from tests.unit.test_layers import MODULES, imports_of, layer_of

REACHING_OUT = {
    *("asyncio", "ftplib", "http", "imaplib", "nntplib", "poplib", "smtplib", "socket", "socketserver", "ssl"),
    *("subprocess", "telnetlib", "urllib", "webbrowser", "xmlrpc"),
    *("requests", "urllib3", "httpx", "aiohttp", "boto3", "botocore", "psycopg"),
}
ALLOWED = {
    ("granian_backend.py", "asyncio"): "the loop of granian, which listens",
    ("listening.py", "socket"): "binds and listens",
    ("run.py", "socket"): "the type of what listening.py returns",
    ("s3.py", "botocore"): "the bucket that --storage names",
}
"""What each module needs them for. No other name than those of --database and --storage is ever connected to."""

HARMLESS = {"urllib.parse", "http"}
"""They take URLs and statuses apart, and connect to nothing."""


def test_no_module_of_the_server_reaches_out() -> None:
    found = set()
    for path in MODULES:
        if layer_of(path) == "server":
            for module in imports_of(ast.parse(path.read_bytes())):
                head = module.partition(".")[0]
                if head in REACHING_OUT and module not in HARMLESS:
                    found.add((path.name, head))
                assert not module.startswith("aimdvc.remote"), f"{path.name}: the client's transfers are not ours"
    assert found <= set(ALLOWED), found - set(ALLOWED)


def test_no_request_takes_a_url() -> None:
    """References, web hooks, mirrors, avatars: whoever adds one has to come here first."""
    fields = [field for route in ROUTES for field in (*route.query, *_names(route.body))]
    assert not [field for field in fields if any(word in field for word in ("url", "uri", "href", "host", "hook"))]


def _names(body: Body | None) -> list[str]:
    return list(json.loads(body.schema)["properties"]) if body is not None and body.schema is not None else []
