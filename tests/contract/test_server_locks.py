"""Git LFS locks: made once, listed, verified, ended; and a push of what somebody else has locked is refused."""

import json
from typing import Any

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.git_packs import Made
from tests.contract.server_client import LFS, Client, Reply, report_of

MAIN = "refs/heads/main"


def ask(client: Client, method: str, tail: str = "", body: Any = None, artifact: str = "admin/a") -> Reply:
    content = json.dumps(body).encode() if body is not None else None
    return client.request(
        method, f"/{artifact}.git/info/lfs/locks{tail}", content, {"Content-Type": LFS, "Accept": LFS}
    )


def version(made: Made, content: bytes, *parents: str) -> str:
    files = [(b"100644", b"a", made.blob(content)), (b"100644", b"b", made.blob(b"same\n"))]
    return made.commit(made.tree(files), parents)


@pytest.fixture
def client(client: Client) -> Client:
    """The administrator, who has pushed `a`."""
    made = Made()
    first = version(made, b"1\n")
    assert report_of(client.push("a", [(None, first, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    return client


@pytest.fixture
def bob(server: EmbeddedServer, client: Client) -> Client:
    accounts = server.site.accounts
    user = accounts.add_user("bob")
    caller = accounts.caller(client.key or "")
    assert caller is not None
    server.site.folders.share(caller, "admin/a", "user", "bob", "edit")
    return Client(server.url, accounts.add_key(user))


def test_a_lock_is_made_once_listed_and_ended(client: Client, bob: Client) -> None:
    made = ask(client, "POST", body={"path": "dir/\u00e9 x.bin", "ref": {"name": MAIN}})
    assert made.status == 201
    lock = made.json()["lock"]
    assert (lock["path"], lock["owner"]) == ("dir/\u00e9 x.bin", {"name": "admin"})
    again = ask(bob, "POST", body={"path": "dir/\u00e9 x.bin"})
    assert (again.status, again.json()["lock"]) == (409, lock)
    assert "admin has locked it" in again.json()["message"]
    mine = ask(bob, "POST", body={"path": "b"}).json()["lock"]
    assert ask(client, "GET").json() == {"locks": [mine, lock]}
    assert ask(client, "GET", "?path=b").json() == {"locks": [mine]}
    assert ask(client, "GET", f"?id={lock['id']}").json() == {"locks": [lock]}
    assert ask(client, "GET", "?path=nothing").json() == {"locks": []}
    first = ask(client, "GET", "?limit=1").json()
    assert first == {"locks": [mine], "next_cursor": "b"}
    assert ask(client, "GET", "?limit=1&cursor=b").json() == {"locks": [lock]}
    assert ask(bob, "POST", "/verify", {}).json() == {"ours": [mine], "theirs": [lock]}
    assert ask(bob, "POST", "/verify", {"limit": 1}).json() == {"ours": [mine], "theirs": [], "next_cursor": "b"}
    refused = ask(bob, "POST", f"/{lock['id']}/unlock", {})
    assert (refused.status, "admin's" in refused.json()["message"]) == (403, True)
    assert ask(client, "POST", f"/{lock['id']}/unlock", {"force": False}).json() == {"lock": lock}
    assert ask(client, "POST", f"/{lock['id']}/unlock", {}).status == 404
    assert ask(client, "POST", f"/{mine['id']}/unlock", {"force": True}).json() == {"lock": mine}
    assert ask(client, "GET").json() == {"locks": []}


def test_who_may_not_push_may_not_lock(server: EmbeddedServer, client: Client, bob: Client) -> None:
    accounts = server.site.accounts
    user = accounts.user("bob").id
    reader = Client(server.url, accounts.add_key(user, "read"))
    stranger = Client(server.url, accounts.add_key(accounts.add_user("carol")))
    lock = ask(client, "POST", body={"path": "a"}).json()["lock"]
    for method, tail, body in (
        ("POST", "", {"path": "b"}),
        ("POST", "/verify", {}),
        ("POST", f"/{lock['id']}/unlock", {"force": True}),
    ):
        assert ask(reader, method, tail, body).status == 403
        # What she may not see could be hers to make: it has no locks then.
        told = ask(stranger, method, tail, body)
        assert (told.status, lock["id"] in told.body.decode()) in ((404, False), (200, False))
        assert (
            client.request(method, f"/admin/a.git/info/lfs/locks{tail}", b"{}", {"Content-Type": LFS}, key=False).status
            == 401
        )
    assert ask(reader, "GET").json() == {"locks": [lock]}
    assert ask(stranger, "GET").status == 404


@pytest.mark.parametrize(
    ("tail", "body", "status"),
    [
        ("", {}, 422),
        ("", {"path": ""}, 422),
        ("", {"path": 1}, 422),
        ("", {"path": "../x"}, 422),
        ("", {"path": "/x"}, 422),
        ("", {"path": "a\0b"}, 422),
        ("", {"path": "\ud800"}, 400),
        ("", {"path": "x" * 5000}, 422),
        ("/verify", {"cursor": 1}, 422),
        ("/verify", {"limit": -1}, 422),
        ("/verify", {"limit": "many"}, 422),
        ("/verify", [], 422),
        ("/nothing/unlock", {"force": "yes"}, 422),
        ("/nothing/unlock", {}, 404),
    ],
)
def test_what_makes_no_sense_is_refused(client: Client, tail: str, body: Any, status: int) -> None:
    assert ask(client, "POST", tail, body).status == status


def test_a_push_of_what_another_has_locked_is_refused(client: Client, bob: Client, server: EmbeddedServer) -> None:
    made = Made()
    base = version(made, b"1\n")
    change = version(made, b"2\n", base)
    beside = made.commit(made.tree([(b"100644", b"a", made.blob(b"1\n"))]), (base,))
    lock = ask(client, "POST", body={"path": "a"}).json()["lock"]
    pushed = report_of(bob.push("admin/a", [(base, change, MAIN)], made.pack()))
    assert pushed[1] == f"ng {MAIN} 'a' is locked by admin"
    assert client.refs("a")[MAIN] == base
    # So is a branch that is new, and each ref of a push that is all or nothing.
    assert "locked" in report_of(bob.push("admin/a", [(None, change, "refs/heads/x")], made.pack()))[1]
    both = [(base, change, MAIN), (None, base, "refs/heads/y")]
    report = report_of(bob.push("admin/a", both, made.pack(), "atomic"))
    assert [line.split(" ", 2)[2] for line in report[1:3]] == ["'a' is locked by admin", "atomic transaction failed"]
    report = report_of(bob.push("admin/a", both, made.pack()))
    assert report[1:3] == [f"ng {MAIN} 'a' is locked by admin", "ok refs/heads/y"]
    # Other paths are free, and the owner's is theirs.
    assert report_of(bob.push("admin/a", [(base, beside, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    assert report_of(client.push("a", [(None, change, "refs/heads/z")], made.pack()))[1] == "ok refs/heads/z"
    ask(bob, "POST", f"/{lock['id']}/unlock", {"force": True})
    assert report_of(bob.push("admin/a", [(None, change, "refs/heads/x")], made.pack()))[1] == "ok refs/heads/x"
