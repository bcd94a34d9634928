"""What a server has no room or no time for: `aimdvc push` says so, loses nothing, and goes on."""

from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.limits import Limits
from tests.contract.server_client import Client
from tests.contract.stalling import busy
from tests.shell import Shell


def test_a_push_over_a_quota_says_how_much_is_left_and_goes_on(
    server: EmbeddedServer, tmp_path: Path, shell: Shell
) -> None:
    machine = Shell(tmp_path / "server")
    machine("server", "quota", "set", "user:admin", "2K")
    shell("remote", "add", "origin", server.url)
    shell.write("data/a", b"1" * 2000)
    shell.commit("data")
    shell("push")
    # Small ones travel together, a large one by itself.
    for number, size in enumerate((100, 3 << 20)):
        shell.write(f"data/b{number}", bytes([number]) * size)
        shell.commit("data")
        refused = shell("push", code=6)
        assert "507 the quota of 'user:admin', 2.0 KiB, is full: 48 B are left" in refused.err
        assert refused.err.splitlines()[-1].endswith("make room there, then run it again; what was transferred is kept")
        assert machine("server", "quota", "list").out == "user:admin  2.0 KiB of 2.0 KiB\n"
    machine("server", "quota", "set", "user:admin", "4M")
    assert "pushed v2, v3" in shell("push").out
    machine("server", "quota", "set", "admin/data", "5M")
    assert machine("server", "quota", "list", "--json").json == {
        "quotas": [
            {"subject": "admin/data", "size": 5 << 20, "used": (3 << 20) + 2100},
            {"subject": "user:admin", "size": 4 << 20, "used": (3 << 20) + 2100},
        ]
    }
    machine("server", "quota", "remove", "admin/data")
    assert machine("server", "quota", "list", "admin/data").out == ""
    for line, said in (
        ("set", "no path or user was given"),
        ("set admin", "no size was given"),
        ("set admin much", "expected a number"),
        ("set user:nobody 1G", "there is no user 'nobody'"),
        ("remove nothing", "no such folder"),
    ):
        assert said in machine("server", "quota", *line.split(), code=2).err


def test_a_push_and_a_pull_come_again_to_a_server_that_is_busy(tmp_path: Path, shell: Shell) -> None:
    with EmbeddedServer(tmp_path / "srv", limits=Limits(costly_of_one=1, again_s=0)) as server:
        client = Client(server.url, server.admin_key)
        shell("login", server.url, typed=str(server.admin_key))
        shell("remote", "add", "origin", server.url)
        shell.write("data/a", b"1" * (2 << 20))
        elsewhere = Shell(tmp_path / "elsewhere")
        elsewhere.here.mkdir()
        # Git itself keeps this one: nothing but the refs is pushed.
        shell.write("notes/README.md", "1")
        for name in ("data", "notes"):
            shell.commit(name)
            with busy(client):
                assert "pushed v1" in shell("push", name).out
        with busy(client):
            elsewhere("clone", f"{server.url}/data", "there")
        assert (elsewhere.here / "there/a").read_bytes() == b"1" * (2 << 20)
