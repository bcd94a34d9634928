"""What a WSGI server may hand to the application: each odd request gets an answer of ours."""

import base64
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aimdvc.errors import Busy, CorruptRepository, DiskFull, StorageError
from aimdvc.server.app import Application
from aimdvc.server.site import Location, Site, open_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = open_site(Location(tmp_path / "srv"))
    yield made
    made.close()


def ask(site: Site, **environ: object) -> tuple[int, Mapping[str, str], bytes]:
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        told.extend((int(status[:3]), dict(headers)))
        return None

    usual = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/a.git/info/refs",
        "QUERY_STRING": "",
        "wsgi.input": io.BytesIO(),
        "HTTP_HOST": "h:1",
    }
    body = b"".join(Application(site)({**usual, **environ}, start_response))
    return told[0], told[1], body


ODD: dict[str, tuple[dict[str, object], int]] = {
    "a path that is no UTF-8": ({"PATH_INFO": "/\xff"}, 400),
    "a path with a line end": ({"PATH_INFO": "/a\nb"}, 400),
    "a path with a backslash": ({"PATH_INFO": "/a\\b"}, 400),
    "a path beyond Latin-1": ({"PATH_INFO": "/\u20ac"}, 400),
    "dots in the path": ({"PATH_INFO": "/../a.git/info/refs"}, 400),
    "a long path": ({"PATH_INFO": "/" + "a" * 5000}, 401),
    "a key twice in the query": ({"QUERY_STRING": "service=a&service=b"}, 400),
    "many keys in the query": ({"QUERY_STRING": "&".join(f"k{number}=1" for number in range(50))}, 400),
    "a query that is no UTF-8": ({"QUERY_STRING": "service=%ff"}, 400),
    "a length that is a word": ({"CONTENT_LENGTH": "many"}, 400),
    "a negative length": ({"CONTENT_LENGTH": "-1"}, 400),
    "a length without end": ({"CONTENT_LENGTH": "9" * 30}, 400),
    "another script's digits": ({"CONTENT_LENGTH": "\u0661"}, 400),
    "a host that is none": ({"HTTP_HOST": "a/b@c"}, 400),
    "an encoding nobody knows": ({"HTTP_CONTENT_ENCODING": "br"}, 415),
    "a large header": ({"HTTP_AUTHORIZATION": "x" * 100_000}, 431),
    "another method": ({"REQUEST_METHOD": "DELETE"}, 405),
    "no key": ({}, 401),
    "a key that is none": ({"HTTP_AUTHORIZATION": "Basic !!!"}, 401),
    "nothing there": ({"PATH_INFO": "/"}, 401),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_request_is_answered(site: Site, kind: str) -> None:
    environ, status = ODD[kind]
    found, headers, body = ask(site, **environ)
    assert found == status
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"Traceback" not in body


def test_whether_it_lives_is_told_to_anybody(site: Site) -> None:
    assert ask(site, PATH_INFO="/healthz")[::2] == (200, b"ok\n")


FAILURES = [
    (Busy("the database"), 503, b"busy"),
    (DiskFull("/srv/secret", "no space left"), 507, b"no space"),
    (StorageError("/srv/secret", "input/output error"), 503, b"storage failed"),
    (CorruptRepository("/srv/secret", "is gone"), 500, b"the server failed"),
    (RuntimeError("/srv/secret"), 500, b"the server failed"),
]


@pytest.mark.parametrize(("error", "status", "said"), FAILURES)
@pytest.mark.parametrize("path", ["/a.git/info/refs", "/a.git/info/lfs/locks"])
def test_a_failure_is_told_without_what_is_inside(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: bytes, path: str
) -> None:
    def fail(key: str) -> None:
        raise error

    monkeypatch.setattr(site.accounts, "caller", fail)
    found, headers, body = ask(site, PATH_INFO=path, HTTP_AUTHORIZATION="Basic eDprZXk=")
    assert found == status and said in body
    assert b"secret" not in body and "X-Request-Id" in headers


class Broken(io.RawIOBase):
    """A body that breaks off."""

    def read(self, size: int = -1) -> bytes:
        raise OSError("gone")


@pytest.mark.parametrize("source", [Broken(), io.BytesIO(b"")])
def test_a_body_that_breaks_off_is_400(site: Site, source: io.IOBase) -> None:
    key = site.accounts.first_start()
    assert key is not None
    authorization = "Basic " + base64.b64encode(f"x:{key}".encode()).decode()
    found, _, _ = ask(
        site,
        REQUEST_METHOD="POST",
        PATH_INFO="/a.git/info/lfs/objects/batch",
        CONTENT_LENGTH="10",
        CONTENT_TYPE="application/vnd.git-lfs+json",
        HTTP_ACCEPT="application/vnd.git-lfs+json",
        HTTP_AUTHORIZATION=authorization,
        **{"wsgi.input": source},
    )
    assert found == 400
