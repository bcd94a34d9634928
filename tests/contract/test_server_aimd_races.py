"""What AIMD clients do at the same time, and odd names: what was taken is there, what can't be is said at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from uuid import uuid4

import pytest
from requests import Response

from aimdvc.server import aimd_artifacts, aimd_objects, sealing
from aimdvc.server.embedded import EmbeddedServer
from tests.contract.aimd_client import ARTIFACTS, AimdClient, document
from tests.contract.server_client import Client


@pytest.fixture
def alice(server: EmbeddedServer) -> AimdClient:
    return AimdClient(server.url, server.site.accounts.add_key(server.site.accounts.add_user("alice"), "write"))


@pytest.fixture
def folder(alice: AimdClient) -> str:
    return alice.make_folder("default")


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, does: Callable[[], object]
) -> list[Callable[..., object]]:
    """Does something once, just before the server calls a function of its own."""
    left, real = [does], getattr(where, name)

    def first(*arguments: object) -> object:
        if left:
            left.pop()()
        return real(*arguments)

    monkeypatch.setattr(where, name, first)
    return left


def test_an_object_that_was_taken_while_the_version_is_made_is_in_it(
    server: EmbeddedServer, alice: AimdClient, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = alice.begin(folder, "a", aliases=["prod"])
    alice.send(name, "x", b"1")
    taken: list[int] = []

    def send() -> None:
        taken.extend(alice.send(name, key, b"2").status_code for key in ("x", "README.md"))

    left = meanwhile(monkeypatch, sealing, "land", send)
    told = alice.finalize(name).json()
    assert (left, taken) == ([], [200, 200])
    assert (told["version"], alice.download(name, "x").content) == ("v1", b"2")
    assert sorted(alice.ls(name)) == ["README.md", "x"]
    refs = Client(server.url, alice.key).refs("default/a")
    assert set(refs.values()) == {told["commit"]} and len(refs) == 4


def test_a_version_takes_no_more_objects_and_says_so(alice: AimdClient, folder: str) -> None:
    name = str(alice.upload(folder, "a", {"x": b"1"})["metadata"]["id"])
    for reply in (
        alice.send(name, "y", b"2"),
        alice.post(f"{ARTIFACTS}/{name}/multipart", key="y"),
        alice.put(f"{ARTIFACTS}/{name}/multipart/{name}", data=b"2", key="y", partNum=1),
    ):
        assert (reply.status_code, reply.text) == (
            400,
            "the artifact is a version already, nothing more can be uploaded to it",
        )
    assert list(alice.ls(name)) == ["x"]


def test_who_asks_just_when_the_version_is_made_gets_an_answer(
    alice: AimdClient, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look for a version and the look for a draft."""

    def ask(request: Callable[[str], Response]) -> int:
        name = alice.begin(folder, "a")
        with monkeypatch.context() as patch:
            left = meanwhile(patch, aimd_artifacts, "find_draft", lambda: alice.finalize(name))
            reply = request(name)
        assert left == [] and alice.show(name).json()["version"], reply.text
        return reply.status_code

    assert ask(alice.show) == 200
    assert ask(lambda name: alice.get(f"{ARTIFACTS}/{name}/objects/ls")) == 200
    assert ask(alice.finalize) == 200
    assert ask(lambda name: alice.send(name, "x", b"1")) == 400


def test_an_id_that_is_wanted_twice_at_once_is_given_once(alice: AimdClient, folder: str) -> None:
    for _ in range(5):
        wanted = str(uuid4())

        def begin(repo: str, name: str = wanted) -> Response:
            return alice.post(ARTIFACTS, json=document(name), folder=folder, repo=repo, type="x")

        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(begin, "abcd"))
        assert [reply.status_code for reply in replies] == [200] * 4, [reply.text for reply in replies]
        names = {reply.json()["id"] for reply in replies}
        assert wanted in names
        assert all(alice.show(name).status_code == 200 for name in names - {wanted})


def test_a_listing_is_made_of_pieces(alice: AimdClient, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aimd_objects, "_LISTED", 3)
    for count in (0, 3, 7):
        wanted = {f"{number}.{'md' if number % 2 else 'bin'}": b"%d" % number for number in range(count)}
        name = str(alice.upload(folder, "a", wanted)["metadata"]["id"])
        listed = {key: (len(sent), md5(sent, usedforsecurity=False).hexdigest()) for key, sent in wanted.items()}
        assert alice.ls(name) == listed
        assert alice.get(f"{ARTIFACTS}/{name}/objects/ls").json()["references"] == []


def test_names_with_odd_characters_are_keys_like_others(alice: AimdClient, folder: str) -> None:
    odd = ["a&b=c?#%.txt", "100%25", "d e/f+g", "漢/ü.bin", "-x", "a;b", "'\"", "12:30:00.png", "Ａ"]
    name = str(alice.upload(folder, "a", {key: key.encode() for key in odd})["metadata"]["id"])
    assert sorted(alice.ls(name)) == sorted(odd)
    for key in odd:
        assert alice.download(name, key).content == key.encode(), key


def test_aliases_that_can_t_be_are_told_before_anything_is_sent(alice: AimdClient, folder: str) -> None:
    for aliases in (["a/b"], ["main"], ["deadbeef"], ["prod", "PROD"], ["x" * 101]):
        reply = alice.post(ARTIFACTS, json=document(str(uuid4()), aliases=aliases), folder=folder, repo="a", type="x")
        assert (reply.status_code, "alias" in reply.text) == (400, True), aliases
    told = alice.upload(folder, "a", {"x": b"1"}, aliases=["Latest", "v1", "V2", "prod", "prod"])
    assert (told["version"], told["aliases"]) == ("v1", ["prod"])


def test_an_artifact_is_found_by_its_own_id_and_by_no_other_name(alice: AimdClient, folder: str) -> None:
    told = alice.upload(folder, "a", {"x": b"1"})
    repo = told["metadata"]["folder"]
    for query in ({"folder": repo}, {"folder": repo, "repo": ""}, {"folder": repo, "repo": "A", "tag": "v1"}):
        assert alice.get(ARTIFACTS, **query).json() == told
    for query in ({"folder": repo, "repo": "b"}, {"folder": folder, "repo": "b"}, {"folder": folder}):
        reply = alice.get(ARTIFACTS, **query)
        assert (reply.status_code, reply.text) == (404, "not found")
