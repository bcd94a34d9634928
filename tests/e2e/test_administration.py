"""`aimdvc server …`: the users, groups, keys, folders and shares of a server, on its machine, while it runs."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.postgres import Postgres
from tests.shell import Shell, unmeasured


def test_a_team_is_set_up_and_works(server: EmbeddedServer, tmp_path: Path, shell: Shell) -> None:
    machine = Shell(tmp_path / "server")
    for line in (
        "user add ada",
        "user add bob",
        "group add vision",
        "group join vision bob",
        "folder make team",
        "folder make team/scans",
        "share add team/scans group:vision --edit",
        "share add team/scans user:ada",
    ):
        machine("server", *line.split())
    key = machine("server", "key", "add", "bob", "--days", "3", "--name", "laptop", "--json").json["key"]
    shell("login", server.url, typed=key)
    shell("remote", "add", "origin", f"{server.url}/team/scans")
    shell.write("data/a", "1\n")
    shell.commit("data")
    assert "pushed v1" in shell("push").out
    assert machine("server", "folder", "list", "team/scans").out == "team/scans/data\n"
    listed = machine("server", "key", "list", "bob").out
    assert "bob  write  laptop  used " in listed and " until " in listed and key not in listed
    machine("server", "key", "add", "bob", "--scope", "read", "--folder", "team/scans")
    assert machine("server", "key", "list", "bob").out.splitlines()[1].endswith("read  read  never used  in team/scans")
    assert machine("server", "key", "list", "bob", "--json").json["keys"][1]["folder"] == "team/scans"
    viewer = machine("server", "key", "add", "ada", "--json").json["key"]
    shell("login", server.url, typed=viewer)
    assert "up to date" in shell("pull").out
    shell.write("data/a", "2\n")
    shell.commit("data")
    assert "you may only view this" in shell("push", code=7).err
    known = {one["user"]: one["id"] for one in machine("server", "key", "list", "--json").json["keys"]}
    machine("server", "key", "revoke", known["ada"])
    assert "wants a key that it accepts" in shell("push", code=7).err
    assert "revoked" in machine("server", "key", "list", "ada").out
    machine("server", "share", "remove", "team/scans", "user:ada")
    assert machine("server", "share", "list", "team/scans").out == "group:vision  edit\n"


def test_what_is_wrong_is_said_in_one_line(server: EmbeddedServer, tmp_path: Path) -> None:
    machine = Shell(tmp_path / "server")
    for line, said in (
        ("user add", "no user was given"),
        ("user add admin", "there is a user 'admin' already"),
        ("user add ../x", "../x"),
        ("user disable nobody", "there is no user 'nobody'"),
        ("user demote admin", "last administrator"),
        ("group join vision admin", "there is no group 'vision'"),
        ("key add", "no user was given"),
        ("key revoke 12", "there is no such key"),
        (
            "key add admin --folder admin/nothing",
            "nothing is at 'admin/nothing': `aimdvc server folder list`",
        ),
        ("key add admin --days 999999999999", "36500"),
        ("key add admin --folder \udcff", "is not UTF-8"),
        ("ref list \udcff", "is not UTF-8"),
        ("stats nothing", "no such folder or artifact; nothing is at 'nothing'"),
        ("folder move admin team/x", "nothing is at 'team'"),
        ("trash restore 99999999999999999999", "is not in the range"),
        ("trash empty --older-than inf", "'inf' is no number of days"),
        ("gc --grace nan", "'nan' is no number of days"),
        ("gc --keep nan", "'nan' is no number of days"),
        ("folder list nothing", "no such folder"),
        ("share add admin", "write user:NAME, group:NAME or everyone"),
        ("share add admin user:nobody", "there is no user 'nobody'"),
        ("share add nothing everyone", "no such folder"),
        ("usr list", "did you mean `aimdvc server user`?"),
        ("user list --database mysql://a:secret@b/c", "'mysql' is not known"),
        ("user list --database postgresql://a:secret@127.0.0.1:1/c", "the database does not answer"),
    ):
        done = machine("server", *line.split(), code=-1)
        assert done.code in (2, 8), (line, done)
        told = done.err.splitlines()[-1]
        assert said in told, (line, done.err)
        assert "secret" not in told
    assert machine("server", "trash", "restore", "7").out == "The trash has nothing of run 7\n"
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/server.db").write_bytes(b"no database at all" * 500)
    for command in (["server", "user", "list"], ["serve", ".", "--port", "0"]):
        done = Shell(tmp_path / "damaged")(*command, code=3)
        assert "is no database, or is damaged" in done.err.splitlines()[-1]
    assert "-C DIR" in Shell(tmp_path)("server", "user", "list", code=2).err


def test_the_examples_of_the_docs_run_as_they_stand(server: EmbeddedServer, tmp_path: Path) -> None:
    machine = Shell(tmp_path / "server")
    text = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
    lines = [line.partition("  #")[0] for line in re.findall("^aimdvc (server .*)$", text, re.MULTILINE)]
    assert len(lines) > 30
    (tmp_path / "srv/aimd-new").mkdir(parents=True)
    (tmp_path / "srv/aimd").symlink_to(tmp_path / "server")
    for line in lines:
        if line.startswith("server ref ") or " OID" in line:  # these want a history
            continue
        if " ID" in line:
            line = line.replace(" ID", f" {machine('server', 'key', 'list', 'ada', '--json').json['keys'][0]['id']}")
        line = line.replace("/srv/", f"{tmp_path}/srv/").replace("/mnt/", f"{tmp_path}/mnt/").replace("'", "")
        machine(*line.split())
    assert "ada/" in machine("server", "folder", "list", at=tmp_path / "srv/aimd-new").out


def test_why_postgresql_declines_is_said(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database().rpartition("/")[0]
    told = Shell(tmp_path)("server", "user", "list", "--database", f"{url}/nowhere", code=8).err
    assert told.splitlines()[-1].endswith('the database refuses: database "nowhere" does not exist')


def test_a_branch_is_put_back_on_the_machine(server: EmbeddedServer, tmp_path: Path, shell: Shell) -> None:
    machine = Shell(tmp_path / "server")
    shell("login", server.url, typed=server.admin_key or "")
    shell("remote", "add", "origin", server.url)
    for number in range(3):
        shell.write("data/a", f"{number}\n")
        shell.commit("data")
    shell("push")
    # v1 and v2 never were where main stood: they came in one push.
    assert "never stood at" in machine("server", "ref", "restore", "admin/data", "main", "0123", code=2).err
    second = shell("log", "data", "--json").json["versions"][0]["commit"]["id"]
    shell.write("data/a", "wrong\n")
    shell.commit("data")
    shell("push")
    listed = machine("server", "ref", "list", "admin/data", "main").out.splitlines()
    assert [text.split("  ")[1:3] for text in listed] == [["admin", "refs/heads/main"]] * 2
    assert f"nothing -> {second[:10]}" in listed[1]
    assert machine("server", "ref", "list", "admin/data", "-n", "1", "--json").json["moves"][0]["is_kept"] is False
    assert len(machine("server", "ref", "list", "admin/data", "main", "-n", "9" * 30).out.splitlines()) == 2
    done = machine("server", "ref", "restore", "admin/data", "main", second[:10], "-m", "it was better")
    assert done.out.endswith(f"-> {second[:10]}\n")
    listed = machine("server", "ref", "list", "admin/data", "main").out.splitlines()
    assert "(on the machine)" in listed[0] and ": it was better" in listed[0]
    other = Shell(tmp_path / "other")
    other.here.mkdir()
    other("init")
    other("clone", f"{server.url}/data")
    assert (other.here / "data/a").read_text() == "2\n"
    # Whoever has the later version is told, and can follow.
    assert "v4" in shell("status").out


def test_a_directory_that_serve_makes_is_for_its_user_alone(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    for name, mode in (("made/here", 0o700), ("there", 0o755)):
        Shell(tmp_path)("serve", name, "--access-log", "no/such.log", code=2)
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="not root")
def test_root_makes_nothing_that_the_server_s_user_could_not_write(server: EmbeddedServer, tmp_path: Path) -> None:
    place = tmp_path / "server"
    os.chown(place / "server.db", 65534, 65534)
    before = sorted(place.rglob("*"))
    for command in (["gc", "--apply"], ["user", "list"], ["verify"], ["backup", str(tmp_path / "copy")]):
        done = Shell(place)("server", *command, code=2)
        assert "runs as user 65534" in done.err and "sudo -u '#65534' aimdvc server" in done.err
    assert sorted(place.rglob("*")) == before and not (tmp_path / "copy").exists()
    os.chown(place / "server.db", 0, 0)
    Shell(place)("server", "gc")


def test_what_was_removed_is_purged_by_its_path_or_id(server: EmbeddedServer, tmp_path: Path, shell: Shell) -> None:
    machine = Shell(tmp_path / "server")
    folder = ("server", "folder")
    shell("login", server.url, typed=str(server.admin_key))
    shell("remote", "add", "origin", f"{server.url}/old")
    shell.write("data/a", "1\n" * 50_000)
    shell.commit("data")
    shell("push")
    machine(*folder, "remove", "admin/old", "--recursive")
    (line,) = machine(*folder, "removed").out.splitlines()
    node = machine(*folder, "removed", "--json").json["removed"][0]["id"]
    assert re.fullmatch(rf"\S+ \S+  admin/old  1 artifact  97\.7 KiB  {node}", line)
    told = machine(*folder, "purge", "admin/old").out
    assert told == f"{line}: would be deleted for good\nNothing was changed: run it with --apply\n"
    assert "Everything is needed" in machine("server", "gc").out
    assert "no path was given" in machine(*folder, "purge", code=2).err
    assert "--apply is for" in machine(*folder, "remove", "admin", "--apply", code=2).err
    machine(*folder, "make", "admin/old")
    machine(*folder, "remove", "admin/old")
    assert "2 were removed from 'admin/old': name one by its id" in machine(*folder, "purge", "admin/old", code=2).err
    done = machine(*folder, "purge", node, "--apply")
    assert done.out == f"{line}: deleted for good\n" and "next runs of `aimdvc server gc --apply`" in done.err
    assert machine(*folder, "purge", "admin/old", "--apply", "--json").json["purged"]["artifacts"] == 0
    assert "nothing was removed from there; " in machine(*folder, "restore", "admin/old", code=2).err
    assert "all whole" in machine("server", "verify", "--data").out
    clone = ["git", "clone", "-q", f"http://x:{server.admin_key}@{server.url.partition('//')[2]}/old/data.git", "clone"]
    done_by_git = subprocess.run(clone, cwd=tmp_path, capture_output=True, text=True, env=unmeasured())
    assert done_by_git.returncode == 128 and "not found" in done_by_git.stderr
