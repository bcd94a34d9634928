"""Fixtures of the contract tests: one server a test, on each backend and each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend
from tests.contract.server_client import Client


@pytest.fixture(params=["granian", "cheroot", "granian-postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    backend, _, database = request.param.partition("-")
    url = request.getfixturevalue("postgres").database() if database else None
    start: StartBackend = GranianBackend if backend == "granian" else CherootBackend
    with EmbeddedServer(tmp_path / "srv", backend=start, database_url=url) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedServer) -> Client:
    return Client(server.url, server.admin_key)
