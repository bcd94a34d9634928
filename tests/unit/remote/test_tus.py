"""Uploads that go on where they were cut, against servers that misbehave, and such that are not ours."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError, CorruptBlob, RemoteRefused
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Silent
from aimdvc.remote.lfs import LfsRemote
from aimdvc.store.blobs import BlobStore
from tests.unit.remote.hostile import Answer, Hostile, Seen, hostile
from tests.unit.remote.test_session import session_for

MIB = 1 << 20
LARGE = random.Random(1).randbytes(5 * MIB // 2)
POINTER = Pointer(Oid(hashlib.sha256(LARGE).hexdigest()), len(LARGE))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "store", Disk()) as made:
        with made.writer() as writer:
            writer.add_bytes(LARGE)
        yield made


class Receiver:
    """A server that takes parts. `offsets` are what it tells in its batches, None for nothing; the last one stays."""

    def __init__(self, *offsets: object, transfer: str = "aimd-pack", has: int = 0) -> None:
        self._offsets = list(offsets)
        self._transfer = transfer
        self._has = has
        self.answers: list[Answer] = []
        self.server: Hostile | None = None

    def answer(self, seen: Seen) -> Answer:
        assert self.server is not None
        if "batch" in seen.path:
            offset = self._offsets.pop(0) if len(self._offsets) > 1 else self._offsets[0]
            action = {"href": f"{self.server.url}/blob"} | ({} if offset is None else {"offset": offset})
            name = "upload" if self._transfer == "tus" else "tus"
            blob = {"oid": POINTER.oid, "size": POINTER.size, "actions": {name: action}}
            return Answer(body=json.dumps({"transfer": self._transfer, "objects": [blob]}).encode())
        if seen.method == "HEAD":
            return Answer(headers={"Upload-Offset": str(self._has)})
        return self.answers.pop(0) if self.answers else Answer(204)


def upload(tmp_path: Path, store: BlobStore, receiver: Receiver) -> list[Seen]:
    with hostile(receiver.answer) as server:
        receiver.server = server
        session = session_for(tmp_path)
        try:
            LfsRemote(session, f"{server.url}/a.git").upload([POINTER], store, Silent())
        finally:
            session.close()
        return [seen for seen in server.seen if "batch" not in seen.path]


@pytest.mark.parametrize("offset", [0, 1, MIB, len(LARGE) - 1, len(LARGE)])
def test_only_the_rest_is_sent(tmp_path: Path, store: BlobStore, offset: int) -> None:
    (seen,) = upload(tmp_path, store, Receiver(offset))
    assert (seen.method, seen.body) == ("PATCH", LARGE[offset:])
    assert seen.headers["upload-offset"] == str(offset)
    assert seen.headers["tus-resumable"] == "1.0.0"
    assert seen.headers["content-type"] == "application/offset+octet-stream"


def test_a_server_that_is_not_ours_is_asked_where_to_go_on(tmp_path: Path, store: BlobStore) -> None:
    head, sent = upload(tmp_path, store, Receiver(None, transfer="tus", has=MIB))
    assert (head.method, head.headers["tus-resumable"]) == ("HEAD", "1.0.0")
    assert sent.body == LARGE[MIB:]
    assert [seen.method for seen in upload(tmp_path, store, Receiver(None, transfer="tus", has=len(LARGE)))] == ["HEAD"]


@pytest.mark.parametrize("status", [409, 422, 423])
def test_where_it_goes_on_elsewhere_another_batch_tells(tmp_path: Path, store: BlobStore, status: int) -> None:
    receiver = Receiver(MIB, 0)
    receiver.answers = [Answer(status)]
    assert [seen.headers["upload-offset"] for seen in upload(tmp_path, store, receiver)] == [str(MIB), "0"]


def test_a_server_that_never_agrees_is_given_up(tmp_path: Path, store: BlobStore) -> None:
    receiver = Receiver(MIB)
    receiver.answers = [Answer(409)] * 99
    with pytest.raises(RemoteRefused):
        upload(tmp_path, store, receiver)
    assert len(receiver.answers) == 99 - 5


@pytest.mark.parametrize("receiver", [Receiver(len(LARGE) + 1), Receiver(None, transfer="tus", has=-1)])
def test_an_offset_that_can_not_be_is_refused(tmp_path: Path, store: BlobStore, receiver: Receiver) -> None:
    with pytest.raises(RemoteRefused):
        upload(tmp_path, store, receiver)


@pytest.mark.parametrize("offset", [-1, 1.5, True, "7", None])
def test_what_is_no_offset_is_asked_for(tmp_path: Path, store: BlobStore, offset: object) -> None:
    assert [seen.method for seen in upload(tmp_path, store, Receiver(offset, has=3))] == ["HEAD", "PATCH"]


@pytest.mark.parametrize("offset", [0, MIB, len(LARGE) - 1])
@pytest.mark.parametrize("harm", [lambda raw: b"x" + raw[1:], lambda raw: raw + b"x", lambda raw: raw[:-1]])
def test_a_damaged_blob_never_becomes_whole_there(
    tmp_path: Path, store: BlobStore, offset: int, harm: Callable[[bytes], bytes]
) -> None:
    path = store.path_of(POINTER.oid)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(harm(LARGE))
    receiver = Receiver(offset)
    with pytest.raises((CorruptBlob, AimdvcError)):
        upload(tmp_path, store, receiver)
    assert receiver.server is not None
    bodies = [seen.body for seen in receiver.server.seen if seen.method == "PATCH"]
    assert all(len(body) < len(LARGE) - offset for body in bodies)
