"""A home, a user and settings of their own for every test; nothing of the machine's leaks in."""

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from aimdvc.server.app import Application
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.guard import StartResponse
from tests.buckets import KEY_ID, SECRET, BucketServer, serving
from tests.postgres import Postgres, running
from tests.shell import Shell

# The same examples in every run, so that a failure is a change's; `HYPOTHESIS_PROFILE=long` looks for new ones.
settings.register_profile("short", deadline=None, derandomize=True)
settings.register_profile("long", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

_FOREIGN = (
    *(f"AIMDVC_{name}" for name in ("API_KEY", "HOST", "AUTHOR", "TIMEOUT", "HOME")),
    *("GIT_DIR", "GIT_WORK_TREE", "XDG_DATA_HOME", "RANK", "LOCAL_RANK", "NODE_RANK"),
)


@pytest.fixture(autouse=True, scope="session")
def measured() -> Iterator[None]:
    """Has coverage, where it runs, see granian's threads: not Python's own, so `threading.settrace` misses them."""
    trace = threading.gettrace()
    if trace is None:
        yield
        return
    answer = Application.__call__

    def traced(self: Application, environ: Mapping[str, object], start_response: StartResponse) -> Iterable[bytes]:
        sys.settrace(trace)
        return answer(self, environ, start_response)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Application, "__call__", traced)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, empty but for nothing."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    # What the tests start, and the hooks that Git starts, find the `aimdvc` of this Python.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / ".config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A User")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "user@example.org")
    for variable in _FOREIGN:
        monkeypatch.delenv(variable, raising=False)
    return place


@pytest.fixture(scope="session")
def clusters() -> list[Postgres]:
    """The PostgreSQL clusters that tests share: none before the first test that wants one."""
    return []


@pytest.fixture(scope="session")
def postgres(clusters: list[Postgres]) -> Iterator[Postgres]:
    """A PostgreSQL cluster."""
    with running() as made:
        clusters.append(made)
        yield made
        clusters.remove(made)


@pytest.fixture(autouse=True)
def databases_of_one_test(clusters: list[Postgres]) -> Iterator[None]:
    """Drops the databases that a test made for itself; those of its module were made before this began."""
    before = {cluster: len(cluster.made) for cluster in clusters}
    yield
    for cluster in clusters:
        cluster.drop_after(before.get(cluster, 0))


@pytest.fixture(scope="session")
def nanio() -> Iterator[BucketServer]:
    """An S3-compatible server that checks signatures."""
    with serving("nanio") as made:
        yield made


@pytest.fixture(scope="session")
def moto() -> Iterator[BucketServer]:
    """An S3-compatible server that knows most of what S3 answers."""
    with serving("moto") as made:
        yield made


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a new workspace."""
    place = tmp_path / "work"
    place.mkdir()
    made = Shell(place)
    made("init")
    return made


@pytest.fixture
def server(tmp_path: Path, home: Path) -> Iterator[EmbeddedServer]:
    """A running server whose key is stored."""
    with EmbeddedServer(tmp_path / "server") as running:
        Shell(home)("login", running.url, typed=running.admin_key or "")
        yield running
