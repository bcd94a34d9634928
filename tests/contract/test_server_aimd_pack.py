"""aimd-pack at the server: what came whole before a fault is kept, what is wrong is refused, nothing is given away."""

import json
from pathlib import Path

import pytest

from aimdvc.model.frames import MAGIC, end_frame, frame_header
from aimdvc.model.pointer import Pointer
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.limits import Limits
from tests.contract.server_client import Client, aimd_pack, pointer_of

CONTENTS = [b"%d" % number * 100 for number in range(10, 20)]
GOOD = aimd_pack(*CONTENTS)


def href(client: Client, operation: str, pointers: list[Pointer], artifact: str = "a") -> str:
    answer = client.batch(artifact, operation, pointers, "aimd-pack", "basic").json()
    assert answer["transfer"] == "aimd-pack"
    return str(answer["aimd_pack"]["href"])


def held(client: Client, artifact: str = "a") -> list[bool]:
    pointers = [pointer_of(content) for content in CONTENTS]
    return ["actions" in blob for blob in client.batch(artifact, "download", pointers).json()["objects"]]


def send(client: Client, body: bytes) -> int:
    place = href(client, "upload", [pointer_of(content) for content in CONTENTS])
    return client.request("POST", place, body, {"Content-Type": "application/x-aimd-pack"}, key=False).status


def test_what_was_sent_comes_back(client: Client) -> None:
    assert send(client, GOOD) == 200
    assert all(held(client))
    oids = [pointer_of(content).oid for content in CONTENTS]
    place = href(client, "download", [pointer_of(content) for content in CONTENTS])
    body = json.dumps({"oids": oids}).encode()
    reply = client.request("POST", place, body, {"Content-Type": "application/json"}, key=False)
    assert reply.status == 200
    assert len(reply.body) == len(GOOD)


FIRST = aimd_pack(*CONTENTS[:4])[: -len(end_frame(4))]
DAMAGED = frame_header(pointer_of(CONTENTS[5]).oid, len(CONTENTS[5])) + CONTENTS[5][:-1] + b"x"
BAD = {
    "no magic": (b"junk" * 30, 400, 0),
    "another version": (b"AIMDPACK\x02" + GOOD[9:], 400, 0),
    "cut in a header": (FIRST + GOOD[:3], 400, 4),
    "cut in a blob": (FIRST + frame_header(pointer_of(CONTENTS[5]).oid, 200) + b"x", 400, 4),
    "another number of frames": (FIRST + end_frame(9), 400, 4),
    "a blob beyond the limit": (FIRST + frame_header(pointer_of(CONTENTS[5]).oid, 1 << 40), 400, 4),
    "other bytes": (FIRST + frame_header(pointer_of(CONTENTS[5]).oid, 5) + b"wrong" + end_frame(5), 422, 4),
    "other bytes, with good ones after them": (FIRST + DAMAGED + aimd_pack(*CONTENTS[6:])[len(MAGIC) :], 422, 4),
    "other bytes at once": (MAGIC + DAMAGED + end_frame(1), 422, 0),
    "nothing": (b"", 400, 0),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_stream_is_refused(client: Client, kind: str) -> None:
    body, status, kept = BAD[kind]
    assert send(client, body) == status
    # What came before the fault needs not be sent again; nothing after it counts.
    assert held(client) == [number < kept for number in range(len(CONTENTS))]
    rest = client.batch("a", "upload", [pointer_of(content) for content in CONTENTS], "aimd-pack", "basic").json()
    assert ["actions" not in blob for blob in rest["objects"]] == held(client)
    assert send(client, GOOD) == 200
    assert all(held(client))


def test_what_is_wrong_with_a_stream_is_said_of_it(client: Client) -> None:
    place = href(client, "upload", [pointer_of(CONTENTS[0])])
    reply = client.request("POST", place, GOOD[:-9], {"Content-Type": "application/x-aimd-pack"}, key=False)
    assert (reply.status, reply.json()["message"]) == (400, "the aimd-pack stream was cut")


WANTED = [None, [], "x", ["x"], [5], [pointer_of(b"a").oid] * 2, ["A" * 64]]


@pytest.mark.parametrize("oids", WANTED, ids=range(len(WANTED)))
def test_a_request_that_makes_no_sense_is_refused(client: Client, oids: object) -> None:
    assert send(client, GOOD) == 200
    place = href(client, "download", [pointer_of(CONTENTS[0])])
    body = json.dumps({"oids": oids}).encode()
    assert client.request("POST", place, body, {"Content-Type": "application/json"}, key=False).status == 422


def test_blobs_of_another_artifact_are_not_given(client: Client) -> None:
    assert send(client, GOOD) == 200
    other = client.upload("b", b"another's")[0]
    place = href(client, "download", [pointer_of(CONTENTS[0])])
    body = json.dumps({"oids": [other.oid]}).encode()
    assert client.request("POST", place, body, {"Content-Type": "application/json"}, key=False).status == 404
    elsewhere = place.replace("/a.git", "/b.git")
    assert client.request("POST", elsewhere, body, {"Content-Type": "application/json"}, key=False).status == 404
    unsigned = place.partition("?")[0]
    assert client.request("POST", unsigned, body, {"Content-Type": "application/json"}, key=False).status == 403


def test_an_empty_stream_is_fine(client: Client) -> None:
    assert send(client, MAGIC + end_frame(0)) == 200
    assert not any(held(client))


def test_more_blobs_than_a_batch_names_are_refused_and_the_first_are_kept(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv", limits=Limits(batch_objects=4)) as server:
        client = Client(server.url, server.admin_key)
        pointers = [pointer_of(content) for content in CONTENTS[:4]]
        place = href(client, "upload", pointers)
        kind = {"Content-Type": "application/x-aimd-pack"}
        assert client.request("POST", place, GOOD, kind, key=False).status == 413
        answers = client.batch("a", "download", pointers).json()["objects"]
        assert all("actions" in blob for blob in answers)
        assert client.request("POST", place, aimd_pack(*CONTENTS[:4]), kind, key=False).status == 200
