"""Basic transfers of single blobs against a server that answers as it likes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError, CorruptBlob, NotAuthorised, ProtocolError, RemoteError, RemoteRefused, UnsafeUrl
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.remote.basic import Action, Expired, get_blob, parse_action, put_blob
from aimdvc.remote.session import Session
from aimdvc.store.blobs import BlobStore
from tests.unit.remote.hostile import Answer, Seen, hostile
from tests.unit.remote.test_session import session_for

CONTENT = bytes(range(256)) * 1000
POINTER = Pointer(Oid(hashlib.sha256(CONTENT).hexdigest()), len(CONTENT))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = session_for(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "store", Disk()) as made:
        yield made


def nothing(size: int) -> None:
    """Counts no bytes."""


ACTIONS: list[tuple[object, type[AimdvcError]]] = [
    (None, ProtocolError),
    ({"href": 5}, ProtocolError),
    ({"href": "https://h/x", "header": [1]}, ProtocolError),
    ({"href": "https://h/x", "header": {"A": 5}}, ProtocolError),
    ({"href": "https://h/x", "header": {"A": "é"}}, ProtocolError),
    ({"href": "https://h/x", "header": {"A\n": "b"}}, ProtocolError),
    ({"href": "http://h/x"}, UnsafeUrl),
    ({"href": "/x"}, UnsafeUrl),
]


@pytest.mark.parametrize(("action", "error"), ACTIONS)
def test_an_action_that_makes_no_sense_is_refused(action: object, error: type[AimdvcError]) -> None:
    with pytest.raises(error):
        parse_action(action, "https://h/a.git")


def test_headers_that_are_ours_to_set_are_dropped() -> None:
    wanted = {"Host": "evil", "Content-Length": "1", "Cookie": "x", "Range": "bytes=5-", "X-Permit": "y"}
    assert parse_action({"href": "https://h/x", "header": wanted}, "https://h/a.git").headers == {"X-Permit": "y"}


@pytest.mark.parametrize(
    ("status", "error"), [(500, Expired), (404, Expired), (413, RemoteRefused), (409, RemoteRefused)]
)
def test_a_refused_upload_is_told_as_what_it_is(
    session: Session, store: BlobStore, status: int, error: type[AimdvcError]
) -> None:
    with store.writer() as writer:
        writer.add_bytes(CONTENT)
    with hostile(lambda seen: Answer(status, b"no")) as server, pytest.raises(error):
        put_blob(session, server.url, POINTER, {"upload": Action(f"{server.url}/b", {})}, store, nothing)


@pytest.mark.parametrize("status", [200, 422, 500])
def test_an_upload_is_verified_where_the_server_asks_for_it(session: Session, store: BlobStore, status: int) -> None:
    with store.writer() as writer:
        writer.add_bytes(CONTENT)
    with hostile(lambda seen: Answer(200 if seen.method == "PUT" else status)) as server:
        actions = {"upload": Action(f"{server.url}/b", {"Transfer-Encoding": "chunked"})}
        actions["verify"] = Action(f"{server.url}/v", {})
        if status == 200:
            put_blob(session, server.url, POINTER, actions, store, nothing)
        else:
            with pytest.raises(RemoteError):
                put_blob(session, server.url, POINTER, actions, store, nothing)
    assert b"size" in server.seen[-1].body


@pytest.mark.parametrize("size", [len(CONTENT) + 1, len(CONTENT) - 1, 3_000_000])
def test_a_blob_of_ours_that_has_another_size_is_not_sent(session: Session, store: BlobStore, size: int) -> None:
    with store.writer() as writer:
        writer.add_bytes(CONTENT)
    path = store.path_of(POINTER.oid)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"x" * size)
    with hostile(lambda seen: Answer()) as server, pytest.raises(CorruptBlob, match="bytes"):
        put_blob(session, server.url, POINTER, {"upload": Action(f"{server.url}/b", {})}, store, nothing)


def get(session: Session, store: BlobStore, url: str, pointer: Pointer = POINTER) -> None:
    with store.writer() as writer:
        get_blob(session, url, pointer, {"download": Action(f"{url}/b", {})}, writer, nothing)


@pytest.mark.parametrize(
    ("status", "error"), [(403, Expired), (416, Expired), (451, RemoteRefused), (405, RemoteRefused)]
)
def test_a_refused_download_is_told_as_what_it_is(
    session: Session, store: BlobStore, status: int, error: type[AimdvcError]
) -> None:
    with hostile(lambda seen: Answer(status, b"no")) as server:
        with pytest.raises(error):
            get(session, store, server.url)
        if status != 416:
            with pytest.raises(error):
                get(session, store, server.url, Pointer(POINTER.oid, 5))


@pytest.mark.parametrize("content_range", ["", "bytes 5-9/10", "bytes */10", "pages 1-2/3"])
def test_another_range_than_was_asked_for_is_refused(session: Session, store: BlobStore, content_range: str) -> None:
    def answer(seen: Seen) -> Answer:
        if "range" not in seen.headers:
            return Answer(body=CONTENT, cut=100_000)
        return Answer(206, CONTENT[100_000:], {"Content-Range": content_range} if content_range else {})

    with hostile(answer) as server:
        with pytest.raises(RemoteError):
            get(session, store, server.url)
        with pytest.raises(RemoteRefused, match="another range"):
            get(session, store, server.url)
    assert not store.has(POINTER.oid)


def test_a_key_that_may_not_do_this_is_told_with_what_the_server_says(session: Session) -> None:
    with (
        hostile(lambda seen: Answer(403, b'{"message": "read only"}')) as server,
        pytest.raises(NotAuthorised, match="read only"),
    ):
        session.request("GET", f"{server.url}/x", {})
    with (
        hostile(lambda seen: Answer(404, b"<html>nothing</html>")) as server,
        pytest.raises(RemoteRefused, match="not found"),
    ):
        session.request("GET", f"{server.url}/x", {})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000], ids=range(5))
def test_what_is_no_json_object_is_refused(session: Session, body: bytes) -> None:
    with hostile(lambda seen: Answer(body=body)) as server, pytest.raises(ProtocolError, match="expected"):
        session.request("GET", f"{server.url}/x", {}).read_json(1 << 20)


def test_a_proxy_of_the_environment_is_used(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile(lambda seen: Answer(body=b"by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert session.request("GET", "http://nowhere.invalid/x", {}).read(100) == b"by proxy"
        assert proxy.seen[0].path == "http://nowhere.invalid/x"
