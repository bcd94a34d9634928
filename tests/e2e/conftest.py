"""What several of the tests at the command line begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import aimdvc
from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.elsewhere import Elsewhere


@pytest.fixture(params=["server", "folder"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of each kind of remote, still empty."""
    if request.param == "server":
        server = request.getfixturevalue("server")
        assert isinstance(server, EmbeddedServer)
        return server.url
    (tmp_path / "remote").mkdir()
    return str(tmp_path / "remote")


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """A server of somebody else's."""
    made = Elsewhere()
    yield made
    made.close()


@pytest.fixture
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    """A server that the user of the Python classes is logged in to; the current directory is no workspace."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with EmbeddedServer(tmp_path / "srv") as running:
        aimdvc.login(running.url, running.admin_key)
        yield running
