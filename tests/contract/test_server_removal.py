"""What is removed is not there for anybody, and comes back as it was."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aimdvc.git.graph import Graph
from aimdvc.model.commits import RefUpdate
from aimdvc.model.progress import Silent
from aimdvc.server.audit import read_audit
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import Graces, collect
from aimdvc.server.guard import HttpError
from aimdvc.server.protection import protected_refusals
from aimdvc.server.rights import SYSTEM
from aimdvc.server.stats import read_stats
from aimdvc.server.verify import verify
from tests.contract.backing import back_up, kept, opened, push_version
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, Reply, pointer_of, report_of

JSON = {"Content-Type": "application/json"}
BLOB = b"blob " * 1000


class Tree:
    """Ada's artifacts sets/a and sets/deep/b; bob may edit sets, carol may view sets/a; dan may nothing."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server, self.site = server, server.site
        self.removals, folders = server.site.removals, server.site.folders
        self.clients = {"anonymous": Client(server.url, None), "admin": Client(server.url, server.admin_key)}
        for name in ("ada", "bob", "carol", "dan"):
            user = self.site.accounts.add_user(name)
            self.clients[name] = Client(server.url, self.site.accounts.add_key(user, "admin"))
        self.ada = self.clients["ada"]
        for path in ("sets/a", "sets/deep/b"):
            push_version(self.ada, path, BLOB)
        folders.share(SYSTEM, "ada/sets", "user", "bob", "edit")
        folders.share(SYSTEM, "ada/sets/a", "user", "carol", "view")

    def git(self, who: str, path: str = "ada/sets/a") -> int:
        return self.clients[who].request("GET", f"/{path}.git/info/refs?service=git-upload-pack").status

    def found(self, who: str) -> list[str]:
        reply = self.clients[who].request("GET", "/api/v1/search?limit=100")
        return [one["path"] for one in reply.json()["artifacts"]]

    def listed(self, who: str, path: str = "") -> list[str]:
        reply = self.clients[who].request("GET", f"/api/v1/folders{path}")
        return [one["path"] for one in reply.json()["nodes"]]

    def remove(self, who: str, path: str, query: str = "") -> Reply:
        return self.clients[who].request("DELETE", f"/api/v1/folders/{path}{query}")

    def restore(self, who: str, **wish: str) -> Reply:
        return self.clients[who].request("POST", "/api/v1/removed", json.dumps(wish).encode(), JSON)


@pytest.fixture
def tree(server: EmbeddedServer) -> Tree:
    return Tree(server)


def held(tree: Tree, who: str, path: str) -> tuple[dict[str, str], bytes]:
    """Returns the refs of an artifact, and the bytes of its blob."""
    client = tree.clients[who]
    told = client.batch(path, "download", [pointer_of(BLOB)]).json()["objects"][0]
    return client.refs(path), client.request("GET", told["actions"]["download"]["href"], key=False).body


def test_what_is_removed_is_not_there_for_anybody_and_comes_back_whole(tree: Tree) -> None:
    everybody: Iterable[str] = ("ada", "bob", "carol", "dan", "admin", "anonymous")
    before = {who: (tree.git(who), tree.found(who)) for who in everybody}
    roots = {who: tree.listed(who) for who in ("ada", "bob", "carol", "dan", "admin")}
    refs, content = held(tree, "ada", "ada/sets/a")
    href = tree.ada.batch("ada/sets/a", "download", [pointer_of(BLOB)]).json()["objects"][0]["actions"]["download"]
    assert content == BLOB and before["bob"][1] == ["ada/sets/a", "ada/sets/deep/b"] and before["carol"][0] == 200
    assert tree.remove("ada", "ada/sets", "?recursive=true").json()["artifacts"] == 2
    for who in everybody:
        assert tree.git(who) == tree.git(who, "ada/nothing/a"), who
        assert tree.found(who) == []
        assert who == "anonymous" or "ada/sets" not in tree.listed(who)
    assert "ada" not in tree.listed("bob") + tree.listed("carol")
    assert tree.listed("ada", "/ada") == []
    if href["href"].startswith(tree.server.url):
        # It lives out its five minutes, as one of an artifact that was moved.
        assert tree.ada.request("GET", href["href"], key=False).status == 200
    # The name is free.
    push_version(tree.ada, "ada/sets/a", b"other")
    assert tree.restore("admin", path="ada/sets").status == 409
    assert tree.restore("admin", path="ada/sets", to="ada/nowhere/sets").status == 409
    assert tree.restore("admin", path="ada/sets", to="ada/Back").json() == {"path": "ada/Back"}
    assert held(tree, "bob", "ada/back/a") == held(tree, "ada", "ada/back/a") == (refs, content)
    assert tree.remove("ada", "ada/sets", "?recursive=true").status == 200
    assert tree.remove("admin", "ada/back", "?recursive=true").status == 200
    assert tree.restore("admin", path="ada/back", to="ada/sets").json() == {"path": "ada/sets"}
    assert {who: (tree.git(who), tree.found(who)) for who in everybody} == before
    assert {who: tree.listed(who) for who in roots} == roots
    actions = [entry.action for entry in read_audit(tree.site.database)]
    assert (actions.count("node.remove"), actions.count("node.restore")) == (3, 2)


