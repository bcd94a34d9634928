"""Lineage over REST: what versions say that made them, as far as the caller may see it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.reindexing import reindex_versions
from aimdvc.server.rights import ANONYMOUS, SYSTEM, Caller, visible_nodes
from aimdvc.server.schema import aimd_versions, made_from, makings, nodes
from aimdvc.server.tree import visible_among
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of

MAIN = "refs/heads/main"
TRIAL = "6f9619ff-8b86-4d01-b42d-00c04fc964ff"
CODE = "c" * 40


def publish(client: Client, path: str, *trailers: str, parent: str | None = None) -> str:
    """Pushes a version whose commit ends with trailers; returns the commit."""
    made = Made()
    text = f"{path}\n\n" + "".join(f"{line}\n" for line in trailers)
    commit = made.commit(made.tree([]), (parent,) if parent else (), text.encode("utf-8", "surrogateescape"))
    assert report_of(client.push(path, [(parent, commit, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
    return commit


def lineage(client: Client, path: str, query: str = "", status: int = 200) -> Any:
    reply = client.request("GET", f"/api/v1/lineage/{path}?{query}")
    assert reply.status == status, reply
    return reply.json()


def commits(told: Any) -> list[str]:
    return [one["commit"] for one in told["versions"]]


def test_what_made_a_version_is_told_and_what_was_made_from_it(client: Client) -> None:
    raw = publish(client, "admin/raw")
    clean = publish(client, "admin/clean", f"Aimd-Input: admin/raw@{raw}", "Aimd-Command: clean raw")
    model = publish(
        client,
        "admin/deep/model",
        f"Aimd-Input: admin/clean@{clean}",
        f"Aimd-Input: elsewhere/words@{'d' * 40}",
        f"Aimd-Code: {CODE}+dirty",
        f"Aimd-Trial: {TRIAL}",
        "Aimd-Command: python train.py",
    )
    told = lineage(client, "admin/deep/model", "version=v1")
    assert (told["commit"], told["direction"], told["is_whole"]) == (model, "up", True)
    assert [(one["artifact"], one["version"], one["depth"], one["command"]) for one in told["versions"]] == [
        ("admin/deep/model", "v1", 0, "python train.py"),
        ("admin/clean", "v1", 1, "clean raw"),
        ("admin/raw", "v1", 2, None),
    ]
    first = told["versions"][0]
    assert (first["code"], first["trial"], first["commit"]) == (f"{CODE}+dirty", {"id": TRIAL}, model)
    assert {(one["input"], one["output"], one["name"]) for one in told["edges"]} == {
        (clean, model, "admin/clean"),
        ("d" * 40, model, "elsewhere/words"),
        (raw, clean, "admin/raw"),
    }
    down = lineage(client, "admin/raw", "direction=down")
    assert commits(down) == [raw, clean, model]
    assert [one["output"] for one in down["edges"]] == [clean, model]
    assert commits(lineage(client, "admin/raw")) == [raw]


def test_a_walk_is_bounded_and_says_so(client: Client) -> None:
    chain = [publish(client, "admin/a0")]
    for number in range(1, 5):
        chain.append(publish(client, f"admin/a{number}", f"Aimd-Input: admin/a{number - 1}@{chain[-1]}"))
    for query, count, is_whole in (("depth=2", 3, False), ("depth=4", 5, True), ("limit=2", 2, False), ("", 5, True)):
        for told in (lineage(client, "admin/a4", query), lineage(client, "admin/a0", f"direction=down&{query}")):
            assert (len(told["versions"]), told["is_whole"]) == (count, is_whole), query
    for wrong in ("direction=sideways", "depth=-1", "depth=x", "limit=x"):
        lineage(client, "admin/a4", wrong, 422)
    lineage(client, "admin/a4", "version=v9", 404)
    lineage(client, "admin/none", "", 404)


def test_what_a_caller_may_not_view_is_not_there(server: EmbeddedServer, client: Client) -> None:
    accounts, folders = server.site.accounts, server.site.folders
    bob = accounts.add_user("bob")
    raw = publish(client, "admin/secret/raw")
    data = publish(client, "admin/open/data", f"Aimd-Input: admin/secret/raw@{raw}")
    model = publish(client, "admin/secret/model", f"Aimd-Input: admin/open/data@{data}")
    missing = publish(client, "admin/open/other", f"Aimd-Input: admin/secret/no@{'e' * 40}")
    folders.share(SYSTEM, "admin/open", "user", "bob", "view")
    as_bob = Client(server.url, accounts.add_key(bob, "read"))
    mine = publish(Client(server.url, accounts.add_key(bob, "write")), "bob/model", f"Aimd-Input: x@{data}")
    assert commits(lineage(as_bob, "admin/open/data")) == [data]
    assert commits(lineage(as_bob, "admin/open/data", "direction=down")) == [data, mine]
    assert commits(lineage(client, "admin/open/data", "direction=down")) == [data, *sorted([model, mine])]
    lineage(as_bob, "admin/secret/model", "", 404)
    # A version that is hidden and one that is nowhere are told in the same way: as the commit names them.
    hidden, nowhere = lineage(as_bob, "admin/open/data"), lineage(as_bob, "admin/open/other")
    assert [edge["input"] for edge in hidden["edges"]] == [raw]
    for told, commit in ((hidden, data), (nowhere, missing)):
        assert {**told["edges"][0], "input": "", "name": ""} == {
            "input": "",
            "output": commit,
            "name": "",
            "trial": None,
        }
    key = accounts.add_key(accounts.user("admin").id, "read", folder=folders.id_of(SYSTEM, "admin/open"))
    assert commits(lineage(Client(server.url, key), "admin/open/data", "direction=down")) == [data]


def test_walking_up_and_walking_down_see_the_same_nodes(server: EmbeddedServer, client: Client) -> None:
    accounts, folders, database = server.site.accounts, server.site.folders, server.site.database
    users = {name: accounts.add_user(name) for name in ("bob", "eve", "team")}
    for path in ("admin/a/b/c", "admin/a/d", "admin/e", "bob/f/g", "bob/h"):
        publish(client, path)
    for path, kind, who in (("admin/a/b", "user", "bob"), ("bob/f", "everyone", ""), ("admin/e", "user", "eve")):
        folders.share(SYSTEM, path, kind, who, "view")
    callers = [Caller(user, name, False, "read") for name, user in users.items()]
    callers += [SYSTEM, ANONYMOUS, replace(callers[0], folder=folders.id_of(SYSTEM, "admin/a/b"))]
    callers += [replace(SYSTEM, folder=folders.id_of(SYSTEM, "admin/a")), replace(callers[1], folder=users["bob"])]
    with database.read() as connection:
        every = set(connection.scalars(select(nodes.c.id)))
        for caller in callers:
            query = visible_nodes(caller)
            below = set(connection.scalars(query)) if query is not None else every
            assert visible_among(connection, caller, every | {"0" * 32}) - {"0" * 32} == below, caller


def test_hostile_trailers_do_no_harm(client: Client) -> None:
    lines = [f"Aimd-Input: n@{number:040x}" for number in range(5000)]
    strange = ["Aimd-Code: \x1b[2J", "Aimd-Trial: ../../x", "Aimd-Command: a\x1b]0;\udcff", "Aimd-Input: ../../x@v1"]
    commit = publish(client, "admin/x", *lines, *strange)
    again = publish(client, "admin/x", f"Aimd-Input: admin/x@{commit}", parent=commit)
    told = lineage(client, "admin/x", "version=v1")
    assert (len(told["edges"]), commits(told)) == (256, [commit])
    assert (told["versions"][0]["code"], told["versions"][0]["trial"]) == (None, None)
    assert told["versions"][0]["command"].isprintable()
    assert commits(lineage(client, "admin/x")) == [again, commit]


def test_a_version_in_several_artifacts_is_the_one_that_is_named(client: Client) -> None:
    made = Made()
    raw = made.commit(made.tree([]), message=b"raw\n")
    for path in ("admin/a", "admin/b", "admin/c"):
        client.push(path, [(None, raw, MAIN)], made.pack())
    publish(client, "admin/model", f"Aimd-Input: admin/b@{raw}")
    assert lineage(client, "admin/model")["versions"][1]["artifact"] == "admin/b"
    assert lineage(client, "admin/c", "direction=down")["versions"][0]["artifact"] == "admin/c"
    assert len(lineage(client, "admin/c", "direction=down")["versions"]) == 2


def test_what_trials_read_and_made_counts_and_no_circle_is_walked_for_ever(
    server: EmbeddedServer, client: Client
) -> None:
    raw, model = publish(client, "admin/f/raw"), publish(client, "admin/f/model")
    ids = {path: lineage(client, path)["versions"][0]["id"] for path in ("admin/f/raw", "admin/f/model")}
    folder = client.request("GET", "/apis/v1/folders/id?path=/admin/f").json()
    body = {
        "metadata": {"name": "run", "folder": folder, "id": TRIAL},
        "inputArtifacts": list(ids.values()),
        "outputArtifacts": list(ids.values()),
    }
    reply = client.request("POST", "/apis/v1/trials", json.dumps(body).encode(), {"Content-Type": "application/json"})
    assert reply.status == 200, reply
    trial = reply.json()["id"]
    for direction in ("up", "down"):
        told = lineage(client, "admin/f/model", f"direction={direction}")
        assert commits(told) == [model, raw]
        assert {edge["trial"] for edge in told["edges"]} == {trial}
        assert told["versions"][0]["trial"] == {"id": trial, "name": "run", "folder": "admin/f"}
    # Who sees both versions, and not the trial, is told nothing of it.
    bob = server.site.accounts.add_user("bob")
    for path in ids:
        server.site.folders.share(SYSTEM, path, "user", "bob", "view")
    told = lineage(Client(server.url, server.site.accounts.add_key(bob, "read")), "admin/f/model")
    assert (commits(told), told["edges"], told["versions"][0]["trial"]) == ([model], [], None)


@pytest.mark.parametrize("lost", [(makings, made_from), (makings, made_from, aimd_versions)])
def test_what_is_from_before_is_read_when_it_is_asked_for(
    server: EmbeddedServer, client: Client, lost: tuple[Any, ...]
) -> None:
    raw = publish(client, "admin/raw")
    model = publish(client, "admin/model", f"Aimd-Input: admin/raw@{raw}", "Aimd-Command: train")
    before = [lineage(client, path, f"direction={way}") for path, way in (("admin/raw", "down"), ("admin/model", "up"))]
    with server.site.database.write() as connection:
        for table in lost:
            connection.execute(delete(table))
    assert commits(lineage(client, "admin/raw", "direction=down")) == [raw]
    assert lineage(client, "admin/model")["edges"][0]["output"] == model
    assert [reindex_versions(server.site.database, server.site.storage) for _ in range(2)] == [1, 1]
    after = [lineage(client, path, f"direction={way}") for path, way in (("admin/raw", "down"), ("admin/model", "up"))]
    assert after == before
