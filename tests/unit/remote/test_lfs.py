"""LFS transfers against a server that misbehaves: nothing wrong is ever kept. Cases C12 to C14."""

import gzip
import hashlib
import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError, CorruptBlob, MissingBlob, ProtocolError, RemoteError, RemoteRefused, UnsafeUrl
from aimdvc.fs.disk import Disk
from aimdvc.model.frames import MAGIC, end_frame, frame_header, read_frames
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Silent
from aimdvc.remote.lfs import LfsRemote
from aimdvc.store.blobs import BlobStore
from tests.unit.remote.hostile import Answer, Hostile, Seen, hostile
from tests.unit.remote.test_session import session_for

LARGE = random.Random(1).randbytes(300_000)
SMALL = b"small content"


def pointer_of(content: bytes) -> Pointer:
    return Pointer(Oid(hashlib.sha256(content).hexdigest()), len(content))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "store", Disk()) as made:
        yield made


def batch(server: Hostile, seen: Seen, action: str, href: str | None = None) -> Answer:
    """Answers a batch with basic actions."""
    objects = []
    for blob in json.loads(seen.body)["objects"]:
        target = href or f"{server.url}/blob/{blob['oid']}"
        objects.append({**blob, "authenticated": True, "actions": {action: {"href": target}}})
    return Answer(body=json.dumps({"transfer": "basic", "objects": objects}).encode())


def download(
    tmp_path: Path, store: BlobStore, contents: list[bytes], answer: Callable[[Hostile, Seen], Answer]
) -> list[Seen]:
    with hostile(lambda seen: answer(server, seen)) as server:
        session = session_for(tmp_path)
        try:
            with store.writer() as writer:
                remote = LfsRemote(session, f"{server.url}/a.git")
                remote.download([pointer_of(content) for content in contents], writer, Silent())
        finally:
            session.close()
        return server.seen


def test_a_cut_download_goes_on_where_it_stopped(tmp_path: Path, store: BlobStore) -> None:
    def answer(server: Hostile, seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "download")
        start = int(seen.headers.get("range", "bytes=0-")[6:-1])
        if start == 0:
            return Answer(body=LARGE, cut=100_000)
        end = len(LARGE) - 1
        return Answer(206, LARGE[start:], {"Content-Range": f"bytes {start}-{end}/{len(LARGE)}"})

    seen = download(tmp_path, store, [LARGE], answer)
    assert store.read(pointer_of(LARGE).oid) == LARGE
    ranges = [one.headers.get("range") for one in seen if "blob" in one.path]
    assert ranges == [None, "bytes=100000-"]


def test_a_server_that_ignores_the_range_is_read_from_the_start(tmp_path: Path, store: BlobStore) -> None:
    def answer(server: Hostile, seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "download")
        return Answer(body=LARGE, cut=None if "range" in seen.headers else 100_000)

    download(tmp_path, store, [LARGE], answer)
    assert store.read(pointer_of(LARGE).oid) == LARGE


def test_an_expired_href_is_asked_for_anew(tmp_path: Path, store: BlobStore) -> None:
    def answer(server: Hostile, seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "download")
        return Answer(403) if len(server.seen) < 3 else Answer(body=SMALL)

    seen = download(tmp_path, store, [SMALL], answer)
    assert store.read(pointer_of(SMALL).oid) == SMALL
    assert sum("batch" in one.path for one in seen) == 2


WRONG_BODIES = {
    "other bytes": Answer(body=LARGE[:-1] + b"x"),
    "longer": Answer(body=LARGE + b"x"),
    "empty": Answer(body=b""),
    "wrong range": Answer(206, LARGE, {"Content-Range": f"bytes 5-{len(LARGE)}/{len(LARGE)}"}),
}


@pytest.mark.parametrize("kind", WRONG_BODIES)
@pytest.mark.parametrize("content", [LARGE, SMALL], ids=["large", "small"])
def test_wrong_bytes_are_never_kept(tmp_path: Path, store: BlobStore, kind: str, content: bytes) -> None:
    wrong = WRONG_BODIES[kind]
    body = wrong.body[: len(content) - 1] + b"!" if wrong.body else b""
    body += b"!" if kind == "longer" else b""

    def answer(server: Hostile, seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "download")
        return Answer(wrong.status, body, wrong.headers)

    with pytest.raises(CorruptBlob):
        download(tmp_path, store, [content], answer)
    assert not store.has(pointer_of(content).oid)