def test_removing_takes_the_rights_of_its_owner_and_a_flag_for_what_is_not_empty(tree: Tree) -> None:
    refused = {who: tree.remove(who, "ada/sets/a").status for who in ("bob", "carol", "dan", "anonymous")}
    assert refused == {"bob": 403, "carol": 403, "dan": 404, "anonymous": 401}
    assert "is not empty: 3 folders" in tree.remove("ada", "ada/sets").json()["message"]
    assert [tree.remove(who, "ada").status for who in ("ada", "admin")] == [403, 409]
    assert tree.remove("ada", "ada/sets/a").json()["path"] == "ada/sets/a"
    assert tree.remove("ada", "ada/sets/a").status == 404
    assert tree.restore("ada", path="ada/sets/a").status == 403
    assert tree.restore("admin", path="ada/sets/b").status == 404
    # What it lay in goes, too, and comes back without it.
    tree.remove("ada", "ada/sets", "?recursive=true")
    assert tree.restore("admin", path="ada/sets/a").status == 409
    assert tree.restore("admin", path="ada/sets").status == 200
    assert tree.found("ada") == ["ada/sets/deep/b"]
    assert tree.restore("admin", path="ADA/sets/a").status == 200
    tree.site.folders.make_root("team")
    assert tree.remove("bob", "team").status == 404
    assert tree.remove("admin", "team").status == 200
    tree.site.accounts.add_user("team")
    assert tree.restore("admin", path="team").status == 409
    assert tree.restore("admin", path="team", to="crew").json() == {"path": "crew"}


def test_gc_verify_backup_and_stats_know_what_is_removed(tree: Tree, tmp_path: Path) -> None:
    tree.site.quotas.set("ada/sets", 1_000_000)
    tree.site.quotas.set("user:ada", 1_000_000)
    refs, content = held(tree, "ada", "ada/sets/a")
    tree.removals.remove(SYSTEM, "ada/sets", True)
    assert [(one.subject, one.used) for one in tree.site.quotas.read()] == [("user:ada", 0)]
    for _ in range(3):
        report = collect(tree.site.database, tree.site.storage, Graces(0, 0), True, Silent())
        assert report.failed == []
    assert not verify(kept(tree.site), True, Silent()).damage
    assert read_stats(tree.site.database).artifacts == 2
    back_up(tree.server, tmp_path / "backup")
    with opened(tmp_path / "backup") as copy:
        assert [one.path for one in copy.removals.read()] == ["ada/sets"]
        copy.removals.restore(SYSTEM, "ada/sets")
        assert not verify(kept(copy), True, Silent()).damage
    tree.removals.restore(SYSTEM, "ada/sets")
    assert held(tree, "ada", "ada/sets/a") == (refs, content)
    used = [(one.subject, one.used) for one in tree.site.quotas.read()]
    assert used == [("ada/sets", 2 * len(BLOB)), ("user:ada", 2 * len(BLOB))]
    tree.removals.remove(SYSTEM, "ada/sets", True)
    tree.site.quotas.set("user:ada", 1)
    with pytest.raises(HttpError) as full:
        tree.removals.restore(SYSTEM, "ada/sets")
    assert full.value.status == 507 and len(tree.removals.read()) == 1


def test_of_two_at_once_one_removes_and_one_restores(tree: Tree) -> None:
    with ThreadPoolExecutor(4) as pool:
        removed = list(pool.map(lambda _: tree.remove("ada", "ada/sets/a").status, range(4)))
        restored = list(pool.map(lambda _: tree.restore("admin", path="ada/sets/a").status, range(4)))
    assert sorted(removed) == sorted(restored) == [200, 404, 404, 404]


def test_a_group_goes_with_its_shares_but_not_while_a_protected_ref_names_it(tree: Tree) -> None:
    accounts = tree.site.accounts
    accounts.add_group("Team")
    accounts.join("team", "dan")
    tree.site.folders.share(SYSTEM, "ada/sets/a", "group", "team", "view")
    tree.site.protections.protect(SYSTEM, "ada/sets", "heads/*", "group", "team")
    assert tree.git("dan") == 200
    url = "/api/v1/groups/team"
    reply = tree.clients["admin"].request("DELETE", url)
    assert (reply.status, reply.json()["message"]) == (409, "the protected ref 'heads/*' of ada/sets names 'Team'")
    tree.removals.remove(SYSTEM, "ada/sets", True)
    assert "of what was removed names" in tree.clients["admin"].request("DELETE", url).json()["message"]
    tree.removals.restore(SYSTEM, "ada/sets")
    tree.site.protections.protect(SYSTEM, "ada/sets", "heads/*", "group", "team", is_on=False)
    assert [tree.clients["admin"].request("DELETE", url).status for _ in range(2)] == [204, 404]
    # Another of this name has none of its rights.
    accounts.add_group("team")
    accounts.join("team", "dan")
    assert (tree.git("dan"), tree.found("dan")) == (404, [])
    assert not verify(kept(tree.site), False, Silent()).damage


def test_protected_refs_hold_again_after_a_restore(tree: Tree) -> None:
    tree.site.protections.protect(SYSTEM, "ada/sets/a", "heads/*", "nobody", "")
    artifact = tree.site.artifact(SYSTEM, "ada/sets/a").id
    tree.removals.remove(SYSTEM, "ada/sets/a")
    # A push that was under way is held by no rule that it could read.
    graph, moves = Graph(lambda name: (0, b""), "nothing"), [RefUpdate(MAIN, None, None)]
    told = protected_refusals(tree.site.database, artifact, SYSTEM, graph, moves)
    assert told == {MAIN: "the artifact was removed"}
    tree.removals.restore(SYSTEM, "ada/sets/a")
    made = Made()
    commit = made.commit(made.tree([]))
    report = report_of(tree.ada.push("ada/sets/a", [(None, commit, f"{MAIN}2")], made.pack()))
    assert report[1].endswith("protected: nobody may move it")
