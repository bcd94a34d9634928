"""The session: where keys go, what is retried, which redirects are followed. Cases C06 to C08 and C14."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import NotAuthorised, RemoteRefused, RemoteUnreachable, UnsafeUrl, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.remote.credentials import Credential, Credentials, KeyFile, check_key
from aimdvc.remote.session import Patience, Session
from aimdvc.remote.urls import artifact_url, check_url, folder_path, is_path, origin_of, shown
from tests.unit.remote.hostile import Answer, Hostile, Seen, hostile

QUICK = Patience(connect_s=2, read_s=2, pause_s=0.01)


def session_for(tmp_path: Path, keys: dict[str, str] | None = None, path: str = "") -> Session:
    file = KeyFile(tmp_path / "keys.json", Disk())
    for origin, key in (keys or {}).items():
        file.set(origin_of(origin), key)
    return Session(Credentials(file, {}, {"PATH": path}), QUICK)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = session_for(tmp_path)
    yield made
    made.close()


def test_a_key_is_sent_to_its_origin_and_not_along_a_redirect(tmp_path: Path) -> None:
    with hostile(lambda seen: Answer(body=b"other")) as other:

        def answer(seen: Seen) -> Answer:
            return Answer(302, headers={"Location": f"{other.url}/elsewhere"})

        with hostile(answer) as first:
            session = session_for(tmp_path, {first.url: "secret-key", other.url: "other-key"})
            assert session.request("GET", f"{first.url}/x", {}).read(100) == b"other"
            assert first.seen[0].headers["authorization"].startswith("Basic ")
            assert "authorization" not in other.seen[0].headers
            session.close()


def test_headers_that_may_hold_a_permission_do_not_follow_a_redirect_to_another_origin(session: Session) -> None:
    headers = {"Authorization": "RemoteAuth x", "X-Token": "y", "Accept": "a/b", "Range": "bytes=1-"}
    with hostile(lambda seen: Answer(302, headers={"Location": f"{first.url}/back"})) as other:

        def answer(seen: Seen) -> Answer:
            moved = {"/x": "/y", "/y": f"{other.url}/z"}.get(seen.path)
            return Answer(302, headers={"Location": moved}) if moved else Answer(body=b"end")

        with hostile(answer) as first:
            session.send("GET", f"{first.url}/x", headers, with_key=False).close()
    same, again, back = first.seen
    assert same.headers["x-token"] == again.headers["x-token"] == "y"
    assert again.headers["authorization"] == "RemoteAuth x"
    for late in (other.seen[0], back):
        assert not {"authorization", "x-token"} & late.headers.keys()
        assert (late.headers["accept"], late.headers["range"]) == ("a/b", "bytes=1-")


def test_redirects_end(session: Session) -> None:
    with hostile(lambda seen: Answer(302, headers={"Location": "/again"})) as server:
        with pytest.raises(RemoteRefused, match="more than 5 redirects"):
            session.request("GET", f"{server.url}/x", {})
        assert len(server.seen) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/x", "http://us er@host/", "gopher://x/"])
def test_redirects_away_from_http_are_refused(session: Session, target: str) -> None:
    with hostile(lambda seen: Answer(302, headers={"Location": target})) as server, pytest.raises(UnsafeUrl):
        session.request("GET", f"{server.url}/x", {})


def test_a_body_is_not_sent_along_a_redirect_that_changes_the_method(session: Session) -> None:
    with hostile(lambda seen: Answer(302, headers={"Location": "/moved"})) as server, pytest.raises(RemoteRefused):
        session.request("POST", f"{server.url}/x", {}, b"body")


def test_errors_that_pass_are_retried(session: Session) -> None:
    with hostile(lambda seen: Answer(503 if len(server.seen) < 3 else 200, b"ok")) as server:
        assert session.request("GET", f"{server.url}/x", {}).read(10) == b"ok"
        assert len(server.seen) == 3


def test_errors_that_stay_end(session: Session) -> None:
    with hostile(lambda seen: Answer(500)) as server, pytest.raises(RemoteRefused, match="500"):
        session.request("GET", f"{server.url}/x", {})
    assert len(server.seen) == 5


def test_what_must_not_be_repeated_is_not(session: Session) -> None:
    with hostile(lambda seen: Answer(500)) as server, pytest.raises(RemoteRefused):
        session.request("POST", f"{server.url}/x", {}, iter([b"a"]), is_repeatable=False)
    assert len(server.seen) == 1


@pytest.mark.parametrize("value", ["-5", "soon", "1e9", "²", "Thu, 01 Jan 1970 00:00:00 GMT", "0"])
def test_an_odd_retry_after_does_not_make_us_wait_for_ever(session: Session, value: str) -> None:
    start_s = time.monotonic()
    with hostile(lambda seen: Answer(429 if len(server.seen) < 2 else 200, headers={"Retry-After": value})) as server:
        session.request("GET", f"{server.url}/x", {}).close()
    assert time.monotonic() - start_s < 5


def test_a_server_that_is_not_there(session: Session) -> None:
    with pytest.raises(RemoteUnreachable, match="can't be reached"):
        session.request("GET", "http://127.0.0.1:1/x", {})


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """Case C13: a connection that hangs half open."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = Session(Credentials(KeyFile(tmp_path / "keys.json", Disk()), {}, {}), Patience(2, 0.1, 0.01))
        start_s = time.monotonic()
        with pytest.raises(RemoteUnreachable, match="no answer for too long"):
            made.request("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/x", {})
        assert time.monotonic() - start_s < 10
        made.close()