def each(seen: Seen, more: dict[str, object]) -> Answer:
    """Answers a batch with the same for every blob."""
    objects = [{**blob, **more} for blob in json.loads(seen.body)["objects"]]
    return Answer(body=json.dumps({"objects": objects}).encode())


def twice(server: Hostile, seen: Seen) -> Answer:
    answer = json.loads(batch(server, seen, "download").body)
    return Answer(body=json.dumps({"objects": answer["objects"] * 2}).encode())


MILLION = b'{"objects": [' + b",".join([b'{"oid": "00", "size": 1}'] * 1_000_000) + b"]}"

BAD_BATCHES: dict[str, tuple[Callable[[Hostile, Seen], Answer], type[AimdvcError]]] = {
    "no JSON": (lambda server, seen: Answer(body=b"<html>"), ProtocolError),
    "a list": (lambda server, seen: Answer(body=b"[]"), ProtocolError),
    "no objects": (lambda server, seen: Answer(body=b"{}"), ProtocolError),
    "none of ours": (lambda server, seen: Answer(body=b'{"objects": []}'), ProtocolError),
    "another blob": (lambda server, seen: Answer(body=b'{"objects": [{"oid": "00", "size": 1}]}'), ProtocolError),
    "another transfer": (lambda server, seen: Answer(body=b'{"transfer": "tus", "objects": []}'), ProtocolError),
    "a file href": (lambda server, seen: batch(server, seen, "download", "file:///etc/passwd"), UnsafeUrl),
    "an ssh href": (lambda server, seen: batch(server, seen, "download", "ssh://host/x"), UnsafeUrl),
    "no action": (
        lambda server, seen: Answer(
            body=json.dumps(
                {"objects": [{**blob, "actions": {}} for blob in json.loads(seen.body)["objects"]]}
            ).encode()
        ),
        ProtocolError,
    ),
    "not there": (
        lambda server, seen: each(seen, {"error": {"code": 404, "message": "gone"}}),
        MissingBlob,
    ),
    "the same blob twice": (twice, ProtocolError),
    "a negative size": (lambda server, seen: each(seen, {"size": -1}), ProtocolError),
    "another size": (lambda server, seen: each(seen, {"size": 2**63}), ProtocolError),
    "a size that is a text": (lambda server, seen: each(seen, {"size": "5"}), ProtocolError),
    "a million others": (lambda server, seen: Answer(body=MILLION), ProtocolError),
    "100 MB": (lambda server, seen: Answer(body=b'{"objects": "' + b"x" * (100 << 20) + b'"}'), ProtocolError),
    "actions that are a list": (lambda server, seen: each(seen, {"actions": [1]}), ProtocolError),
    "an action that is a text": (lambda server, seen: each(seen, {"actions": {"download": "x"}}), ProtocolError),
    "a header that ends its line": (
        lambda server, seen: each(seen, {"actions": {"download": {"href": server.url, "header": {"A": "b\r\nC: d"}}}}),
        ProtocolError,
    ),
    "blobs that are numbers": (lambda server, seen: Answer(body=b'{"objects": [1, null, {"oid": 5}]}'), ProtocolError),
    "half a character": (lambda server, seen: Answer(body=b'{"objects": [{"oid": "\\ud800"}]}'), ProtocolError),
    "no UTF-8": (lambda server, seen: Answer(body=b"\xff\xfe{}"), ProtocolError),
    "nested objects": (lambda server, seen: Answer(body=b'{"objects":' * 100_000), ProtocolError),
    "nested": (lambda server, seen: Answer(body=b"[" * 100_000), ProtocolError),
}


@pytest.mark.parametrize("kind", BAD_BATCHES)
def test_a_bad_batch_is_refused(tmp_path: Path, store: BlobStore, kind: str) -> None:
    """Case C15: with its reason, and without holding more than is allowed."""
    answer, error = BAD_BATCHES[kind]
    with pytest.raises(error) as told:
        download(tmp_path, store, [LARGE], answer)
    assert told.value.exit_code in (3, 4, 6)
    assert len(told.value.message) < 500
    assert not store.has(pointer_of(LARGE).oid)


