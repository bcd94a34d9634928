"""LFS on a real port, over granian and over cheroot."""

import gzip
import http.client
import json
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.embedded import EmbeddedServer
from tests.contract.server_client import LFS, Client, pointer_of

SMALL = b"a small blob\n"
LARGE = bytes(range(256)) * 4095  # just what still goes through the server, whatever the storage is


def _download(client: Client, artifact: str, pointer: Pointer) -> dict[str, object]:
    reply = client.batch(artifact, "download", [pointer])
    assert reply.status == 200
    return dict(reply.json()["objects"][0])


def _href(blob: dict[str, object], action: str) -> str:
    return str(blob["actions"][action]["href"])  # type: ignore[index]


@pytest.mark.parametrize("content", [SMALL, LARGE, b"x"])
def test_what_was_put_comes_back(client: Client, content: bytes) -> None:
    pointer = client.upload("a", content)[0]
    reply = client.request("GET", _href(_download(client, "a", pointer), "download"), key=False)
    assert (reply.status, reply.body) == (200, content)
    assert reply.headers["content-length"] == str(len(content))


def test_a_blob_that_is_there_gets_no_action(client: Client) -> None:
    pointer = client.upload("a", LARGE)[0]
    assert client.batch("a", "upload", [pointer]).json()["objects"] == [{"oid": pointer.oid, "size": pointer.size}]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=10-19", 10, 20),
        ("bytes=1048314-", 1048314, 1048320),
        ("bytes=-6", 1048314, 1048320),
        ("bytes=0-0", 0, 1),
    ],
)
def test_a_range_is_given_as_206(client: Client, asked: str, start: int, end: int) -> None:
    pointer = client.upload("a", LARGE)[0]
    href = _href(_download(client, "a", pointer), "download")
    reply = client.request("GET", href, headers={"Range": asked}, key=False)
    assert (reply.status, reply.body) == (206, LARGE[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{len(LARGE)}"


def test_a_range_outside_is_416(client: Client) -> None:
    pointer = client.upload("a", SMALL)[0]
    href = _href(_download(client, "a", pointer), "download")
    assert client.request("GET", href, headers={"Range": "bytes=999-"}, key=False).status == 416


def test_other_bytes_of_the_right_length_are_refused_and_not_kept(client: Client) -> None:
    for content in (SMALL, LARGE):
        pointer = pointer_of(content)
        href = _href(client.batch("a", "upload", [pointer]).json()["objects"][0], "upload")
        reply = client.request("PUT", href, b"x" * len(content), key=False)
        assert reply.status == 422
        assert _download(client, "a", pointer)["error"]["code"] == 404  # type: ignore[index]


@pytest.mark.parametrize("sent", [LARGE[:-1], LARGE + b"x"])
def test_a_body_of_another_length_is_refused(client: Client, sent: bytes) -> None:
    href = _href(client.batch("a", "upload", [pointer_of(LARGE)]).json()["objects"][0], "upload")
    assert client.request("PUT", href, sent, key=False).status == 422


def test_a_chunked_put_is_verified_by_its_hash(client: Client) -> None:
    href = _href(client.batch("a", "upload", [pointer_of(LARGE)]).json()["objects"][0], "upload")
    assert client.request("PUT", href, iter([LARGE[:1000], LARGE[1000:]]), chunked=True, key=False).status == 200
    href = _href(client.batch("b", "upload", [pointer_of(LARGE)]).json()["objects"][0], "upload")
    assert client.request("PUT", href, iter([LARGE[:1000]]), chunked=True, key=False).status == 422


def test_a_truncated_upload_keeps_nothing(client: Client) -> None:
    pointer = pointer_of(LARGE)
    href = urlsplit(_href(client.batch("a", "upload", [pointer]).json()["objects"][0], "upload"))
    with socket.create_connection((href.hostname or "", href.port or 0), timeout=10) as sock:
        head = f"PUT {href.path}?{href.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(LARGE)}\r\n\r\n"
        sock.sendall(head.encode() + LARGE[:500_000])
        sock.shutdown(socket.SHUT_WR)
        answer = sock.recv(4096)
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert _download(client, "a", pointer)["error"]["code"] == 404  # type: ignore[index]


def test_an_oid_of_another_artifact_needs_the_bytes(client: Client, server: EmbeddedServer) -> None:
    pointer = client.upload("a", LARGE)[0]
    blob = client.batch("b", "upload", [pointer]).json()["objects"][0]
    assert "upload" in blob["actions"]
    assert _download(client, "b", pointer)["error"]["code"] == 404  # type: ignore[index]
    assert client.request("PUT", _href(blob, "upload"), b"z" * len(LARGE), key=False).status == 422
    assert "error" in _download(client, "b", pointer)
    assert client.request("PUT", _href(blob, "upload"), LARGE, key=False).status == 200
    assert "actions" in _download(client, "b", pointer)


def test_an_href_is_bound_to_artifact_oid_and_method(client: Client) -> None:
    first, second = client.upload("a", SMALL, LARGE)
    client.upload("b", LARGE)
    href = _href(_download(client, "a", first), "download")
    assert client.request("GET", href, key=False).status == 200
    assert client.request("GET", href.replace(first.oid, second.oid), key=False).status == 403
    assert client.request("PUT", href, SMALL, key=False).status == 403
    assert client.request("GET", href.replace("/a.git/", "/b.git/"), key=False).status == 403
    assert client.request("GET", href.partition("?")[0], key=False).status == 403
    assert client.request("GET", href[:-1] + ("0" if href[-1] != "0" else "1"), key=False).status == 403


def test_verify_tells_what_arrived(client: Client) -> None:
    pointer = pointer_of(LARGE)
    actions = client.batch("a", "upload", [pointer]).json()["objects"][0]["actions"]
    message = json.dumps({"oid": pointer.oid, "size": pointer.size}).encode()
    headers = {"Content-Type": LFS}
    assert client.request("POST", actions["verify"]["href"], message, headers, key=False).status == 404
    client.request("PUT", actions["upload"]["href"], LARGE, key=False)
    assert client.request("POST", actions["verify"]["href"], message, headers, key=False).status == 200


def test_odd_objects_are_refused_one_by_one(client: Client) -> None:
    good = client.upload("a", SMALL)[0]
    odd = [Pointer(Oid("xyz"), 1), Pointer(good.oid, -1), Pointer(good.oid, 2**63), Pointer(Oid("A" * 64), 1), good]
    objects = client.batch("a", "download", odd).json()["objects"]
    assert [blob.get("error", {}).get("code") for blob in objects] == [None, 422, 422, 422, 422]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"operation": "erase", "objects": [{"oid": "0" * 64, "size": 1}]}, 422),
        ({"operation": "download", "objects": []}, 422),
        ({"operation": "download", "objects": [{"size": 1}]}, 422),
        ({"operation": "download", "objects": [{"oid": "0" * 64, "size": 1}], "hash_algo": "md5"}, 409),
        ({"operation": "download", "objects": [{"oid": "0" * 64, "size": 1}] * 10_001}, 413),
        ([], 422),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(client: Client, message: object, status: int) -> None:
    client.upload("a", SMALL)
    url = "/a.git/info/lfs/objects/batch"
    reply = client.request("POST", url, json.dumps(message).encode(), {"Content-Type": LFS})
    assert reply.status == status
    assert reply.json()["message"]