def test_a_wrong_key_is_said_without_the_key(tmp_path: Path) -> None:
    with hostile(lambda seen: Answer(401, b'{"message": "no"}')) as server:
        session = session_for(tmp_path, {server.url: "very-secret"})
        with pytest.raises(NotAuthorised) as caught:
            session.request("GET", f"{server.url}/x", {})
        assert "very-secret" not in str(caught.value) + caught.value.hint
        session.close()


def test_a_key_is_never_sent_over_plain_http_to_another_machine(tmp_path: Path) -> None:
    session = session_for(tmp_path, {"http://example.org": "key"})
    with pytest.raises(UnsafeUrl, match="https only"):
        session.request("GET", "http://example.org/x", {})


def test_git_credential_helpers_are_asked_and_told(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    helper = tmp_path / "helper.sh"
    helper.write_text(
        f'#!/bin/sh\necho "$1" >> {told}\n[ "$1" = get ] && echo username=me && echo password=pw\nexit 0\n'
    )
    helper.chmod(0o755)
    (home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")

    def answer(seen: Seen) -> Answer:
        return Answer(200 if "authorization" in seen.headers else 401, b"in")

    with hostile(answer) as server:
        session = Session(Credentials(KeyFile(tmp_path / "keys.json", Disk()), {}, dict(os.environ)), QUICK)
        assert session.request("GET", f"{server.url}/x", {}).read(10) == b"in"
        assert session.request("GET", f"{server.url}/y", {}).read(10) == b"in"
        session.close()
    assert told.read_text().split() == ["get", "store"]
    assert len(server.seen) == 3


def test_a_credential_is_not_shown() -> None:
    assert "pw" not in repr(Credential("me", "pw"))


@pytest.mark.parametrize("key", ["", " ", "a b", "a\nb", "ü", "x" * 5000])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(UsageError):
        check_key(key)


def test_the_key_file_survives_and_is_private(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "deep" / "keys.json", Disk())
    file.set("https://a:443", "one")
    file.set("https://b:443", "two")
    assert file.remove("https://a:443") and not file.remove("https://a:443")
    assert file.read() == {"https://b:443": "two"}
    assert (tmp_path / "deep" / "keys.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "deep" / "keys.json").write_text("[]")
    with pytest.raises(UsageError):
        file.read()


REFUSED = ["", "ssh://host/x", "git@host:x", "https://", "http:///x", "https://u:p@h/", "https://u@h/", "ext::sh"]
REFUSED += ["https://h/%0a\n", "https://h\\evil/", "https://h:0/", "https://h:99999/", "file://host/x", "https://h/?q"]
REFUSED += ["http://[::1/x", "https://h%0ahost=evil/x", "https://h%0d/x", "https://h%00/x", "https://trusted@evil/x"]
REFUSED += ["https:///x", "file:///a%00b", "https://h\nhost=evil/"]


@pytest.mark.parametrize("url", REFUSED)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(UnsafeUrl):
        check_url(url)


def test_urls_that_are_allowed() -> None:
    for url in ("https://h", "http://h:8080/a/b", "file:///srv/x", "/srv/x", "../x", "./x", "~/x", "https://[::1]:8/x"):
        check_url(url)
    assert is_path("/a:b") and is_path("a/b:c") and not is_path("https://x")
    assert origin_of("HTTPS://Example.org/x") == "https://example.org:443"
    assert artifact_url("https://h/team/", "a b") == "https://h/team/a%20b.git"
    assert folder_path("file:///a%20b/c.git") == Path("/a b/c.git")
    assert shown("https://u:p@h/x?signature=1#f") == "https://h/x"


def test_a_refusal_shows_what_the_server_said_in_one_line(session: Session) -> None:
    with hostile(lambda seen: Answer(422, json.dumps({"message": "no\nway\x1b[31m"}).encode())) as server:
        with pytest.raises(RemoteRefused) as caught:
            session.request("GET", f"{server.url}/x", {})
        assert "no way [31m" in caught.value.message
    assert isinstance(server, Hostile)
