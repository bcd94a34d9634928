"""Who may see and do what: shares, groups, everyone, key scopes and folders; what may not be seen is not there."""

import json
import time

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import SYSTEM, Caller
from aimdvc.server.sharing import Share
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, Reply, report_of

MAIN = "refs/heads/main"


class People:
    """Users of a server with a key each, made as they are asked for."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.accounts = server.site.accounts
        self.folders = server.site.folders
        self.ids = {name: self.accounts.add_user(name) for name in ("alice", "bob", "carol")}

    def client(self, name: str, scope: str = "admin", folder: str | None = None) -> Client:
        return Client(self.server.url, self.accounts.add_key(self.ids[name], scope, folder=folder))

    def caller(self, name: str, scope: str = "admin") -> Caller:
        found = self.accounts.caller(self.accounts.add_key(self.ids[name], scope))
        assert found is not None
        return found

    def node(self, path: str) -> str:
        with self.server.site.database.read() as connection:
            found: str = ""
            for segment in path.split("/"):
                query = f"SELECT id FROM nodes WHERE parent = '{found}' AND name_key = '{segment.casefold()}'"
                found = str(connection.exec_driver_sql(query).scalar())
        return found


@pytest.fixture
def people(server: EmbeddedServer) -> People:
    made = People(server)
    push(made.client("alice"), "data/images")
    return made


def push(client: Client, path: str) -> str:
    made = Made()
    commit = made.commit(made.tree([]))
    return report_of(client.push(path, [(None, commit, MAIN)], made.pack()))[1]


def reads(client: Client, path: str, key: bool = True) -> int:
    return client.request("GET", f"/{path}.git/info/refs?service=git-upload-pack", key=key).status


def writes(client: Client, path: str, key: bool = True) -> int:
    return client.request("GET", f"/{path}.git/info/refs?service=git-receive-pack", key=key).status


def test_what_is_not_shared_is_not_there(people: People) -> None:
    bob = people.client("bob")
    for path in ("alice/data/images", "alice/data/nothing", "alice/nothing/images", "nobody/data/images"):
        assert reads(bob, path) == 404
    # Not seeing the root, bob means a place of his own.
    assert writes(bob, "alice/data/images") == 200
    assert push(bob, "alice/data/images") == f"ok {MAIN}"
    assert people.node("bob/alice/data/images") != people.node("alice/data/images")
    assert reads(people.client("alice"), "bob/alice/data/images") == 404


@pytest.mark.parametrize("place", ["alice", "alice/data", "alice/data/images"])
@pytest.mark.parametrize("kind", ["user", "group", "everyone"])
@pytest.mark.parametrize("may", ["view", "edit"])
def test_a_share_holds_for_all_below_it(people: People, place: str, kind: str, may: str) -> None:
    people.accounts.add_group("team")
    people.accounts.join("team", "bob")
    subject = {"user": "bob", "group": "team", "everyone": ""}[kind]
    people.folders.share(people.caller("alice"), place, kind, subject, may)
    bob, carol = people.client("bob"), people.client("carol")
    assert reads(bob, "alice/data/images") == 200
    assert writes(bob, "alice/data/images") == (200 if may == "edit" else 403)
    assert writes(bob, "alice/data/images2") == (404 if place.endswith("images") else 200 if may == "edit" else 403)
    assert reads(carol, "alice/data/images") == (200 if kind == "everyone" else 404)
    assert reads(bob, "alice/data/images", key=False) == (200 if kind == "everyone" else 401)
    assert writes(bob, "alice/data/images", key=False) == 401
    people.folders.share(people.caller("alice"), place, kind, subject, "")
    assert reads(bob, "alice/data/images") == 404
    assert reads(bob, "alice/data/images", key=False) == 401


def test_a_member_who_left_sees_nothing(people: People) -> None:
    people.accounts.add_group("team")
    people.accounts.join("Team", "BOB")
    people.folders.share(people.caller("alice"), "alice/data", "group", "team", "edit")
    bob = people.client("bob")
    assert writes(bob, "alice/data/images") == 200
    assert [group.members for group in people.accounts.list_groups()] == [("bob",)]
    people.accounts.leave("team", "bob")
    assert reads(bob, "alice/data/images") == 404


def test_a_key_passes_on_what_its_scope_says(people: People) -> None:
    reader, writer = people.client("alice", "read"), people.client("alice", "write")
    assert (reads(reader, "data/images"), writes(reader, "data/images")) == (200, 403)
    assert writes(reader, "data/new") == 404
    assert (reads(writer, "data/images"), writes(writer, "data/new")) == (200, 200)
    for scope in ("read", "write"):
        with pytest.raises(HttpError) as refused:
            people.folders.share(people.caller("alice", scope), "alice/data", "everyone", "", "view")
        assert refused.value.status == 403
    with pytest.raises(HttpError):
        people.accounts.add_key(people.ids["alice"], "all")


def test_a_key_of_a_folder_sees_that_folder_alone(people: People) -> None:
    push(people.client("alice"), "other/images")
    bound = people.client("alice", "write", people.node("alice/data"))
    assert (reads(bound, "data/images"), writes(bound, "data/new")) == (200, 200)
    assert (reads(bound, "other/images"), writes(bound, "other/images"), writes(bound, "new/images")) == (404, 404, 404)
    admin = Client(people.server.url, people.server.admin_key)
    assert reads(admin, "alice/other/images") == 200


def test_a_key_ends_when_it_is_revoked_or_its_time_is_over(people: People) -> None:
    for end in ("id", "key", "time", "user"):
        key = people.accounts.add_key(
            people.ids["bob"], "read", "laptop", expires_s=time.time() + 0.2 if end == "time" else None
        )
        known = people.accounts.list_keys(people.ids["bob"])[-1]
        assert (known.name, known.scope, known.used_s) == ("laptop", "read", None)
        caller = people.accounts.caller(key)
        assert caller is not None
        used_s = people.accounts.list_keys(people.ids["bob"])[-1].used_s
        assert used_s is not None
        assert time.time() - used_s < 20
        if end == "user":
            people.accounts.change_user("bob", is_disabled=True)
        elif end != "time":
            people.accounts.revoke_key(known.id if end == "id" else key)
        time.sleep(0.3 if end == "time" else 0)
        assert people.accounts.caller(key) is None
        assert reads(Client(people.server.url, key), "a") == 401
    with pytest.raises(HttpError, match="no such key"):
        people.accounts.revoke_key("nothing")


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".git", "\u00df" * 60, "x" * 101, "\0", "\udc80", "API", "a\n", "-a", "a "]
)
def test_names_that_nobody_can_have_are_refused(people: People, name: str) -> None:
    for act in (people.accounts.add_user, people.accounts.add_group, people.folders.make_root):
        with pytest.raises(HttpError) as refused:
            act(name)
        assert refused.value.status == 400
    for key_name in ("x" * 101, "a\0b", "a\nb", "\udc80"):
        with pytest.raises(HttpError):
            people.accounts.add_key(people.ids["bob"], "read", key_name)
    for key in ("\udc80", "\0", ""):
        with pytest.raises(HttpError):
            people.accounts.revoke_key(key)


def test_a_key_in_the_query_is_taken(people: People) -> None:
    key = people.client("alice", "read").key
    anonymous = Client(people.server.url, None)
    url = "/data/images.git/info/refs?service=git-upload-pack"
    assert anonymous.request("GET", f"{url}&apikey={key}").status == 200
    assert anonymous.request("GET", f"{url}&apikey=wrong").status == 401
    assert anonymous.request("GET", url).status == 401


def test_no_secret_is_in_the_database(people: People) -> None:
    key = people.client("alice").key or ""
    with people.server.site.database.read() as connection:
        for table in ("users", "keys", "settings", "shares", "nodes"):
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}").all():
                assert key not in str(row)
                assert key.replace("-", "") not in str(row)
                assert bytes.fromhex(key.replace("-", "")) not in row


def test_a_moved_node_takes_the_rights_of_its_target(people: People) -> None:
    alice = people.caller("alice")
    people.folders.make(alice, "public/deep")
    people.folders.share(alice, "alice/public", "everyone", "", "view")
    people.folders.share(alice, "alice/data", "user", "bob", "edit")
    people.folders.share(alice, "alice/data/images", "user", "carol", "view")
    bob, carol = people.client("bob"), people.client("carol")
    assert (writes(bob, "alice/data/images"), reads(carol, "alice/data/images")) == (200, 200)
    assert people.folders.move(alice, "data", "Public/deep/Things") == "alice/public/deep/Things"
    assert reads(bob, "alice/data/images") == 404
    for client in (bob, carol):
        assert (
            reads(client, "alice/public/deep/things/images"),
            writes(client, "alice/public/deep/things/images"),
        ) == (
            200,
            403,
        )
    assert people.folders.shares(alice, "public/deep/things") == []
    # A new name alone leaves the shares.
    people.folders.share(alice, "public/deep/things", "user", "bob", "edit")
    people.folders.move(alice, "public/deep/things", "public/deep/stuff")
    assert people.folders.shares(alice, "public/deep/stuff") == [Share("user", "bob", "edit")]
    assert writes(bob, "alice/public/deep/stuff/images") == 200


def test_who_may_edit_may_rename_and_not_take_away(people: People) -> None:
    alice, bob = people.caller("alice"), people.caller("bob")
    people.folders.make(alice, "other")
    people.folders.share(alice, "alice", "user", "bob", "edit")
    for to in ("bob/images", "alice/other/images"):
        with pytest.raises(HttpError, match="the right to share 'images'"):
            people.folders.move(bob, "alice/data/images", to)
    assert people.folders.move(bob, "alice/data/images", "alice/data/pictures") == "alice/data/pictures"
    with pytest.raises(HttpError, match="the right to share"):
        people.folders.move(people.caller("alice", "write"), "data/pictures", "other/pictures")
    assert people.folders.move(alice, "data/pictures", "other/pictures") == "alice/other/pictures"


def ask(client: Client, method: str, url: str, **fields: object) -> Reply:
    body = json.dumps(fields).encode() if fields else None
    return client.request(method, f"/api/v1{url}", body, {"Content-Type": "application/json"} if fields else {})


def test_a_key_makes_none_that_may_more_or_lives_longer(people: People) -> None:
    soon_s = time.time() + 1000
    owner = people.client("alice")
    # Seconds from now, where a time is meant, would make a key that is none.
    refused = ask(owner, "POST", "/keys", expires_s=3600)
    assert (refused.status, refused.json()["message"]) == (
        422,
        "expires_s is past: it is a time, in seconds since 1970",
    )
    made = ask(owner, "POST", "/keys", scope="admin", folder="data", expires_s=soon_s)
    assert made.status == 201
    bound = Client(people.server.url, made.json()["key"])
    assert ask(bound, "GET", "/whoami").json() == {
        "user": "alice",
        "is_admin": False,
        "scope": "admin",
        "folder": "alice/data",
    }
    for expires_s in (None, soon_s + 1000):
        more = {} if expires_s is None else {"expires_s": expires_s}
        assert ask(bound, "POST", "/keys", scope="write", **more).status == 201
        child = ask(owner, "GET", "/keys").json()["keys"][-1]
        assert (child["scope"], child["folder"], child["expires_s"]) == ("write", "alice/data", soon_s)
    assert ask(bound, "POST", "/keys", scope="read", folder="alice").status == 404
    for scope in ("read", "write"):
        assert ask(people.client("alice", scope), "POST", "/keys", scope="read").status == 403
    assert ask(owner, "POST", "/keys", user="bob", scope="read").status == 403
    mine = {key["id"] for key in ask(owner, "GET", "/keys").json()["keys"]}
    assert ask(people.client("bob"), "DELETE", f"/keys/{min(mine)}").status == 404


def test_an_administrator_s_key_of_a_folder_does_not_administer(people: People) -> None:
    admin = people.accounts.user("admin")
    key = people.accounts.add_key(admin.id, "admin", folder=people.node("alice/data"))
    bound = Client(people.server.url, key)
    assert reads(bound, "alice/data/images") == 200
    for method, url, fields in (
        ("GET", "/users", {}),
        ("POST", "/users", {"name": "eve", "is_admin": True}),
        ("PATCH", "/users/bob", {"is_admin": True}),
        ("POST", "/keys", {"user": "alice"}),
        ("GET", "/keys?user=alice", {}),
    ):
        assert ask(bound, method, url, **fields).status == 403, url
    assert ask(bound, "PUT", "/folders/new").status == 404
    assert ask(bound, "PUT", "/folders/alice/new/x").status == 404
    assert ask(bound, "PUT", "/folders/alice/data/x").status == 201


@pytest.mark.parametrize(
    ("who", "path", "to", "status"),
    [
        ("alice", "data", "data/inside", 409),
        ("alice", "data/images", "data/other", 409),
        ("alice", "data/nothing", "data/x", 404),
        ("alice", "data/images", "nowhere/x", 404),
        ("alice", "data/images", "data/a.git", 400),
        ("alice", "data", "data/other/below", 409),
        ("alice", "alice", "data/alice", 409),
        ("bob", "alice/data/images", "mine", 403),
        ("bob", "mine", "alice/data/mine", 403),
        ("carol", "alice/data/images", "mine", 404),
    ],
)
def test_where_a_node_can_not_be_moved_to_nothing_changes(
    people: People, who: str, path: str, to: str, status: int
) -> None:
    alice = people.caller("alice")
    push(people.client("alice"), "data/other")
    push(people.client("bob"), "mine")
    people.folders.share(alice, "alice/data", "user", "bob", "view")
    with pytest.raises(HttpError) as refused:
        people.folders.move(people.caller(who), path, to)
    assert refused.value.status == status
    seen = [(one.path, one.may) for one in people.folders.children(alice, "data")]
    assert seen == [("alice/data/images", "own"), ("alice/data/other", "own")]


def test_a_folder_lists_what_its_caller_may_see(people: People) -> None:
    alice = people.caller("alice")
    people.folders.make_root("Shared")
    people.folders.share(SYSTEM, "shared", "everyone", "", "view")
    people.folders.share(alice, "data/images", "user", "bob", "view")
    seen = [(one.path, one.kind, one.may) for one in people.folders.children(people.caller("bob"), "")]
    assert seen == [("alice", "root", "none"), ("bob", "root", "own"), ("Shared", "root", "view")]
    assert [one.path for one in people.folders.children(people.caller("carol"), "")] == ["carol", "Shared"]
    with pytest.raises(HttpError):
        people.folders.children(people.caller("carol"), "alice")
    with pytest.raises(HttpError, match="already"):
        people.folders.make_root("ALICE")
    with pytest.raises(HttpError, match="already"):
        people.accounts.add_user("shared")


def test_the_last_administrator_stays_one(people: People) -> None:
    with pytest.raises(HttpError, match="last administrator"):
        people.accounts.change_user("admin", is_admin=False)
    with pytest.raises(HttpError, match="last administrator"):
        people.accounts.change_user("admin", is_disabled=True)
    people.accounts.change_user("alice", is_admin=True)
    people.accounts.change_user("admin", is_disabled=True)
    assert reads(Client(people.server.url, people.server.admin_key), "alice/data/images") == 401
    with pytest.raises(HttpError, match="no user"):
        people.accounts.change_user("alic", is_admin=True)
