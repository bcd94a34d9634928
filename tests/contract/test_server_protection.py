"""Protected refs: who alone may move them; branches that go forward only."""

from collections.abc import Sequence

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.guard import HttpError
from aimdvc.server.rights import SYSTEM
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of
from tests.shell import Shell

MAIN, TOPIC, PRODUCTION = "refs/heads/main", "refs/heads/topic", "refs/aliases/production"


Update = tuple[str | None, str | None, str]


class Team:
    """Ada, who owns an artifact, and bob of the group `release`, who may edit it."""

    def __init__(self, server: EmbeddedServer) -> None:
        accounts, folders = server.site.accounts, server.site.folders
        self.protections = server.site.protections
        self.clients = {}
        for name in ("ada", "bob", "carol"):
            self.clients[name] = Client(server.url, accounts.add_key(accounts.add_user(name), "admin"))
        accounts.add_group("release")
        accounts.join("release", "bob")
        self.made = Made()
        self.first = self.made.commit(self.made.tree([]))
        self.second = self.made.commit(self.made.tree([]), (self.first,))
        self.push("ada", [(None, self.first, MAIN), (None, self.first, TOPIC), (None, self.first, PRODUCTION)])
        for name in ("bob", "carol"):
            folders.share(SYSTEM, "ada", "user", name, "edit")

    def push(self, who: str, updates: Sequence[Update], caps: str = "") -> list[str]:
        report = report_of(self.clients[who].push("ada/sets/a", updates, self.made.pack(), caps))
        return [line.partition(" ")[2].partition(" ")[2] or "ok" for line in report[1 : 1 + len(updates)]]


@pytest.fixture
def team(server: EmbeddedServer) -> Team:
    return Team(server)


@pytest.mark.parametrize("place", ["ada", "ada/sets", "ada/sets/a"])
def test_a_protected_alias_is_moved_by_those_alone_that_are_named(team: Team, place: str) -> None:
    team.protections.protect(SYSTEM, place, "aliases/prod*", "group", "release")
    move = [(team.first, team.second, PRODUCTION)]
    assert team.push("carol", move) == ["protected: release alone may move it"]
    # Who owns it can change the rule, but is held by it as long as it stands.
    assert team.push("ada", move) == ["protected: release alone may move it"]
    assert team.push("carol", [(team.first, None, PRODUCTION)]) == ["protected: release alone may move it"]
    assert team.push("carol", [(None, team.first, "refs/aliases/prod2")]) == ["protected: release alone may move it"]
    assert team.push("bob", move) == ["ok"]
    assert team.push("carol", [(None, team.first, "refs/aliases/best")]) == ["ok"]
    team.protections.protect(SYSTEM, place, "aliases/prod*", "user", "carol")
    assert team.push("carol", [(team.second, team.first, PRODUCTION)]) == ["ok"]
    team.protections.protect(SYSTEM, place, "aliases/prod*", "user", "carol", is_on=False)
    team.protections.protect(SYSTEM, place, "aliases/prod*", "group", "release", is_on=False)
    assert team.push("ada", move) == ["ok"]


def test_one_protected_ref_holds_off_all_of_an_atomic_push(team: Team) -> None:
    team.protections.protect(SYSTEM, "ada/sets/a", "aliases/production", "nobody", "")
    both = [(team.first, team.second, MAIN), (team.first, team.second, PRODUCTION)]
    assert team.push("ada", both, "atomic") == ["atomic transaction failed", "protected: nobody may move it"]
    assert team.push("ada", both) == ["ok", "protected: nobody may move it"]


def test_branches_that_go_forward_only(team: Team) -> None:
    team.protections.protect(SYSTEM, "ada", "heads/*", "forward", "")
    assert team.push("bob", [(team.first, team.second, TOPIC)]) == ["ok"]
    assert team.push("bob", [(team.second, team.first, TOPIC)]) == ["protected: it goes forward only"]
    assert team.push("bob", [(team.second, None, TOPIC)]) == ["protected: it goes forward only"]
    assert team.push("bob", [(None, team.first, "refs/heads/other")]) == ["ok"]
    missing = "ab" * 20
    assert team.push("bob", [(team.second, missing, TOPIC)]) == ["missing necessary objects"]
    team.protections.protect(SYSTEM, "ada", "heads/*", "forward", "", is_on=False)
    assert team.push("bob", [(team.second, team.first, TOPIC)]) == ["ok"]


def test_a_whole_artifact_can_be_closed(team: Team) -> None:
    team.protections.protect(SYSTEM, "ada/sets/a", "*", "user", "ada")
    assert team.push("bob", [(team.first, team.second, MAIN)]) == ["protected: ada alone may move it"]
    assert team.push("ada", [(team.first, team.second, MAIN)]) == ["ok"]


@pytest.mark.parametrize(
    ("path", "pattern", "kind", "subject", "status"),
    [
        ("ada/nothing", "*", "nobody", "", 404),
        ("ada", "", "nobody", "", 422),
        ("ada", "a b", "nobody", "", 422),
        ("ada", "x" * 500, "nobody", "", 422),
        ("ada", "main", "nobody", "", 422),
        ("ada", "refs/heads/main", "nobody", "", 422),
        ("ada", "production*", "nobody", "", 422),
        ("ada", "*", "everyone", "", 422),
        ("ada", "*", "user", "eve", 404),
    ],
)
def test_what_makes_no_sense_is_refused(
    team: Team, path: str, pattern: str, kind: str, subject: str, status: int
) -> None:
    with pytest.raises(HttpError) as refused:
        team.protections.protect(SYSTEM, path, pattern, kind, subject)
    assert refused.value.status == status
    assert team.protections.rules(SYSTEM, "ada") == []


@pytest.mark.parametrize("pattern", ["*", "*main", "h*", "heads/*", "alias*/x", "tags/*", "notes/x"])
def test_what_a_ref_may_fit_is_taken(team: Team, pattern: str) -> None:
    team.protections.protect(SYSTEM, "ada", pattern, "nobody", "")
    assert [rule.pattern for rule in team.protections.rules(SYSTEM, "ada")] == [pattern]


def test_aimdvc_tells_why_an_alias_did_not_move(server: EmbeddedServer, shell: Shell) -> None:
    shell("login", server.url, typed=server.admin_key or "")
    shell("remote", "add", "origin", server.url)
    shell.write("data/a", "1\n")
    shell.commit("data")
    shell("alias", "set", "data@HEAD", "production")
    shell("push")
    server.site.protections.protect(SYSTEM, "admin/data", "aliases/*", "nobody", "")
    shell.write("data/a", "2\n")
    shell.commit("data")
    shell("alias", "set", "data@HEAD", "production")
    done = shell("push", code=-1)
    assert done.code in (1, 5, 6)
    assert "protected: nobody may move it" in done.err
