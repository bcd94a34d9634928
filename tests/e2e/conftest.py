"""What several of the tests at the command line begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