def test_an_answer_that_never_ends_is_not_held(tmp_path: Path) -> None:
    """Case C15: memory is bounded by what an answer may have."""
    with hostile(lambda seen: Answer(body=b" " * (100 << 20))) as server:
        session = session_for(tmp_path)
        tracemalloc.start()
        with pytest.raises(ProtocolError, match="more than 1048576 bytes"):
            session.request("GET", f"{server.url}/x", {}).read_json(1 << 20)
        # The server's own 100 MiB are counted, too.
        assert tracemalloc.get_traced_memory()[1] < 110 << 20
        tracemalloc.stop()
        session.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "nonsense"])
def test_a_compressed_answer_is_not_inflated(tmp_path: Path, store: BlobStore, encoding: str) -> None:
    """Case C12: 300 KB of gzip could be 300 MB."""
    bomb = gzip.compress(bytes(300 << 20), 1)

    def answer(server: Hostile, seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "download")
        return Answer(body=bomb, headers={"Content-Encoding": encoding})

    with pytest.raises(CorruptBlob):
        download(tmp_path, store, [LARGE], answer)
    assert not store.has(pointer_of(LARGE).oid)


@pytest.mark.parametrize("length", [1, len(LARGE) - 1, len(LARGE) + 5])
def test_a_length_that_is_a_lie_gives_no_wrong_blob(tmp_path: Path, store: BlobStore, length: int) -> None:
    """Case C12."""

    def answer(server: Hostile, seen: Seen) -> Answer:
        return batch(server, seen, "download") if "batch" in seen.path else Answer(body=LARGE, length=length)

    try:
        download(tmp_path, store, [LARGE], answer)
    except (CorruptBlob, RemoteError):
        assert not store.has(pointer_of(LARGE).oid)
    else:
        assert length > len(LARGE), "all of it came, and then the connection broke"
        assert store.read(pointer_of(LARGE).oid) == LARGE


def packed(server: Hostile, seen: Seen, stream: bytes, cut: int | None = None) -> Answer:
    """Answers as a server that has aimd-pack."""
    if "batch" in seen.path:
        objects = [{**blob, "actions": {"aimd-pack": {}}} for blob in json.loads(seen.body)["objects"]]
        pack = {"href": f"{server.url}/pack?x=1", "header": {}}
        return Answer(body=json.dumps({"transfer": "aimd-pack", "aimd_pack": pack, "objects": objects}).encode())
    return Answer(body=stream, cut=cut)


def stream_of(*contents: bytes) -> bytes:
    frames = [frame_header(pointer_of(content).oid, len(content)) + content for content in contents]
    return MAGIC + b"".join(frames) + end_frame(len(contents))


def test_a_cut_pack_gives_what_came_before_and_then_the_rest(tmp_path: Path, store: BlobStore) -> None:
    contents = [b"%d" % number * 500 for number in range(10, 60)]

    def answer(server: Hostile, seen: Seen) -> Answer:
        if "batch" in seen.path:
            return packed(server, seen, b"")
        wanted = [content for content in contents if pointer_of(content).oid in seen.body.decode()]
        whole = stream_of(*wanted)
        return Answer(body=whole, cut=len(whole) // 2 if len(wanted) == len(contents) else None)

    seen = download(tmp_path, store, contents, answer)
    assert all(store.read(pointer_of(content).oid) == content for content in contents)
    asked = [len(json.loads(one.body)["oids"]) for one in seen if "pack" in one.path]
    assert len(asked) == 2 and asked[1] < len(contents)


@pytest.mark.parametrize(
    "stream", [b"", b"junk" * 10, stream_of(SMALL)[:-1], stream_of(b"other"), stream_of(SMALL)[:-8]]
)
def test_a_bad_pack_is_refused(tmp_path: Path, store: BlobStore, stream: bytes) -> None:
    with pytest.raises(RemoteError):
        download(tmp_path, store, [SMALL], lambda server, seen: packed(server, seen, stream))


def test_a_damaged_blob_of_ours_is_not_sent_as_good(tmp_path: Path, store: BlobStore) -> None:
    with store.writer() as writer:
        pointer = writer.add_bytes(LARGE)
    path = store.path_of(pointer.oid)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"x" * len(LARGE))

    def answer(seen: Seen) -> Answer:
        return batch(server, seen, "upload") if "batch" in seen.path else Answer(422)

    with hostile(answer) as server:
        session = session_for(tmp_path)
        with pytest.raises(CorruptBlob):
            LfsRemote(session, f"{server.url}/a.git").upload([pointer], store, Silent())
        session.close()