def test_json_that_is_none_is_400(client: Client) -> None:
    url = "/a.git/info/lfs/objects/batch"
    for raw in (b"{", b"[" * 200_000, b'{"operation": NaN}', b"\xff"):
        assert client.request("POST", url, raw, {"Content-Type": LFS}).status == 400


def test_an_answer_that_the_client_does_not_want_is_406(client: Client) -> None:
    url = "/a.git/info/lfs/objects/batch"
    body = b'{"operation": "download", "objects": []}'
    reply = client.request("POST", url, body, {"Content-Type": LFS, "Accept": "text/html"})
    assert reply.status == 406


@pytest.mark.parametrize("asked", [None, "bytes=0-", f"bytes=0-{len(LARGE) - 1}", f"bytes=-{len(LARGE)}"])
def test_rotten_bytes_are_never_given_as_whole(client: Client, kept: Path, asked: str | None) -> None:
    pointer = client.upload("a", LARGE)[0]
    path = next(kept.glob(f"**/{pointer.oid}*"))
    path.chmod(0o600)
    path.write_bytes(LARGE[:-1] + b"!")
    href = _href(_download(client, "a", pointer), "download")
    # Where all of it was read before the first byte was sent the answer is an error, else the connection breaks.
    with suppress(http.client.IncompleteRead, ConnectionError):
        assert client.request("GET", href, headers={"Range": asked} if asked else {}, key=False).status == 502


@pytest.mark.parametrize("oid", ["\ud800", "pack-upload", "", "A" * 64])
def test_what_is_no_oid_is_not_verified(client: Client, oid: str) -> None:
    reply = client.batch("a", "upload", [pointer_of(SMALL)], "aimd-pack").json()
    query = urlsplit(reply["aimd_pack"]["href"]).query
    message = json.dumps({"oid": oid, "size": 1}).encode()
    for tail in ("", f"?{query}"):
        url = f"/a.git/info/lfs/objects/verify{tail}"
        status = 400 if oid == "\ud800" else 422
        assert client.request("POST", url, message, {"Content-Type": LFS}, key=False).status == status


def test_a_body_that_is_no_gzip_is_400(client: Client) -> None:
    headers = {"Content-Type": LFS, "Content-Encoding": "gzip"}
    for body in (b"no gzip at all", gzip.compress(b"{}" * 100)[:20] + b"garbage" * 9):
        assert client.request("POST", "/a.git/info/lfs/objects/batch", body, headers).status == 400
