"""Search: what is said of artifacts, of those alone that one may see; whatever their metadata hold."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from sqlalchemy import delete

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.reindexing import reindex
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import described, described_values
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, report_of

FILE, TREE = b"100644", b"40000"


def publish(client: Client, artifact: str, raw: bytes | None, ref: str = MAIN, *parents: str) -> str:
    """Pushes a version whose metadata are these bytes; returns its commit."""
    made = Made()
    inner = [(TREE, b".aimd", made.tree([(FILE, b"metadata.json", made.blob(raw))]))] if raw is not None else []
    commit = made.commit(made.tree(inner), parents)
    old = parents[0] if parents and ref == MAIN else None
    assert report_of(client.push(artifact, [(old, commit, ref)], made.pack())) == ["unpack ok", f"ok {ref}"]
    return commit


def says(kind: str, description: str, labels: list[str], **metadata: object) -> bytes:
    told = {"type": kind, "description": description, "labels": labels, "metadata": metadata}
    return json.dumps(told).encode()


def find(client: Client, wish: Mapping[str, str], key: bool = True) -> list[str]:
    reply = client.request("GET", f"/api/v1/search?{urlencode(wish)}", key=key)
    assert reply.status == 200, reply.body
    return [one["path"] for one in reply.json()["artifacts"]]


def test_artifacts_are_found_by_what_is_said_of_them(client: Client) -> None:
    scans = publish(client, "x/Scans", says("Dataset", "Röntgen of HANDS", ["Medical", "raw"], shape={"w": 5}, ok=True))
    publish(client, "model_1", says("model", "100% of hands", ["raw"], tags=["A", "b"], lr=0.1, none=None))
    publish(client, "plain", None)
    every = ["admin/model_1", "admin/plain", "admin/x/Scans"]
    for wish, found in (
        ({}, every),
        ({"q": "HaNdS"}, [every[0], every[2]]),
        ({"q": "RÖNTGEN"}, [every[2]]),
        ({"q": "medic"}, [every[2]]),
        ({"q": "plai"}, [every[1]]),
        ({"q": "0% o"}, [every[0]]),
        ({"q": "%"}, [every[0]]),
        ({"q": "_"}, [every[0]]),
        ({"name": "SCAN"}, [every[2]]),
        ({"name": "x/"}, []),
        ({"type": "dataset"}, [every[2]]),
        ({"type": "data"}, []),
        ({"label": "RAW"}, [every[0], every[2]]),
        ({"label": "raw", "type": "model", "q": "hands"}, [every[0]]),
        ({"label": "raw", "name": "plain"}, []),
        ({"metadata.shape.w": "5"}, [every[2]]),
        ({"metadata.ok": "true"}, [every[2]]),
        ({"metadata.lr": "0.1", "metadata.tags": "B"}, [every[0]]),
        ({"metadata.none": "null"}, [every[0]]),
        ({"metadata.lr": "0"}, []),
        ({"metadata.": "0"}, []),
    ):
        assert find(client, wish) == found, wish
    assert client.request("GET", "/api/v1/search?name=scans").json() == {
        "artifacts": [
            {
                "path": "admin/x/Scans",
                "version": "v1",
                "commit": scans,
                "type": "Dataset",
                "description": "Röntgen of HANDS",
                "labels": ["Medical", "raw"],
            }
        ]
    }


def test_nobody_finds_what_they_may_not_see(server: EmbeddedServer, client: Client) -> None:
    site = server.site
    ids = {name: site.accounts.add_user(name) for name in ("ada", "bob")}
    ada, bob = (Client(server.url, site.accounts.add_key(one, "admin")) for one in ids.values())
    site.folders.make_root("team")
    for artifact in ("ada/secret", "ada/deep/down/shared", "team/all"):
        publish(client, artifact, says("t", "the word", ["l"], k="v"))
    wishes: list[Mapping[str, str]] = [{}, {"q": "word"}, {"type": "t"}, {"label": "l"}, {"metadata.k": "v"}]
    everything = ["team/all", "ada/secret", "ada/deep/down/shared"]

    def seen(by: Client, *paths: str, key: bool = True) -> None:
        for wish in wishes:
            assert sorted(find(by, wish, key)) == sorted(paths), wish

    seen(client, *everything)
    seen(ada, *everything[1:])
    seen(bob)
    seen(bob, key=False)
    site.folders.share(SYSTEM, "ada/deep", "user", "bob", "view")
    seen(bob, everything[2])
    # A folder and what is in it, both shared: it is there once.
    site.folders.share(SYSTEM, "ada/deep/down", "everyone", "", "view")
    site.accounts.add_group("g")
    site.accounts.join("g", "bob")
    site.folders.share(SYSTEM, "team", "group", "g", "edit")
    seen(bob, everything[0], everything[2])
    seen(bob, everything[2], key=False)
    for user, whole, folder, paths in (
        ("ada", ada, "ada/deep", everything[2:]),
        ("bob", bob, "team", everything[:1]),
        ("admin", client, "ada", everything[1:]),
    ):
        bound = site.accounts.add_key(site.accounts.user(user).id, "read", "", site.folders.id_of(SYSTEM, folder))
        seen(Client(server.url, bound), *paths)
        assert len(find(whole, {})) >= len(paths)
    site.folders.move(SYSTEM, "ada/deep/down/shared", "ada/hidden")
    seen(bob, everything[0])
    assert find(ada, {"name": "hidden"}) == ["ada/hidden"]


HOSTILE: dict[str, bytes] = {
    "no JSON": b"{",
    "no object": b"[1]",
    "wrong types": b'{"type": 1, "labels": "x"}',
    "no UTF-8": b'{"description": "\xff"}',
    "NUL": b'{"description": "a\\u0000b", "labels": ["\\u0000"], "metadata": {"\\u0000": "\\u0000"}}',
    "half a pair": b'{"description": "\\ud800", "labels": ["\\udfff"], "metadata": {"\\ud800": ["\\ud800"]}}',
    "deep": b'{"metadata": ' + b'{"a": ' * 90_000 + b"1" + b"}" * 90_000 + b"}",
    "deep enough": b'{"metadata": ' + b'{"a": ' * 300 + b"1" + b"}" * 300 + b"}",
    "many": json.dumps({"metadata": {f"k{at}": at for at in range(9000)}, "labels": ["l"] * 5000}).encode(),
    "long": json.dumps(
        {"metadata": {"k" * 9000: "\U0001f600" * 9000}, "labels": ["ß" * 9000], "type": "t" * 9000}
    ).encode(),
    "huge": b'{"description": "' + b"x" * 5_000_000 + b'"}',
    "odd numbers": b'{"metadata": {"a": NaN, "b": 1e999, "c": ' + b"9" * 4000 + b"}}",
}


def test_no_metadata_refuse_a_push_or_fail_a_search(client: Client) -> None:
    for number, (what, raw) in enumerate(HOSTILE.items()):
        publish(client, f"h{number}", raw)
        shown = client.request("GET", f"/api/v1/search?name=h{number}").json()["artifacts"]
        assert shown[0]["path"] == f"admin/h{number}", what
        assert len(json.dumps(shown)) < 100_000
    publish(client, "is-a-directory", None)
    long = client.request("GET", f"/api/v1/search?{urlencode({'type': 't' * 9000})}").json()
    assert [one["path"] for one in long["artifacts"]] == ["admin/h9"]
    assert find(client, {"metadata.k12": "12"}) == ["admin/h8"]
    assert find(client, {"q": "ab"}) == ["admin/h4"]


def test_the_newest_version_counts_and_nothing_else(server: EmbeddedServer, client: Client) -> None:
    first = publish(client, "a", says("t", "first", ["one"]))
    publish(client, "a", says("t", "branch", ["two"]), "refs/heads/other", first)
    assert (find(client, {"q": "first"}), find(client, {"q": "branch"})) == (["admin/a"], [])
    second = publish(client, "a", says("u", "second", ["one"]), MAIN, first)
    assert (find(client, {"q": "first"}), find(client, {"type": "t"}), find(client, {"type": "u"})) == (
        [],
        [],
        ["admin/a"],
    )
    shown = client.request("GET", "/api/v1/search").json()["artifacts"][0]
    assert (shown["version"], shown["commit"]) == ("v2", second)
    # Nothing is said of what was pushed before there were these tables, until somebody has it read.
    with server.site.database.write() as connection:
        connection.execute(delete(described_values))
        connection.execute(delete(described))
    assert (find(client, {"q": "second"}), find(client, {"name": "a"})) == ([], ["admin/a"])
    assert [reindex(server.site.database, server.site.storage) for _ in range(2)] == [1, 0]
    assert client.request("GET", "/api/v1/search?q=second").json()["artifacts"] == [shown]


@pytest.mark.parametrize("wish", [{}, {"label": "l"}])
def test_a_search_comes_a_page_at_a_time(client: Client, wish: dict[str, str]) -> None:
    names = [f"{folder}/a{at % 2}" for at, folder in enumerate("vwxyz")]
    for name in names:
        publish(client, name, says("", "", ["l"]))
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.request("GET", f"/api/v1/search?{urlencode({**wish, **cursor, 'limit': '2'})}").json()
        found += [one["path"] for one in page["artifacts"]]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(found) == [f"admin/{name}" for name in names] and len(page["artifacts"]) == 1
    for wrong in ("limit=-1", "limit=x", "cursor=x", "cursor=WyJhIl0="):
        assert client.request("GET", f"/api/v1/search?{wrong}").status == 422