@pytest.mark.parametrize("size", [len(LARGE), 2_500_000])
def test_a_damaged_blob_of_ours_never_arrives_whole(tmp_path: Path, store: BlobStore, size: int) -> None:
    with store.writer() as writer:
        pointer = writer.add_bytes(random.Random(2).randbytes(size))
    path = store.path_of(pointer.oid)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"x" * size)

    def answer(seen: Seen) -> Answer:
        return batch(server, seen, "upload") if "batch" in seen.path else Answer()

    with hostile(answer) as server:
        session = session_for(tmp_path)
        with pytest.raises(CorruptBlob, match="another hash"):
            LfsRemote(session, f"{server.url}/a.git").upload([pointer], store, Silent())
        session.close()
    assert all(len(seen.body) < size for seen in server.seen if seen.method == "PUT")


def test_a_server_that_is_full_says_so(tmp_path: Path, store: BlobStore) -> None:
    with store.writer() as writer:
        pointer = writer.add_bytes(SMALL)

    def answer(seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "upload")
        return Answer(507, b'{"message": "no space left"}')

    with hostile(answer) as server:
        session = session_for(tmp_path)
        with pytest.raises(RemoteRefused, match="no space left"):
            LfsRemote(session, f"{server.url}/a.git").upload([pointer], store, Silent())
        session.close()


@pytest.mark.parametrize("status", [200, 413])
def test_many_blobs_go_in_groups_and_the_first_error_ends_them(tmp_path: Path, store: BlobStore, status: int) -> None:
    contents = [b"%d" % number * 50 for number in range(1100)]
    with store.writer() as writer:
        pointers = [writer.add_bytes(content) for content in contents]
    refused = pointers[777].oid

    def answer(seen: Seen) -> Answer:
        if "batch" in seen.path:
            return batch(server, seen, "upload")
        return Answer(status if refused in seen.path else 200)

    with hostile(answer) as server:
        session = session_for(tmp_path)
        remote = LfsRemote(session, f"{server.url}/a.git")
        if status == 200:
            assert remote.upload(pointers, store, Silent()).blobs == len(pointers)
            assert sum("batch" in seen.path for seen in server.seen) == 11
        else:
            with pytest.raises(RemoteRefused, match="413"):
                remote.upload(pointers, store, Silent())
        session.close()


def test_small_blobs_go_up_together_and_a_refusal_is_told(tmp_path: Path, store: BlobStore) -> None:
    contents = [b"%d" % number * 20_000 for number in range(10, 60)]
    with store.writer() as writer:
        pointers = [writer.add_bytes(content) for content in contents]
    statuses = iter([200, 413])

    def answer(seen: Seen) -> Answer:
        return packed(server, seen, b"") if "batch" in seen.path else Answer(next(statuses))

    with hostile(answer) as server:
        session = session_for(tmp_path)
        remote = LfsRemote(session, f"{server.url}/a.git")
        assert remote.upload(pointers, store, Silent()).size_bytes == sum(pointer.size for pointer in pointers)
        sent = next(seen.body for seen in server.seen if "pack" in seen.path)
        assert sorted(content for _, content in read_frames(BytesIO(sent).read, 1 << 20, "x")) == sorted(contents)
        with pytest.raises(RemoteRefused, match="413"):
            remote.upload(pointers, store, Silent())
        session.close()


def test_what_a_pack_leaves_out_and_what_it_adds_is_refused(tmp_path: Path, store: BlobStore) -> None:
    wanted = [b"one" * 10, b"two" * 10]
    with pytest.raises(ProtocolError, match="did not come"):
        download(tmp_path, store, wanted, lambda server, seen: packed(server, seen, stream_of(wanted[0])))
    with pytest.raises(ProtocolError, match="not asked for"):
        download(tmp_path, store, wanted, lambda server, seen: packed(server, seen, stream_of(*wanted, b"three")))


def test_an_aimd_pack_without_its_address_is_refused(tmp_path: Path, store: BlobStore) -> None:
    with pytest.raises(ProtocolError, match="without its address"):
        download(tmp_path, store, [SMALL], lambda server, seen: each(seen, {"actions": {"aimd-pack": {}}}))


def test_nothing_to_move_is_no_request(tmp_path: Path, store: BlobStore) -> None:
    assert download(tmp_path, store, [], lambda server, seen: Answer(500)) == []
