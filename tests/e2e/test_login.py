"""`login`: a key is kept once the server has taken it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell


@pytest.fixture
def shell(home: Path) -> Shell:
    return Shell(home)


def keys(home: Path) -> str:
    place = home / ".config/aimdvc/keys.json"
    return place.read_text() if place.exists() else ""


def test_it_tells_whose_the_key_is(shell: Shell, server: EmbeddedServer, home: Path) -> None:
    accounts = server.site.accounts
    key = accounts.add_key(accounts.add_user("ada"), "read")
    done = shell("login", f"{server.url}/team/images", typed=key)
    assert done.out == f"Stored the key of ada for {server.url}\n"
    assert key in keys(home)
    assert shell("login", server.url, "--json", typed=key).json == {"origin": server.url, "user": "ada"}


def test_a_key_that_is_refused_changes_nothing(shell: Shell, server: EmbeddedServer, home: Path) -> None:
    before = keys(home)
    assert server.admin_key is not None
    assert server.admin_key in before
    wrong = shell("login", server.url, typed="0229d393-dca1-4bfd-a7fa-f15b7cdc6f0b", code=7)
    assert "refuses the key; nothing was stored" in wrong.err
    assert "0229d393" not in wrong.err
    assert keys(home) == before


def test_a_server_that_is_not_reached_changes_nothing_unless_asked(shell: Shell, home: Path) -> None:
    url = "http://127.0.0.1:1"
    assert "`--no-check` stores the key untried" in shell("login", url, typed="some-key", code=6).err
    assert keys(home) == ""
    shell("login", url, "--no-check", typed="some-key")
    assert "some-key" in keys(home)


class Foreign(BaseHTTPRequestHandler):
    """A host that knows nothing of AIMD."""

    def do_GET(self) -> None:
        content = b"<html>Not here</html>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""


@pytest.fixture
def foreign() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Foreign) as host:
        thread = threading.Thread(target=host.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{host.server_port}"
        host.shutdown()
        thread.join()


def test_the_key_of_a_host_that_tells_nothing_is_kept_untried(shell: Shell, foreign: str, home: Path) -> None:
    assert "untried: it doesn't say whose it is" in shell("login", foreign, typed="some-key").out
    assert "some-key" in keys(home)
