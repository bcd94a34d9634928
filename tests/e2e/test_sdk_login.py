"""`aimdvc.login` and `logout` against a real server: what is stored, what is refused, what is shown."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aimdvc
from aimdvc.errors import NotAuthorised, UnsafeUrl
from aimdvc.sdk.logins import current_host
from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.elsewhere import Elsewhere
from tests.shell import Shell

OTHER = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "srv") as running:
        yield running


def key_of(server: EmbeddedServer) -> str:
    assert server.admin_key is not None
    return server.admin_key


def keys(home: Path) -> Path:
    return home / ".config/aimdvc/keys.json"


def test_login_stores_the_host_and_the_key_for_its_user_alone(server: EmbeddedServer, home: Path) -> None:
    assert aimdvc.login(server.url, server.admin_key) == "admin"
    assert stat.S_IMODE(keys(home).stat().st_mode) == 0o600
    assert current_host({"XDG_CONFIG_HOME": str(home / ".config")}) == server.url
    aimdvc.logout()
    assert key_of(server) not in keys(home).read_text()
    with pytest.raises(NotAuthorised, match="no server is known"):
        current_host({"XDG_CONFIG_HOME": str(home / ".config")})
    aimdvc.logout()


def test_what_login_stored_serves_the_command_line(server: EmbeddedServer, tmp_path: Path) -> None:
    aimdvc.login(f"{server.url}/", key_of(server).upper())
    shell = Shell(tmp_path / "work")
    shell.here.mkdir()
    shell("init", "--remote", f"{server.url}/admin")
    shell.write("data/a", "1")
    shell.commit("data")
    shell("push")


def test_the_environment_gives_what_is_left_out(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMDVC_HOST", server.url)
    monkeypatch.setenv("AIMDVC_API_KEY", key_of(server))
    assert aimdvc.login() == "admin"


def test_without_a_host_or_a_key_it_is_a_value_error(server: EmbeddedServer) -> None:
    with pytest.raises(ValueError, match="no host was given"):
        aimdvc.login(api_key=server.admin_key)
    with pytest.raises(ValueError, match="no key was given"):
        aimdvc.login(server.url)
    with pytest.raises(ValueError, match="the key is no UUID") as caught:
        aimdvc.login(server.url, "my-secret")
    assert "my-secret" not in str(caught.value)


def test_a_key_that_is_refused_is_not_stored(server: EmbeddedServer, home: Path) -> None:
    with pytest.raises(NotAuthorised, match="refuses the key") as caught:
        aimdvc.login(server.url, OTHER)
    assert OTHER not in str(caught.value)
    assert not keys(home).exists()


def test_a_server_that_is_not_there_is_a_connection_error(home: Path) -> None:
    with pytest.raises(ConnectionError, match="can't be reached"):
        aimdvc.login("http://127.0.0.1:9", OTHER, timeout=1)
    assert not keys(home).exists()
    assert aimdvc.login("http://127.0.0.1:9", OTHER, timeout=1, unable_to_connect_ok=True) is None
    assert OTHER in keys(home).read_text()


def test_a_key_travels_over_https_only() -> None:
    with pytest.raises(UnsafeUrl, match="over https only"):
        aimdvc.login("http://aimd.example.org", OTHER)


def test_importing_aimdvc_loads_nothing_of_it() -> None:
    code = "import sys, aimdvc; print([name for name in sys.modules if name.startswith('aimdvc.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        aimdvc.nothing  # noqa: B018
    assert {"login", "logout"} <= set(dir(aimdvc))


def test_a_host_that_is_no_aimd_server_is_refused(elsewhere: Elsewhere, home: Path) -> None:
    elsewhere.files["/api/v1/whoami"] = (b"<html>", '"x"')
    with pytest.raises(ConnectionError, match="doesn't say whose the key is") as raised:
        aimdvc.login(elsewhere.url, OTHER)
    assert OTHER not in str(raised.value)
    with pytest.raises(ConnectionError):
        aimdvc.login(elsewhere.url, OTHER, unable_to_connect_ok=True)
    assert not keys(home).exists() or OTHER not in keys(home).read_text()
