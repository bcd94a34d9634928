"""Bit rot: scrub finds it at its pace, nobody is given it as good, and the next upload heals it."""

import http.client
from pathlib import Path

import pytest

from aimdvc.model.progress import Silent
from aimdvc.server.audit import read_audit
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.scrub import Pace, Scrubbed, scrub
from tests.contract.backing import kept as what_is_kept
from tests.contract.backing import push_version
from tests.contract.server_client import Client, pointer_of

SMALL = b"some small content"
LARGE = b"large " * 300_000


def rot_anywhere(place: Path, content: bytes) -> None:
    """Turns a bit of a blob wherever a storage keeps it, in a file or in a pack."""
    found = 0
    for path in (path for path in place.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        at = raw.find(content)
        if at >= 0 and path.suffix != ".db":
            path.chmod(0o600)
            middle = at + len(content) // 2
            path.write_bytes(raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :])
            found += 1
    assert found == 1


def scrubbed(server: EmbeddedServer, limit: int | None = None) -> Scrubbed:
    return scrub(what_is_kept(server.site), Pace(1 << 40), limit, Silent())


def download(client: Client, artifact: str, content: bytes) -> tuple[int, bytes]:
    """Returns what a server answers for a blob by an href that was given before; -1 where the connection was cut."""
    href = client.batch(artifact, "download", [pointer_of(content)]).json()["objects"][0]["actions"]["download"]["href"]
    try:
        reply = client.request("GET", href, key=False)
    except (http.client.IncompleteRead, ConnectionResetError):
        return -1, b""
    return reply.status, reply.body


def wanted(client: Client, artifact: str, content: bytes, operation: str) -> dict[str, object]:
    """Returns what a batch says of one blob."""
    told: dict[str, object] = client.batch(artifact, operation, [pointer_of(content)]).json()["objects"][0]
    return told


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_what_scrub_finds_is_not_served_and_is_healed(
    server: EmbeddedServer, client: Client, kept: Path, content: bytes
) -> None:
    push_version(client, "a", SMALL, LARGE)
    push_version(client, "b", SMALL, LARGE)
    assert (scrubbed(server).blobs, scrubbed(server).damage) == (2, [])
    rot_anywhere(kept, content)
    found = scrubbed(server)
    oid = pointer_of(content).oid
    assert [(one.artifact, one.what) for one in found.damage] == [
        ("admin/a", f"blob {oid}"),
        ("admin/b", f"blob {oid}"),
    ]
    assert found.damage[0].reason.endswith("; set aside") and found.is_complete
    last = read_audit(server.site.database)[-1]
    assert (last.action, last.target, last.detail) == ("blob.damaged", oid, {"owners": ["admin/a", "admin/b"]})
    assert wanted(client, "a", content, "download")["error"] == {
        "code": 404,
        "message": "the server has lost this blob: whoever has it can push it again",
    }
    assert {one.reason for one in scrubbed(server).damage} == {"is gone"}
    assert "actions" in wanted(client, "b", content, "upload")
    client.upload("b", content)
    # One copy heals all that own it.
    assert scrubbed(server).damage == []
    assert "actions" not in wanted(client, "a", content, "upload")
    status, body = download(client, "a", content)
    assert body == content or status in (302, 307)


def test_rot_that_nobody_scrubbed_is_never_given_as_good(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv") as server:
        client = Client(server.url, server.admin_key)
        for content, answer in ((SMALL, 502), (LARGE, 502), (LARGE * 8, -1)):
            push_version(client, f"a{len(content)}", content)
            rot_anywhere(tmp_path / "srv", content)
            # Of a larger one some was sent before its end was read: the connection breaks instead of the last chunk.
            assert download(client, f"a{len(content)}", content)[0] == answer
            assert "error" in wanted(client, f"a{len(content)}", content, "download")
            assert "actions" in wanted(client, f"a{len(content)}", content, "upload")
            client.upload(f"a{len(content)}", content)
            assert download(client, f"a{len(content)}", content) == (200, content)


def test_a_run_goes_on_where_the_last_one_stopped(server: EmbeddedServer, client: Client) -> None:
    contents = [b"%02d" % number for number in range(10)]
    push_version(client, "a", *contents)
    push_version(client, "b", *contents)
    runs = [scrubbed(server, limit=8) for _ in range(3)]
    assert [(one.blobs, one.is_complete) for one in runs] == [(4, False), (4, False), (2, True)]
    assert sum(one.size for one in runs) == 20
    assert scrubbed(server).blobs == 10


def test_no_more_than_the_rate_goes_by() -> None:
    waited: list[float] = []
    pace = Pace(1000, waited.append)
    for _ in range(10):
        pace.advance(500)
    # Nothing really waits here, so each is further ahead than the one before.
    assert waited == pytest.approx([0.5 * number for number in range(1, 11)], abs=0.2)
