"""A server that means no good, or is none: nothing is written outside, no key given away, and the fault is its own."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import aimdvc
from aimdvc.errors import AimdvcError, CorruptRepository, ProtocolError, UnsafePath
from aimdvc.git.kinds import BLOB, TREE
from aimdvc.server.embedded import EmbeddedServer
from tests.planting import plant, plant_version, tree_line

KEY = "6c7b0000-0000-4000-8000-000000000000"
NODE = "d1ce0000-0000-4000-8000-000000000000"


class Hostile:
    """A server that gives one answer to all that is asked, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: Any = {"user": "ada"}
        self.redirect: tuple[int, str] | None = None
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.headers.append(dict(self.headers))
                body = json.dumps(outer.answer).encode()
                self.send_response(outer.redirect[0] if outer.redirect else 200)
                if outer.redirect:
                    self.send_header("Location", outer.redirect[1] + self.path)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_GET  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    monkeypatch.chdir(tmp_path)
    made = Hostile()
    aimdvc.login(made.url, KEY)
    yield made
    made.close()


def calls(host: str) -> Iterator[Any]:
    """Yields what asks a server, one call after the other."""
    artifact = aimdvc.create_artifact("x", "t")
    yield artifact.upload
    yield lambda: artifact.upload(folder_id=NODE)
    yield lambda: aimdvc.grab_artifact(artifact_ref="default/x")
    yield lambda: aimdvc.grab_artifact(artifact_ref=f"{NODE}:v1")
    yield lambda: aimdvc.grab_artifact(artifact_id=NODE)
    trial = aimdvc.create_trial()
    trial.finish()
    yield trial.upload
    yield lambda: trial.upload(folder_id=NODE)
    remote = [{"host": host, "path": "/default/x", "version": "v1"}]
    closed = artifact.to_dict() | {"commit": "0" * 40, "version": "v1", "_remote": remote}
    artifact.parse_from_dict(closed)
    yield artifact.versions
    yield artifact.download


VALUES = ("user", "path", "id", "commit", "version", "metadata", "versions", "doc", "counts", "next_cursor")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [1],
        dict.fromkeys(VALUES, 5),
        {name: {} for name in VALUES},
        {"user": "ada", "path": "../../etc", "id": NODE, "commit": "0" * 40, "metadata": {"folder": NODE}, "doc": {}}
        | {"versions": [{"version": 1}]},
    ],
)
def test_an_answer_that_is_none_is_the_server_s_fault_in_every_call(
    hostile: Hostile, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hostile.answer = answer
    for call in calls(hostile.url):
        with pytest.raises(AimdvcError) as caught:
            call()
        assert isinstance(caught.value, ProtocolError) or "neither this machine nor" in caught.value.message
        assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert hostile.url in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_key_follows_a_redirect_to_another_host(hostile: Hostile, status: int) -> None:
    other = Hostile()
    try:
        hostile.redirect = status, other.url
        for call in calls(hostile.url):
            with pytest.raises(AimdvcError):
                call()
        assert all("Authorization" in headers for headers in hostile.headers)
        assert other.headers
        assert not any("Authorization" in headers or KEY in str(headers) for headers in other.headers)
    finally:
        other.close()


@pytest.mark.parametrize("name", [b"..", b".git"])
def test_a_key_that_leads_elsewhere_is_taken_from_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "data"))
    with EmbeddedServer(tmp_path / "srv") as server:
        aimdvc.login(server.url, server.admin_key)
        with aimdvc.create_artifact("x", "t") as first:
            (tmp_path / "x").write_bytes(b"x")
            first.add_file("x")
        artifact = aimdvc.grab_artifact(artifact_ref="default/x")
        (repository,) = (path.parent for path in (tmp_path / "data").rglob("HEAD"))
        inner = plant(repository, TREE, tree_line(b"100644", b"config", plant(repository, BLOB, b"hostile")))
        commit = plant_version(repository, tree_line(b"40000", name, inner), "refs/heads/hostile")
        good = aimdvc.create_artifact("good", "t")
        artifact.parse_from_dict(artifact.to_dict() | {"commit": commit})
        for call in (
            lambda: artifact.objects,
            lambda: list(artifact.files()),
            artifact.download,
            artifact.local_path,
            lambda: artifact.local_path(f"{name.decode()}/config"),
            lambda: artifact.open(f"{name.decode()}/config"),
            lambda: artifact.diff(good),
        ):
            with pytest.raises((UnsafePath, CorruptRepository)):
                call()
