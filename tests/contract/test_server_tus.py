"""Uploads that go on where they were cut (tus), over granian and over cheroot, with SQLite and with PostgreSQL."""

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.errors import StorageError
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend
from aimdvc.server.uploads import FORGOTTEN_S
from tests.contract.server_client import Client, Reply, pointer_of

KIB = 1 << 10
MIB = 1 << 20
LARGE = os.urandom(1500 * KIB)
KIND = "application/offset+octet-stream"


@pytest.fixture(params=["granian", "cheroot", "granian-postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    """With local files: a bucket's large blobs go by hrefs of the bucket."""
    backend, _, database = request.param.partition("-")
    url = request.getfixturevalue("postgres").with_tables() if database else None
    start: StartBackend = GranianBackend if backend == "granian" else CherootBackend
    with EmbeddedServer(tmp_path / "srv", backend=start, database_url=url) as running:
        yield running


def href_of(client: Client, content: bytes = LARGE, artifact: str = "a") -> str:
    """Returns where the batch of a stock client says that a blob is sent."""
    reply = client.batch(artifact, "upload", [pointer_of(content)], "tus", "basic").json()
    assert reply["transfer"] == "tus"
    return str(reply["objects"][0]["actions"]["upload"]["href"])


def patch(client: Client, href: str, offset: int | str, body: bytes, **headers: str) -> Reply:
    sent = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), "Content-Type": KIND}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request("PATCH", href, body, sent, key=False)


def offset_of(client: Client, href: str) -> int:
    reply = client.request("HEAD", href, headers={"Tus-Resumable": "1.0.0"}, key=False)
    assert (reply.status, reply.headers["tus-resumable"], reply.headers["cache-control"]) == (200, "1.0.0", "no-store")
    return int(reply.headers["upload-offset"])


def is_there(client: Client, content: bytes = LARGE, artifact: str = "a") -> bool:
    blob = client.batch(artifact, "download", [pointer_of(content)]).json()["objects"][0]
    if "error" in blob:
        return False
    assert client.request("GET", blob["actions"]["download"]["href"], key=False).body == content
    return True


def parts(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "srv/uploads").iterdir())


def cut(href: str, offset: int, promised: int, body: bytes) -> None:
    """Sends a PATCH that breaks off."""
    parsed = urlsplit(href)
    with socket.create_connection((parsed.hostname or "", parsed.port or 0), timeout=10) as sock:
        head = f"PATCH {parsed.path}?{parsed.query} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\n"
        head += f"Upload-Offset: {offset}\r\nContent-Type: {KIND}\r\nContent-Length: {promised}\r\n\r\n"
        sock.sendall(head.encode() + body)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass


