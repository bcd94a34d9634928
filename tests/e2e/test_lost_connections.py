"""Connections that are lost in the middle: retried, resumed, or a clear error that running again finishes."""

import random
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.proxy import proxied
from tests.shell import Shell, files_of

KIB = 1 << 10
LARGE = 6 << 20
CUTS = [0, 1, 300, 5 * KIB, 64 * KIB, 128 * KIB, 500 * KIB, 900 * KIB]


def fill(shell: Shell) -> None:
    source = random.Random(9)
    for number in range(60):
        shell.write(f"data/f{number}", source.randbytes(4 * KIB))
    shell.write("data/large.bin", source.randbytes(900 * KIB))
    shell.commit("data")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for no answer longer than a few seconds."""
    monkeypatch.setenv("AIMDVC_TIMEOUT", "5")


@pytest.mark.parametrize("limit", CUTS)
def test_a_push_whose_connections_break(shell: Shell, server: EmbeddedServer, tmp_path: Path, limit: int) -> None:
    fill(shell)
    with proxied(server.url, limit, 2, True) as proxy:
        shell("login", proxy.url, "--no-check", typed=server.admin_key or "")
        shell("remote", "add", "origin", proxy.url)
        for _ in range(4):
            done = shell("push", "--json", code=-1)
            assert done.code in (0, 6), done.err
            if done.code == 0:
                break
        assert done.code == 0
    Shell(tmp_path)("clone", f"{server.url}/data", "clone")
    assert files_of(tmp_path / "clone") == files_of(shell.here / "data")
    assert shell("log", "--json").json["versions"][0]["version"] in ("v1", "v1?")


def test_a_push_whose_connections_all_break_ends_and_sends_little_twice(
    shell: Shell, server: EmbeddedServer, tmp_path: Path
) -> None:
    shell.write("data/large.bin", random.Random(9).randbytes(LARGE))
    shell.commit("data")
    # None of them carries a tenth of it: so long as each brings something, the push goes on.
    with proxied(server.url, LARGE // 12, 1000, True) as proxy:
        shell("login", proxy.url, "--no-check", typed=server.admin_key or "")
        shell("remote", "add", "origin", proxy.url)
        shell("push")
        assert proxy.broken > 10
        assert proxy.passed < 1.2 * LARGE
    Shell(tmp_path)("clone", f"{server.url}/data", "clone")
    assert (tmp_path / "clone/large.bin").read_bytes() == (shell.here / "data/large.bin").read_bytes()


@pytest.mark.parametrize("limit", CUTS)
def test_a_clone_whose_connections_break(shell: Shell, server: EmbeddedServer, tmp_path: Path, limit: int) -> None:
    fill(shell)
    shell("remote", "add", "origin", server.url)
    shell("push")
    with proxied(server.url, limit, 3, False) as proxy:
        Shell(tmp_path)("login", proxy.url, "--no-check", typed=server.admin_key or "")
        for _ in range(4):
            done = Shell(tmp_path)("clone", f"{proxy.url}/data", "clone", code=-1)
            assert done.code in (0, 6), done.err
            if done.code == 0:
                break
            assert "Traceback" not in done.err.split("aimdvc: ")[-1]
        assert done.code == 0
    assert files_of(tmp_path / "clone") == files_of(shell.here / "data")
    assert not (tmp_path / "clone/.aimdvc/clone").exists()


def test_a_server_that_dies_during_a_push(shell: Shell, tmp_path: Path) -> None:
    fill(shell)
    with EmbeddedServer(tmp_path / "srv") as first:
        shell("login", first.url, typed=first.admin_key or "")
        shell("remote", "add", "origin", first.url)
    assert shell("push", "--json", code=6).json["error"] == "remote-unreachable"
    assert shell("status", "-s").out == ""
