"""AIMD's REST of artifacts, asked as its clients do, in their order: what they make is a version like any other."""

import json
import subprocess
import time
from hashlib import md5
from pathlib import Path
from uuid import uuid4

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rights import SYSTEM
from tests.contract.aimd_client import ARTIFACTS, PART, AimdClient, document
from tests.contract.server_client import Client, first_version

SMALL = {"a/small.bin": b"small\n" * 9, "/table.csv": b"1,2\n" * 30_000, "README.md": b"# kept by Git\n", "empty": b""}


@pytest.fixture
def alice(server: EmbeddedServer) -> AimdClient:
    return AimdClient(server.url, server.site.accounts.add_key(server.site.accounts.add_user("alice"), "write"))


def line(content: bytes) -> tuple[int, str]:
    return len(content), md5(content, usedforsecurity=False).hexdigest()


def git(here: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=here, check=True, capture_output=True, text=True).stdout


def test_the_life_of_an_artifact(served_by: str, server: EmbeddedServer, alice: AimdClient, tmp_path: Path) -> None:
    # Over 100 MiB once; what is the same in all of them does with two parts.
    part = bytes(range(256)) * (PART // 256)
    parts = [part] * (18 if served_by == "granian" else 2) + [b"the last one is smaller"]
    large = b"".join(parts)

    folder = alice.make_folder("default")
    artifact = alice.begin(folder, "mnist", description="Digits\n\nby hand", aliases=["latest", "v7", "prod"])
    for key, content in SMALL.items():
        reply = alice.send(artifact, key, content)
        assert reply.status_code == 200, reply.text
    sent = alice.send_parts(artifact, "big/large.bin", parts)
    assert sent.json() == {"path": "big/large.bin", "size_bytes": len(large), "checksum": line(large)[1]}
    assert alice.show(artifact).json()["version"] is None
    sealed = alice.finalize(artifact)
    assert sealed.status_code == 200, sealed.text

    repo = alice.get("/apis/v1/folders/id", path="/default/mnist").json()
    told = sealed.json()
    assert told == {
        "kind": "Artifact",
        "metadata": {
            "folder": repo,
            "name": "",
            "editor": "alice",
            "id": artifact,
            "timestamp": told["metadata"]["timestamp"],
        },
        "description": "Digits\n\nby hand",
        "commit": told["commit"],
        "version": "v1",
        "aliases": ["prod"],
        "creatingTimestamp": "2024-01-02T03:04:05+08:00",
    }
    for query in ({}, {"tag": "latest"}, {"tag": "v1"}, {"tag": "prod"}):
        assert alice.get(ARTIFACTS, folder=folder, repo="mnist", **query).json() == told
    assert alice.show(artifact).json() == told
    doc = alice.get(f"/apis/v1/folders/{repo}").json()["doc"]
    assert (doc["type"], doc["config"], doc["metadata"]["folder"]) == (
        "artifact",
        {"profile": {"type": "dataset"}},
        folder,
    )

    wanted = {key.lstrip("/"): content for key, content in SMALL.items()} | {"big/large.bin": large}
    assert alice.ls(artifact) == {key: line(content) for key, content in wanted.items()}
    for key, content in wanted.items():
        reply = alice.download(artifact, key)
        assert (reply.status_code, reply.content == content) == (200, True), key
    some = alice.request(
        "GET", f"{ARTIFACTS}/{artifact}/objects", {"key": "big/large.bin"}, headers={"Range": "bytes=5-9"}
    )
    assert (some.status_code, some.content) == (206, large[5:10])

    url = f"http://x:{alice.key}@{server.url.removeprefix('http://')}/default/mnist"
    git(tmp_path, "clone", "-q", url, "clone")
    clone = tmp_path / "clone"
    git(clone, "lfs", "install", "--local")
    git(clone, "lfs", "pull")
    assert {key: (clone / key).read_bytes() == content for key, content in wanted.items()} == dict.fromkeys(
        wanted, True
    )
    assert git(clone, "status", "--short") == ""
    git(clone, "fsck", "--strict")
    git(clone, "lfs", "fsck")
    assert json.loads((clone / ".aimd/metadata.json").read_text())["type"] == "dataset"
    assert git(clone, "log", "-1", "--format=%an|%s|%(trailers:key=Aimd-Id,valueonly)").split("\n")[0] == (
        f"alice|Digits|{artifact}"
    )
    assert git(clone, "rev-parse", "v1").strip() == told["commit"]


def test_a_second_version_takes_the_alias_and_holds_just_what_was_uploaded(
    server: EmbeddedServer, alice: AimdClient
) -> None:
    folder = alice.make_folder("default")
    first = alice.upload(folder, "a", {"x": b"1", "y": b"2"}, aliases=["prod", "old"])
    second = alice.upload(folder, "a", {"x": b"3"}, aliases=["prod"])
    assert (second["version"], second["aliases"]) == ("v2", ["prod"])
    assert list(alice.ls(second["metadata"]["id"])) == ["x"]
    assert alice.show(first["metadata"]["id"]).json()["aliases"] == ["old"]
    assert alice.get(ARTIFACTS, folder=folder, repo="a", tag="prod").json() == second
    moves = (
        Client(server.url, alice.key).request("GET", "/api/v1/moves/default/a?ref=refs/aliases/prod").json()["moves"]
    )
    assert [(one["old"], one["new"]) for one in moves] == [
        (first["commit"], second["commit"]),
        (None, first["commit"]),
    ]
    assert moves[0]["reason"] == f"AIMD upload {second['metadata']['id']}"


def test_an_empty_artifact_is_a_version(alice: AimdClient) -> None:
    told = alice.upload(alice.make_folder("default"), "nothing", {})
    assert (told["version"], told["aliases"], alice.ls(told["metadata"]["id"])) == ("v1", None, {})


def test_what_was_pushed_is_seen_too(server: EmbeddedServer, alice: AimdClient) -> None:
    commit = first_version(Client(server.url, alice.key), "default/pushed")
    folder = alice.get("/apis/v1/folders/id", path="/default").json()
    told = alice.get(ARTIFACTS, folder=folder, repo="pushed").json()
    assert (told["commit"], told["version"]) == (commit, "v1")
    assert alice.show(told["metadata"]["id"]).json() == told
    ((path, (size, checksum)),) = alice.ls(told["metadata"]["id"]).items()
    content = alice.download(told["metadata"]["id"], path).content
    # Not while somebody waits for it, but soon afterwards.
    assert (len(content), checksum) == (size, "")
    for _ in range(200):
        if alice.ls(told["metadata"]["id"])[path][1]:
            break
        time.sleep(0.05)
    assert alice.ls(told["metadata"]["id"]) == {path: line(content)}


LEADING_OUT = (
    *("../../x", "a/../b", "..", "//etc/passwd", "a//b", ".git/config", "x/.GIT/hooks/y", "git~1/x"),
    *(".aimd/metadata.json", ".aimdvc/config", "aimdvc.lock", "a" * 5000, "a" * 256, "a/", ".\u200cgit/x"),
)


def test_a_key_that_leads_out_is_refused_everywhere(alice: AimdClient) -> None:
    artifact = alice.begin(alice.make_folder("default"), "a")
    for key in LEADING_OUT:
        form = alice.request("POST", f"{ARTIFACTS}/{artifact}/objects", {"key": key}, files={"content": ("", b"evil")})
        parts = alice.post(f"{ARTIFACTS}/{artifact}/multipart", key=key)
        for reply in (form, parts):
            assert reply.status_code == 400 and reply.text, key
        assert alice.download(artifact, key).status_code == 404
    assert alice.ls(artifact) == {}


def test_a_key_ends_with_the_file_s_own_name(alice: AimdClient) -> None:
    artifact = alice.begin(alice.make_folder("default"), "a")
    for key in ("", "/", "in/", "/x"):
        path = f"{ARTIFACTS}/{artifact}/objects"
        assert alice.request("POST", path, {"key": key}, files={"content": ("C:\\d\\f.bin", b"1")}).status_code == 200
    assert list(alice.ls(artifact)) == ["f.bin", "in/f.bin", "x"]


def test_every_error_is_as_that_client_reads_it(server: EmbeddedServer, alice: AimdClient) -> None:
    folder = alice.make_folder("default")
    unknown = "0b3d5b3e-7a5c-4e0b-8a6e-0f2d1c3b4a59"
    missing = [
        alice.show(unknown),
        alice.show("no uuid"),
        alice.finalize(unknown),
        alice.get(f"{ARTIFACTS}/{unknown}/objects/ls"),
        alice.download(unknown, "x"),
        alice.send(unknown, "x", b"1"),
        alice.get(ARTIFACTS, folder=folder, repo="nothing"),
        alice.get(ARTIFACTS, folder=unknown, repo="nothing"),
        alice.post(ARTIFACTS, json=document(unknown), folder=unknown, repo="a", type="x"),
    ]
    told = alice.upload(folder, "a", {"x": b"1"})
    name = told["metadata"]["id"]
    missing += [
        alice.get(ARTIFACTS, folder=folder, repo="a", tag="v2"),
        alice.download(name, "y"),
        alice.download(name, ".aimd/metadata.json"),
    ]
    for reply in missing:
        assert (reply.status_code, reply.text) == (404, "not found"), reply.url
    again = alice.post(ARTIFACTS, json=document(name), folder=folder, repo="a", type="x")
    assert (again.status_code, again.text) == (400, f"artifact {name} already exists")
    bad = AimdClient(server.url, unknown).show(name)
    assert (bad.status_code, bad.text) == (400, "api key of this request not found\n")
    for repo in ("../x", "", "v1", "x.git"):
        refused = alice.post(ARTIFACTS, json=document(unknown), folder=folder, repo=repo, type="x")
        assert refused.status_code == 400 and refused.text
    for alias in ("main", "a/b", "abcd", ".."):
        refused = alice.post(ARTIFACTS, json=document(unknown, aliases=[alias]), folder=folder, repo="a", type="x")
        assert refused.status_code == 400 and alias in refused.text
    server.site.folders.share(SYSTEM, "alice/default", "everyone", "", "view")
    reader = AimdClient(server.url, server.site.accounts.add_key(server.site.accounts.add_user("bob"), "write"))
    assert reader.show(name).json() == told
    refused = reader.post(ARTIFACTS, json=document(unknown), folder=folder, repo="a", type="x")
    assert (refused.status_code, refused.text) == (403, "you may only view this")
    assert reader.finalize(name).status_code == 403


def test_a_body_that_breaks_off_leaves_nothing(server: EmbeddedServer, alice: AimdClient) -> None:
    artifact = alice.begin(alice.make_folder("default"), "a")
    client = Client(server.url, alice.key)
    path = f"{ARTIFACTS}/{artifact}/objects?key=x"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n'
    whole, end = head % b"content" + b"1" * 100_000, b"\r\n--b--\r\n"
    broken = [whole, whole + b"\r\n--b", head % b"other" + b"1" + end, b"", b"x" * 100, (whole + b"\r\n") * 2 + end[2:]]
    for body in broken:
        for chunked in (False, True):
            reply = client.request("POST", path, iter([body]) if chunked else body, kind, chunked=chunked)
            assert reply.status == 400, body[:80]
    for odd in ({"Content-Type": "multipart/form-data"}, {"Content-Type": "multipart/form-data; boundary="}):
        assert client.request("POST", path, whole + end, odd).status == 400
    assert client.request("POST", path, whole + end, {"Content-Type": "text/plain"}).status == 415
    assert alice.ls(artifact) == {}
    assert client.request("POST", path, iter([whole, end]), kind, chunked=True).status == 200
    assert alice.ls(artifact) == {"x": line(b"1" * 100_000)}


def test_a_type_that_is_too_long_is_refused_not_cut(alice: AimdClient) -> None:
    folder = alice.make_folder("default")
    body = document(str(uuid4()))
    reply = alice.post(ARTIFACTS, json=body, folder=folder, repo="a", type="x" * 201)
    assert reply.status_code == 400 and "the type has 201 characters" in reply.text
    assert alice.post(ARTIFACTS, json=body, folder=folder, repo="a", type="x" * 200).status_code == 200
