"""A home, a user and settings of their own for every test; nothing of the machine's leaks in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell

_FOREIGN = ("AIMDVC_API_KEY", "AIMDVC_HOST", "AIMDVC_AUTHOR", "AIMDVC_TIMEOUT", "GIT_DIR", "GIT_WORK_TREE")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, empty but for nothing."""
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A User")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "user@example.org")
    for variable in _FOREIGN:
        monkeypatch.delenv(variable, raising=False)
    return place


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
