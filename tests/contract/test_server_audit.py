"""The audit log: every change of who may what is in it, by whom, and what was changed later is found."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from aimdvc.errors import CorruptRepository
from aimdvc.server.audit import read_audit, verify_audit
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import audit
from tests.contract.server_client import Client
from tests.shell import Shell


def test_what_is_changed_is_told_in_its_order(server: EmbeddedServer, client: Client) -> None:
    accounts, folders = server.site.accounts, server.site.folders
    accounts.add_user("ada")
    admin = accounts.caller(client.key or "")
    assert admin is not None
    accounts.add_group("team", by=admin)
    accounts.join("team", "ada", by=admin)
    accounts.join("team", "ada", by=admin)
    accounts.leave("team", "ada", by=admin)
    accounts.leave("team", "ada", by=admin)
    accounts.change_user("ada", is_admin=True, by=admin)
    key = accounts.add_key(accounts.user("ada").id, "read", by=admin)
    accounts.revoke_key(key, by=admin)
    folders.make(admin, "one/two")
    folders.make(admin, "one/two")
    folders.make_root("shared")
    folders.move(admin, "one/two", "shared/three")
    folders.share(admin, "shared/three", "everyone", "", "view")
    told = [(entry.user, entry.action, entry.target, entry.detail) for entry in read_audit(server.site.database)]
    revoked = accounts.list_keys(accounts.user("ada").id)[0].id
    bounds = {"folder": None, "expires_s": None}
    assert told == [
        ("", "user.add", "admin", {"is_admin": True}),
        ("", "user.add", "ada", {"is_admin": False}),
        ("admin", "group.add", "team", {}),
        ("admin", "group.join", "team", {"user": "ada"}),
        ("admin", "group.leave", "team", {"user": "ada"}),
        ("admin", "user.change", "ada", {"is_admin": True}),
        ("admin", "key.add", revoked, {**bounds, "user": "ada", "scope": "read", "name": "read"}),
        ("admin", "key.revoke", revoked, {}),
        ("admin", "folder.make", "admin/one/two", {}),
        ("", "root.make", "shared", {}),
        ("admin", "node.move", "admin/one/two", {"to": "shared/three"}),
        ("admin", "share", "shared/three", {"kind": "everyone", "subject": "", "may": "view"}),
    ]
    assert key not in str(told)
    assert client.request("GET", "/api/v1/audit?after=10").json()["entries"][0]["action"] == "node.move"
    assert client.request("GET", "/api/v1/audit?after=x").status == 422
    assert verify_audit(server.site.database).entries == len(told)


def test_what_failed_is_not_told(server: EmbeddedServer) -> None:
    before = verify_audit(server.site.database)
    for act in (
        lambda: server.site.accounts.add_user("admin"),
        lambda: server.site.accounts.change_user("admin", is_disabled=True),
        lambda: server.site.folders.share(SYSTEM, "admin", "user", "nobody", "view"),
    ):
        with pytest.raises(HttpError):
            act()
    assert verify_audit(server.site.database) == before


@pytest.mark.parametrize("harm", ["change", "time", "remove", "swap"])
def test_what_is_not_as_it_was_written_is_found(server: EmbeddedServer, tmp_path: Path, harm: str) -> None:
    for number in range(6):
        server.site.accounts.add_user(f"user{number}")
    whole = verify_audit(server.site.database)
    assert whole.entries == 7
    with server.site.database.write() as connection:
        four = audit.c.number == 4
        if harm == "change":
            connection.execute(update(audit).where(four).values(target="somebody"))
        elif harm == "time":
            connection.execute(update(audit).where(four).values(time_ms=audit.c.time_ms + 1))
        elif harm == "remove":
            connection.execute(delete(audit).where(four))
        else:
            connection.execute(update(audit).where(four).values(number=100))
            connection.execute(update(audit).where(audit.c.number == 5).values(number=4))
            connection.execute(update(audit).where(audit.c.number == 100).values(number=5))
    with pytest.raises(CorruptRepository, match="entry 4 is not what was written"):
        verify_audit(server.site.database)


def test_the_machine_s_command_lists_and_verifies(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv") as server:
        machine = Shell(tmp_path / "srv")
        machine("server", "user", "add", "ada")
        assert "(on the machine)  user.add  ada is_admin=false\n" in machine("server", "audit").out
        done = machine("server", "audit", "verify", "--json").json
        assert done == {"entries": 2, "head": verify_audit(server.site.database).head}
        with server.site.database.write() as connection:
            connection.execute(update(audit).values(user="eve"))
        assert "entry 1 is not what was written" in machine("server", "audit", "verify", code=3).err


def test_changes_at_once_make_one_chain(server: EmbeddedServer) -> None:
    def act(number: int) -> None:
        server.site.accounts.add_user(f"user{number}")
        server.site.folders.make(SYSTEM, f"user{number}/a")

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_audit(server.site.database).entries == 17
    with server.site.database.read() as connection:
        assert list(connection.scalars(select(audit.c.number).order_by(audit.c.number))) == list(range(1, 18))
