"""The REST of an artifact's contents, of what aimdvc and stock clients pushed."""

import json
from typing import Any

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.contract.git_packs import Made
from tests.contract.server_client import Client
from tests.shell import Shell

MAIN = "refs/heads/main"


def get(client: Client, url: str, status: int = 200) -> Any:
    reply = client.request("GET", f"/api/v1{url}")
    assert reply.status == status, reply
    return reply.json()


def all_pages(client: Client, url: str, member: str, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        answer = get(client, f"{url}{'&' if '?' in url else '?'}limit={limit}{cursor}")
        found += answer[member]
        assert len(answer[member]) <= limit
        if "next_cursor" not in answer:
            return found
        cursor = f"&cursor={answer['next_cursor']}"


@pytest.fixture
def pushed(server: EmbeddedServer, shell: Shell) -> Shell:
    """A workspace with three versions of `data` on the server."""
    Shell(shell.here)("login", server.url, typed=server.admin_key or "")
    shell("remote", "add", "origin", f"{server.url}/team")
    for number in range(7):
        shell.write(f"data/d/f{number}", f"{number}\n")
    shell.write("data/notes.md", "text\n")
    shell.write("data/big.bin", b"\0" * 3_000_000)
    shell("add", "data", "--type", "dataset")
    shell("ref", "add", "s3://bucket/x.csv", "data:raw/x.csv", "--size", "8")
    shell("meta", "set", "data", "labels", "raw, checked")
    shell("commit", "-m", "one")
    shell.write("data/d/f3", "changed\n")
    (shell.here / "data/d/f4").unlink()
    shell.write("data/new", "new\n")
    shell.commit("data", "two")
    shell.write("data/notes.md", "more\n")
    shell.commit("data", "three")
    shell("alias", "set", "data@v2?", "production")
    shell("push")
    return shell


def test_an_artifact_tells_what_is_known_of_it(pushed: Shell, client: Client) -> None:
    told = get(client, "/artifacts/team/data")
    assert (told["path"], told["versions"], told["type"], told["labels"]) == (
        "admin/team/data",
        3,
        "dataset",
        ["checked", "raw"],
    )
    assert (told["latest"]["version"], told["latest"]["message"]) == ("v3", "three\n")
    assert told["aliases"] == get(client, "/aliases/team/data")["aliases"]
    assert told["aliases"]["production"]["version"] == "v2"
    assert client.request("GET", "/api/v1/artifacts/team/nothing").status == 404
    assert client.request("GET", "/api/v1/artifacts/team").status == 404


def test_versions_come_newest_first_and_in_pages(pushed: Shell, client: Client) -> None:
    commits = [one["commit"]["id"] for one in pushed("log", "data", "--json").json["versions"]]
    told = get(client, "/versions/team/data")["versions"]
    assert [(one["version"], one["commit"]) for one in told] == list(zip(["v3", "v2", "v1"], commits, strict=True))
    assert told[0]["author"]["name"] == "A User"
    assert told[0]["parents"] == [told[1]["commit"]]
    assert all_pages(client, "/versions/team/data", "versions", 1) == told
    for wrong in ("limit=x", "cursor=x", "limit=-1"):
        assert client.request("GET", f"/api/v1/versions/team/data?{wrong}").status == 422


def test_objects_of_a_version_have_hrefs_that_give_their_bytes(pushed: Shell, client: Client) -> None:
    told = get(client, "/objects/team/data?version=v1")
    assert (told["version"], told["message"]) == ("v1", "one\n")
    paths = [one["path"] for one in told["objects"]]
    assert paths == [".gitattributes", "big.bin", *[f"d/f{number}" for number in range(7)], "notes.md"]
    assert [(one["key"], one["uri"], one["size"]) for one in told["references"]] == [
        ("raw/x.csv", "s3://bucket/x.csv", 8)
    ]
    by_path = {one["path"]: one for one in told["objects"]}
    assert by_path["notes.md"]["size"] == 5
    assert "oid" not in by_path["notes.md"]
    for path, content in (("big.bin", b"\0" * 3_000_000), ("d/f3", b"3\n")):
        assert by_path[path]["size"] == len(content)
        assert client.request("GET", by_path[path]["href"], key=False).body == content
    strip = [{name: value for name, value in one.items() if name != "href"} for one in told["objects"]]
    paged = all_pages(client, "/objects/team/data?version=v1", "objects", 3)
    assert [{name: value for name, value in one.items() if name != "href"} for one in paged] == strip
    some = get(client, "/objects/team/data?version=production&prefix=d/")
    assert [one["path"] for one in some["objects"]] == [f"d/f{number}" for number in (0, 1, 2, 3, 5, 6)]
    assert some["references"] == []
    for name in ("v2", "main", "latest", told["commit"]):
        assert get(client, f"/objects/team/data?version={name}")["objects"]
    for name in ("v4", "nothing", "ab" * 20, "refs/heads/main"):
        assert client.request("GET", f"/api/v1/objects/team/data?version={name}").status == 404
    assert client.request("GET", "/api/v1/objects/team/data?cursor=%C3%A9").status == 422


def test_a_diff_is_by_path_and_can_be_kept(pushed: Shell, client: Client) -> None:
    told = get(client, "/diff/team/data?old=v1&new=v2")
    changes = [(one["old"] and one["old"]["path"], one["new"] and one["new"]["path"]) for one in told["changes"]]
    assert changes == [("d/f3", "d/f3"), ("d/f4", None), (None, "new")]
    assert told["changes"][0]["old"]["oid"] != told["changes"][0]["new"]["oid"]
    assert (told["old"]["version"], told["new"]["version"]) == ("v1", "v2")
    assert all_pages(client, "/diff/team/data?old=v1&new=v2", "changes", 1) == told["changes"]
    first = client.request("GET", "/api/v1/diff/team/data?old=v1&new=v2")
    again = client.request(
        "GET", "/api/v1/diff/team/data?old=v1&new=v2", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status, again.body) == (304, b"")
    assert client.request("GET", "/api/v1/diff/team/data?new=v2").status == 404
    assert get(client, "/diff/team/data?old=v2&new=v2")["changes"] == []


def test_moves_tell_who_and_when(pushed: Shell, client: Client, server: EmbeddedServer) -> None:
    pushed("alias", "set", "data@v3", "production")
    pushed("push")
    moves = get(client, "/moves/team/data?ref=refs/aliases/production")["moves"]
    versions = {one["commit"]: one["version"] for one in get(client, "/versions/team/data")["versions"]}
    assert [(one["user"], versions.get(one["old"]), versions.get(one["new"])) for one in moves] == [
        ("admin", "v2", "v3"),
        ("admin", None, "v2"),
    ]
    for short in ("aliases/production", "production"):
        assert get(client, f"/moves/team/data?ref={short}")["moves"] == moves
    assert client.request("GET", "/api/v1/moves/team/data?ref=nothing").status == 404
    every = get(client, "/moves/team/data")["moves"]
    assert len(every) > len(moves)
    assert all_pages(client, "/moves/team/data", "moves", 2) == every


def test_what_others_made_of_our_files_is_no_error(client: Client) -> None:
    made = Made()
    wrong = [(b"100644", b"metadata.json", made.blob(b"[1")), (b"100644", b"references", made.blob(b"nonsense"))]
    odd = [
        (b"100644", "\u00fc\udc80".encode("utf-8", "surrogateescape"), made.blob(b"x")),
        (b"40000", b".aimd", made.tree(wrong)),
    ]
    commit = made.commit(made.tree(sorted(odd, key=lambda one: one[1])))
    client.push("odd", [(None, commit, MAIN)], made.pack())
    told = get(client, "/artifacts/odd")
    assert (told["type"], told["labels"]) == (None, [])
    objects = get(client, "/objects/odd")
    assert ([one["size"] for one in objects["objects"]], objects["references"]) == ([1], [])
    assert json.dumps(objects)
    client.push("empty", [], b"")
    empty = get(client, "/artifacts/empty")
    assert (empty["versions"], empty["latest"]) == (0, None)
    assert client.request("GET", "/api/v1/objects/empty").status == 404
