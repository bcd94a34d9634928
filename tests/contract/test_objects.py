"""Object storage behind its interface: what all kinds do alike, and how a service that fails is met."""

import http.client
import http.server
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.errors import Busy, StorageError
from aimdvc.server.bucket_upload import PART_BYTES, put_stream
from aimdvc.server.limiting import Limited
from aimdvc.server.objects import Objects, Unavailable
from aimdvc.server.retrying import TRIES, Retrying
from aimdvc.server.s3 import S3Objects, parse_s3_url
from tests.buckets import BucketServer

Act = Callable[[Objects], object]


@pytest.fixture(params=["nanio", "moto"])
def bucket(request: pytest.FixtureRequest) -> BucketServer:
    made: BucketServer = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["bare", "wrapped"])
def objects(request: pytest.FixtureRequest, bucket: BucketServer) -> Objects:
    made = S3Objects(parse_s3_url(bucket.bucket()))
    return made if request.param == "bare" else Limited(Retrying(made), 4)


def test_what_was_put_is_got(objects: Objects) -> None:
    for content in (b"", b"x", bytes(range(256)) * 5000):
        objects.put("a/b c+é", content)
        assert b"".join(objects.get("a/b c+é")) == content
        objects.put("a/file", io.BytesIO(content))
        assert objects.size("a/file") == len(content)
    assert b"".join(objects.get("a/file", 10, 20)) == content[10:20]
    assert b"".join(objects.get("a/file", len(content) - 3)) == content[-3:]
    assert b"".join(objects.get("a/file", 5, 5)) == b""


def test_nothing_is_a_key_error_and_no_size(objects: Objects) -> None:
    assert objects.size("no") is None
    with pytest.raises(KeyError):
        next(objects.get("no"))
    with pytest.raises(KeyError):
        objects.copy("no", "other")
    objects.delete(["no"])


def test_copies_and_listings(objects: Objects) -> None:
    for number in range(5):
        objects.put(f"l/{number}", b"x" * number)
    objects.copy("l/3", "m/copy")
    objects.delete(["l/1", "l/no"])
    found = list(objects.iter_keys("l/"))
    assert [(one.key, one.size) for one in found] == [("l/0", 0), ("l/2", 2), ("l/3", 3), ("l/4", 4)]
    assert all(abs(one.written_s - time.time()) < 600 for one in found)
    assert b"".join(objects.get("m/copy")) == b"xxx"


def test_parts_become_one(objects: Objects, tmp_path: Path) -> None:
    content = bytes(range(251)) * (2 * PART_BYTES // 251 + 9)
    chunks = (content[at : at + 100_000] for at in range(0, len(content), 100_000))
    put_stream(objects, "parts", chunks, len(content), tmp_path)
    assert b"".join(objects.get("parts")) == content
    assert list(objects.iter_begun("")) == []


def test_what_breaks_off_leaves_nothing(objects: Objects, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * (PART_BYTES + 1)
        yield b"y"
        raise ValueError

    with pytest.raises(ValueError):
        put_stream(objects, "broken", broken(), 3 * PART_BYTES, tmp_path)
    assert objects.size("broken") is None
    assert list(objects.iter_begun("")) == []
    upload = objects.begin("begun")
    assert [(key, one) for key, one, _ in objects.iter_begun("beg")] == [("begun", upload)]
    objects.abort("begun", upload)
    objects.abort("begun", upload)


@contextmanager
def failing(bucket: BucketServer, fail: Callable[[int], str]) -> Iterator[str]:
    """A proxy before a bucket; `fail` says of each request what it does: "", "503", "500", "lose" or "cut"."""
    count = iter(range(10_000))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            what = fail(next(count))
            if what.isdigit():
                told = b"<Error><Code>SlowDown</Code></Error>" if what == "503" else b""
                self._answer(int(what), [], told)
                return
            forward = http.client.HTTPConnection("127.0.0.1", bucket.port, timeout=20)
            forward.request(self.command, self.path, body, dict(self.headers.items()))
            reply = forward.getresponse()
            content = reply.read()
            forward.close()
            if what == "lose":
                self.close_connection = True
                return
            headers = [(n, v) for n, v in reply.getheaders() if n.lower() not in ("transfer-encoding", "connection")]
            if what == "cut" and len(content) > 100_000:
                self._answer(reply.status, headers, content[:100_000])
                self.close_connection = True
                return
            self._answer(reply.status, headers, content)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if not any(name.lower() == "content-length" for name, _ in headers):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def through(bucket: BucketServer, endpoint: str) -> S3Objects:
    return S3Objects(parse_s3_url(bucket.bucket().replace(bucket.endpoint, endpoint)))


@pytest.mark.parametrize("what", ["503", "500", "lose"])
def test_a_service_that_fails_now_and_then_is_asked_again(nanio: BucketServer, tmp_path: Path, what: str) -> None:
    content = b"0123456789abcdef" * 1_100_000
    with failing(nanio, lambda number: what if number % 3 == 0 else "") as endpoint:
        objects = Retrying(through(nanio, endpoint), lambda _: None)
        put_stream(objects, "a", iter([content[:9_000_000], content[9_000_000:]]), len(content), tmp_path)
        objects.copy("a", "b")
        assert b"".join(objects.get("b")) == content
        assert [one.key for one in objects.iter_keys("")] == ["a", "b"]
        objects.delete(["a"])
        assert objects.size("a") is None


def test_a_download_that_breaks_off_goes_on_where_it_was(nanio: BucketServer) -> None:
    content = b"0123456789abcdef" * 30_000
    with failing(nanio, lambda number: "cut" if number % 3 else "") as endpoint:
        objects = Retrying(through(nanio, endpoint), lambda _: None)
        objects.put("a", content)
        assert b"".join(objects.get("a")) == content
        assert b"".join(objects.get("a", 7, 400_000)) == content[7:400_000]


def test_a_service_that_stays_away_is_given_up(nanio: BucketServer) -> None:
    waited: list[float] = []
    with failing(nanio, lambda number: "503") as endpoint:
        objects = Retrying(through(nanio, endpoint), waited.append)
        for act in (lambda: objects.put("a", b"x"), lambda: next(objects.get("a")), lambda: objects.delete(["a"])):
            with pytest.raises(Unavailable):
                act()
    assert len(waited) == 3 * (TRIES - 1)
    assert max(waited) < 3
    with pytest.raises(Unavailable):
        Retrying(through(nanio, "http://127.0.0.1:9"), waited.append).size("a")


def test_what_trying_again_does_not_mend_is_not_tried_again(
    nanio: BucketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = parse_s3_url(nanio.bucket())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    waited: list[float] = []
    with pytest.raises(StorageError) as raised:
        Retrying(S3Objects(place), waited.append).put("a", b"x")
    assert not waited and "another" not in str(raised.value)


def test_no_more_calls_run_than_there_are_places(nanio: BucketServer) -> None:
    objects = Limited(S3Objects(parse_s3_url(nanio.bucket())), 1, 0.1)
    objects.put("a", b"x" * 600_000)
    reading = objects.get("a")
    next(reading)
    with pytest.raises(Busy):
        objects.size("a")
    reading.close()  # type: ignore[attr-defined]
    assert objects.size("a") == 600_000
    assert urlsplit(objects.href("GET", "a", 0, 60)).path.endswith("/some/prefix/a")