@pytest.mark.parametrize("content", [LARGE, LARGE[: 100 * KIB], b"small", b""], ids=len)
def test_what_came_in_pieces_is_the_blob(client: Client, tmp_path: Path, content: bytes) -> None:
    # Together with a large one, since a batch of small ones isn't worth it.
    pointers = [pointer_of(content), pointer_of(b"x" * MIB)]
    reply = client.batch("a", "upload", pointers, "tus").json()
    href = reply["objects"][0]["actions"]["upload"]["href"]
    at, size = 0, len(content)
    for end in (size // 3, size // 2, size):
        reply = patch(client, href, at, content[at:end])
        assert (reply.status, reply.headers["upload-offset"]) == (204, str(end))
        assert offset_of(client, href) == end
        at = end
    assert is_there(client, content)
    assert not parts(tmp_path)
    assert "actions" not in client.batch("a", "upload", pointers[:1], "tus").json()["objects"][0]


def test_a_batch_tells_our_clients_where_to_go_on(client: Client) -> None:
    patch(client, href_of(client), 0, LARGE[:1000])
    pointers = [pointer_of(LARGE), pointer_of(b"small")]
    reply = client.batch("a", "upload", pointers, "aimd-pack", "tus", "basic").json()
    large, small = reply["objects"]
    assert (reply["transfer"], set(small["actions"]), set(large["actions"])) == (
        "aimd-pack",
        {"aimd-pack"},
        {"tus", "verify"},
    )
    action = large["actions"]["tus"]
    assert action["offset"] == 1000
    assert patch(client, action["href"], 1000, LARGE[1000:]).status == 204
    assert is_there(client)


def test_who_does_not_offer_it_is_answered_as_before(client: Client) -> None:
    for offered, transfer in ((["aimd-pack", "basic"], "aimd-pack"), (["basic"], "basic")):
        reply = client.batch("a", "upload", [pointer_of(LARGE)], *offered).json()
        assert reply["transfer"] == transfer
        assert set(reply["objects"][0]["actions"]) == {"upload", "verify"}
    assert client.batch("a", "upload", [pointer_of(b"small")], "tus", "basic").json()["transfer"] == "basic"
    client.upload("a", LARGE)
    assert client.batch("a", "download", [pointer_of(LARGE)], "tus", "basic").json()["transfer"] == "basic"


def test_what_came_before_a_cut_counts(client: Client) -> None:
    href = href_of(client)
    for promised, sent in ((len(LARGE), 700 * KIB), (len(LARGE) - 700 * KIB, 300 * KIB)):
        at = offset_of(client, href)
        cut(href, at, promised, LARGE[at : at + sent])
        assert offset_of(client, href) == at + sent
    assert not is_there(client)
    assert patch(client, href, 1000 * KIB, LARGE[1000 * KIB :]).status == 204
    assert is_there(client)


@pytest.mark.parametrize("offset", [0, 999, 1001, len(LARGE)])
def test_another_offset_changes_nothing(client: Client, offset: int) -> None:
    href = href_of(client)
    patch(client, href, 0, LARGE[:1000])
    reply = patch(client, href, offset, LARGE[offset:])
    assert (reply.status, reply.headers["upload-offset"]) == (409, "1000")
    assert offset_of(client, href) == 1000


def test_the_same_piece_twice_counts_once(client: Client) -> None:
    href = href_of(client)
    assert [patch(client, href, 0, LARGE[:1000]).status for _ in range(2)] == [204, 409]
    assert [patch(client, href, 1000, LARGE[1000:]).status for _ in range(2)] == [204, 409]
    # The empty rest of what is all there is no mistake.
    assert patch(client, href, len(LARGE), b"").status == 204
    assert is_there(client)


def test_nothing_goes_beyond_the_size(client: Client) -> None:
    href = href_of(client)
    assert patch(client, href, 0, LARGE + b"x").status == 413
    assert patch(client, href, len(LARGE) + 1, b"").status == 413
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": KIND}
    chunks = iter([LARGE[:1000], LARGE[1000:] + b"x"])
    assert client.request("PATCH", href, chunks, headers, chunked=True, key=False).status == 413
    at = offset_of(client, href)
    assert at < len(LARGE) and not is_there(client)
    assert patch(client, href, at, LARGE[at:]).status == 204
    assert is_there(client)


def test_other_bytes_leave_nothing(client: Client, tmp_path: Path) -> None:
    href = href_of(client)
    patch(client, href, 0, b"x" * 1000)
    assert patch(client, href, 1000, LARGE[1000:]).status == 422
    assert not parts(tmp_path)
    assert offset_of(client, href) == 0
    assert patch(client, href, 0, LARGE).status == 204
    assert is_there(client)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus_Resumable": "0.2.2"}, 412),
        ({"Upload_Offset": "-1"}, 400),
        ({"Upload_Offset": "0x1"}, 400),
        ({"Upload_Offset": "9" * 30}, 400),
        ({"Upload_Offset": "\u00b2"}, 400),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_what_is_no_tus_is_refused(client: Client, headers: dict[str, str], status: int) -> None:
    href = href_of(client)
    reply = patch(client, href, 0, b"x", **headers)
    assert reply.status == status
    assert status != 412 or reply.headers["tus-version"] == "1.0.0"
    assert offset_of(client, href) == 0
    assert client.request("HEAD", href, key=False).status == 412
    assert client.request("OPTIONS", href, key=False).headers["tus-version"] == "1.0.0"


def test_what_one_artifact_got_is_no_others(client: Client) -> None:
    patch(client, href_of(client), 0, LARGE[: 900 * KIB])
    other = href_of(client, artifact="b")
    assert offset_of(client, other) == 0
    assert patch(client, other, 900 * KIB, LARGE[900 * KIB :]).status == 409
    # The blob is in the storage, whole: this artifact needs all of its bytes all the same.
    client.upload("c", LARGE)
    assert offset_of(client, other) == 0
    assert offset_of(client, href_of(client)) == 900 * KIB
    assert not is_there(client, artifact="b")
    assert patch(client, other, 0, b"x" * len(LARGE)).status == 422
    assert patch(client, other, 0, LARGE).status == 204
    assert is_there(client, artifact="b") and is_there(client, artifact="c") and not is_there(client)


def test_an_href_of_another_artifact_or_method_tells_nothing(client: Client) -> None:
    href = href_of(client)
    client.upload("b", b"x")
    put = client.batch("a", "upload", [pointer_of(LARGE)]).json()["objects"][0]["actions"]["upload"]["href"]
    headers = {"Tus-Resumable": "1.0.0"}
    for bad, status in ((put, 403), (href.partition("?")[0], 403), (href.replace("/a.git/", "/b.git/"), 404)):
        assert client.request("HEAD", bad, headers=headers, key=False).status == status
        assert patch(client, bad, 0, LARGE).status == status
        assert client.request("OPTIONS", bad, key=False).status == status
    assert client.request("PUT", href, LARGE, key=False).status == 403


def test_of_two_at_once_one_goes_on(client: Client) -> None:
    href = href_of(client)
    connections = []
    for _ in range(2):
        parsed = urlsplit(href)
        connection = http.client.HTTPConnection(parsed.hostname or "", parsed.port, timeout=20)
        connection.putrequest("PATCH", f"{parsed.path}?{parsed.query}")
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": KIND}
        for name, value in {**headers, "Content-Length": str(len(LARGE))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connections.append(connection)
    gone: list[int] = []

    def send(number: int) -> None:
        try:
            for at in range(0, len(LARGE), 64 * KIB):
                connections[number].send(LARGE[at : at + 64 * KIB])
        except (BrokenPipeError, ConnectionResetError):
            gone.append(number)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(connection.getresponse().status for connection in connections)
    for connection in connections:
        connection.close()
    assert statuses[0] == 204 and statuses[1] in (409, 423), statuses
    assert is_there(client)


def test_a_dead_connection_holds_nobody_up(client: Client) -> None:
    href = urlsplit(href_of(client))
    with socket.create_connection((href.hostname or "", href.port or 0), timeout=10) as dead:
        head = f"PATCH {href.path}?{href.query} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        head += f"Content-Type: {KIND}\r\nContent-Length: {len(LARGE)}\r\n\r\n"
        dead.sendall(head.encode() + LARGE[: 600 * KIB])
        deadline = time.monotonic() + 10
        at = -1
        while (now := offset_of(client, href.geturl())) != at or at < 256 * KIB:
            assert time.monotonic() < deadline
            at = now
            time.sleep(0.05)
        assert patch(client, href.geturl(), at, LARGE[at:]).status == 204
        assert is_there(client)
        # What it sends now comes too late.
        dead.sendall(LARGE[600 * KIB :])
        assert b" 409 " in dead.recv(4096).partition(b"\r\n")[0]
    assert is_there(client)


def test_a_part_that_nobody_goes_on_with_is_removed(client: Client, tmp_path: Path) -> None:
    old, new = href_of(client), href_of(client, LARGE[1:])
    patch(client, old, 0, LARGE[:1000])
    patch(client, new, 0, LARGE[1:1001])
    long_ago = time.time() - FORGOTTEN_S - 1
    path = next(path for path in parts(tmp_path) if pointer_of(LARGE).oid in path.name)
    os.utime(path, (long_ago, long_ago))
    patch(client, href_of(client, LARGE[2:]), 0, LARGE[2:1002])
    assert len(parts(tmp_path)) == 2 and not path.exists()
    assert [offset_of(client, href) for href in (old, new)] == [0, 1000]


def test_a_part_that_came_whole_before_the_server_died_is_finished(client: Client, tmp_path: Path) -> None:
    for number, ask in enumerate(("HEAD", "PATCH")):
        content = LARGE[number:]
        href = href_of(client, content)
        patch(client, href, 0, content[:-1])
        with parts(tmp_path)[0].open("ab") as file:
            file.write(content[-1:])
        if ask == "HEAD":
            assert offset_of(client, href) == len(content)
        else:
            assert patch(client, href, len(content), b"").status == 204
        assert is_there(client, content) and not parts(tmp_path)


def test_a_part_that_came_whole_and_wrong_begins_anew(client: Client, tmp_path: Path) -> None:
    href = href_of(client)
    patch(client, href, 0, LARGE[:-1])
    with parts(tmp_path)[0].open("ab") as file:
        file.write(b"!" if LARGE[-1:] != b"!" else b"?")
    assert offset_of(client, href) == 0
    assert not is_there(client) and not parts(tmp_path)


def test_a_blob_that_the_storage_lost_is_healed(client: Client, tmp_path: Path) -> None:
    pointer = client.upload("a", LARGE)[0]
    next(tmp_path.glob(f"srv/blobs/files/*/{pointer.oid}")).unlink()
    href = href_of(client)
    assert offset_of(client, href) == 0
    assert patch(client, href, 0, LARGE).status == 204
    assert is_there(client)


def test_a_size_that_is_a_lie_makes_no_blob(client: Client, tmp_path: Path) -> None:
    pointer = Pointer(Oid(pointer_of(LARGE).oid), len(LARGE) + 5)
    reply = client.batch("a", "upload", [pointer], "tus").json()
    href = reply["objects"][0]["actions"]["upload"]["href"]
    assert patch(client, href, 0, LARGE).status == 204
    assert offset_of(client, href_of(client)) == 0
    assert patch(client, href, len(LARGE), b"12345").status == 422
    assert not parts(tmp_path)


def test_what_the_disk_failed_to_write_is_sent_again(tmp_path: Path) -> None:
    failing: list[str] = []

    def before(operation: str, path: Path | str) -> None:
        if operation in failing and "uploads" in str(path):
            failing.clear()
            raise StorageError(str(path), "input/output error")

    with EmbeddedServer(tmp_path / "srv", disk=Disk(before)) as server:
        client = Client(server.url, server.admin_key)
        href = href_of(client)
        assert patch(client, href, 0, LARGE[:1000]).status == 204
        failing.append("write")
        assert patch(client, href, 1000, LARGE[1000:]).status == 503
        assert offset_of(client, href) == 1000
        failing.append("fsync")
        assert patch(client, href, 1000, LARGE[1000:2000]).status == 503
        # Of a file whose fsync failed nothing is believed.
        assert offset_of(client, href) == 0
        assert patch(client, href, 0, LARGE).status == 204
        assert is_there(client)
