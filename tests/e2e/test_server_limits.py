"""What a server has no room or no time for: `aimdvc push` says so, loses nothing, and goes on."""

from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
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
