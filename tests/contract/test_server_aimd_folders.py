"""AIMD's REST of folders, asked as its clients do: with the key in the query, by `requests`, to the byte."""

from uuid import UUID, uuid4

import pytest
import requests

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rights import SYSTEM
from tests.contract.aimd_client import AimdClient
from tests.contract.server_client import Client, first_version


@pytest.fixture
def alice(server: EmbeddedServer) -> AimdClient:
    user = server.site.accounts.add_user("alice")
    return AimdClient(server.url, server.site.accounts.add_key(user, "write"))


def test_a_key_says_whose_it_is(alice: AimdClient) -> None:
    assert alice.get("/oauth2/userinfo").json() == {"preferred_username": "alice"}


@pytest.mark.parametrize("key", ["", "5f0c1d8e-2f4b-4a6e-9a35-0c1f5d3b7e21", "no uuid", "../../x"])
def test_a_bad_key_is_told_in_the_words_of_that_service(server: EmbeddedServer, key: str) -> None:
    for path in ("/oauth2/userinfo", "/apis/v1/folders", "/apis/v1/folders/id?path=/default"):
        reply = AimdClient(server.url, key).get(path)
        assert reply.status_code == 400
        assert reply.text.startswith("api key") and reply.text.endswith("not found\n")
        assert not key or key not in reply.text


def test_a_wrong_url_is_an_empty_404_and_what_is_missing_has_a_body(alice: AimdClient) -> None:
    for path in ("/apis/v2/folders", "/apis/v1/nothing", "/oauth2/token", "/apis/"):
        reply = alice.get(path)
        assert (reply.status_code, reply.content) == (404, b"")
        assert requests.get(alice.url + path, timeout=20).status_code == 404


def test_folders_are_made_one_by_one_and_found_by_path(alice: AimdClient) -> None:
    missing = alice.get("/apis/v1/folders/id", path="/default")
    assert missing.status_code == 500 and missing.text.endswith("not exists")
    top = alice.make_folder("default")
    below = alice.make_folder("sets", top)
    assert alice.make_folder("sets", top) == below
    for path, node in (("/default", top), ("/default/sets", below), ("/alice/default/sets", below)):
        reply = alice.get("/apis/v1/folders/id", path=path)
        assert (reply.status_code, reply.json()) == (200, node)
        assert reply.text == f'"{node}"'
    shown = alice.get(f"/apis/v1/folders/{below}").json()
    assert shown == {
        "doc": {
            "metadata": {"id": below, "name": "sets", "folder": top},
            "type": "normal",
            "config": {"profile": {"type": ""}},
        }
    }
    assert alice.get(f"/apis/v1/folders/{UUID(below).hex}").json() == shown
    root = alice.get(f"/apis/v1/folders/{top}").json()["doc"]["metadata"]["folder"]
    assert alice.get(f"/apis/v1/folders/{root}").json()["doc"]["metadata"]["folder"] == "root"
    assert alice.get("/apis/v1/folders/id", path="/").json() == root


def test_what_one_may_not_see_is_not_there(server: EmbeddedServer, alice: AimdClient) -> None:
    top = alice.make_folder("default")
    bob = AimdClient(server.url, server.site.accounts.add_key(server.site.accounts.add_user("bob"), "write"))
    for node in (top, str(uuid4()), "x", "0" * 31):
        reply = bob.get(f"/apis/v1/folders/{node}")
        assert (reply.status_code, reply.text) == (500, "[Get] doc not found")
        made = bob.post("/apis/v1/folders", json={"metadata": {"name": "x", "folder": node}, "type": "normal"})
        assert (made.status_code, made.text) == (500, "[Get] doc not found")
    assert bob.get("/apis/v1/folders").json() == {"folders": [], "pointers": []}
    server.site.folders.share(SYSTEM, "alice/default", "user", "bob", "view")
    listed = bob.get("/apis/v1/folders").json()
    assert [one["metadata"]["id"] for one in listed["pointers"]] == [top] and listed["folders"] == []
    refused = bob.post("/apis/v1/folders", json={"metadata": {"name": "x", "folder": top}, "type": "normal"})
    assert (refused.status_code, refused.text) == (403, "you may only view this")
    assert [one["metadata"]["name"] for one in alice.get("/apis/v1/folders").json()["folders"]] == ["default"]


@pytest.mark.parametrize("name", ["../x", "a/b", "x.git", "", "a" * 101, ".aimd"])
def test_a_name_that_no_folder_may_have_makes_none(alice: AimdClient, name: str) -> None:
    reply = alice.post("/apis/v1/folders", json={"metadata": {"name": name}, "type": "normal"})
    assert reply.status_code in (400, 422) and reply.text
    assert alice.get("/apis/v1/folders").json()["folders"] == []


def test_repos_are_artifacts_however_they_were_made(server: EmbeddedServer, alice: AimdClient) -> None:
    first_version(Client(server.url, alice.key), "sets/mnist")
    first_version(Client(server.url, server.admin_key), "theirs/a")
    server.site.folders.share(SYSTEM, "admin/theirs", "user", "alice", "view")

    def paths(scope: str) -> list[str]:
        return [one["path"] for one in alice.get("/apis/v1/repos", scope=scope).json()["repos"]]

    assert paths("own") == ["/alice/sets/mnist"]
    assert paths("shared") == ["/admin/theirs/a"]
    assert paths("all") == ["/admin/theirs/a", "/alice/sets/mnist"]
    assert alice.get("/apis/v1/repos", scope="x").status_code == 400
    found = alice.get("/apis/v1/folders/id", path="/sets/mnist").json()
    assert alice.get(f"/apis/v1/folders/{found}").json()["doc"]["type"] == "artifact"
    taken = alice.post(
        "/apis/v1/folders",
        json={"metadata": {"name": "MNIST", "folder": alice.get("/apis/v1/folders/id", path="/sets").json()}},
    )
    assert (taken.status_code, taken.text) == (400, "artifact 'mnist' already exists")


def test_a_key_that_is_bound_to_a_folder_reaches_no_further(server: EmbeddedServer, alice: AimdClient) -> None:
    inside, outside = alice.make_folder("in"), alice.make_folder("out")
    user = server.site.accounts.user("alice").id
    bound = AimdClient(server.url, server.site.accounts.add_key(user, "write", folder=UUID(inside).hex))
    assert [one["metadata"]["id"] for one in bound.get("/apis/v1/folders").json()["folders"]] == [inside]
    assert bound.get(f"/apis/v1/folders/{outside}").status_code == 500
    assert bound.post("/apis/v1/folders", json={"metadata": {"name": "x"}}).status_code == 500
    bound.make_folder("x", inside)
