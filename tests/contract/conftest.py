"""Fixtures of the contract tests: one server a test, on each backend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.granian_backend import GranianBackend
from tests.contract.server_client import Client


@pytest.fixture(params=[GranianBackend, CherootBackend])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "srv", backend=request.param) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedServer) -> Client:
    return Client(server.url, server.admin_key)
