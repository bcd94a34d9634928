"""Fixtures of the contract tests: one server a test, on each kind of database and storage.

WSGI servers differ in what they do with bodies: what is about those runs over granian and over cheroot.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend
from tests.contract.server_client import Client

KINDS = ["granian", "granian-postgresql-s3"]
ON_THE_WIRE = {"aimd", "aimd_pack", "clones", "git", "hostile", "lfs", "observing", "packs"}
"""The modules that run over cheroot, too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Says which kinds of server a test runs on."""
    if "served_by" in metafunc.fixturenames:
        name = metafunc.module.__name__.rpartition("test_server_")[2]
        metafunc.parametrize("served_by", [*KINDS, "cheroot"] if name in ON_THE_WIRE else KINDS)
    if "shared_by" in metafunc.fixturenames:
        is_wire = metafunc.module.__name__.endswith("routes_hostile")
        kinds = ["cheroot" if is_wire else "granian", "granian-postgresql"]
        metafunc.parametrize("shared_by", kinds, scope="module")


@pytest.fixture
def server(served_by: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    backend, *others = served_by.split("-")
    url = request.getfixturevalue("postgres").with_tables() if others else None
    bucket = request.getfixturevalue("nanio").bucket() if others else None
    start: StartBackend = GranianBackend if backend == "granian" else CherootBackend
    with EmbeddedServer(tmp_path / "srv", backend=start, database_url=url, storage_url=bucket) as running:
        yield running


@pytest.fixture
def kept(server: EmbeddedServer, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The directory that the server's storage can't do without."""
    bucket = server.site.database.storage_url(None)
    if bucket is None:
        return tmp_path / "srv"
    directory: Path = request.getfixturevalue("nanio").directory
    return directory / urlsplit(bucket).netloc


@pytest.fixture
def client(server: EmbeddedServer) -> Client:
    return Client(server.url, server.admin_key)


@pytest.fixture(scope="module")
def shared(
    shared_by: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedServer]:
    """One server for all tests of a module: they leave nothing behind that the others would trip over."""
    backend, _, database = shared_by.partition("-")
    url = request.getfixturevalue("postgres").with_tables() if database else None
    start: StartBackend = GranianBackend if backend == "granian" else CherootBackend
    with EmbeddedServer(tmp_path_factory.mktemp("shared") / "srv", backend=start, database_url=url) as running:
        yield running
