"""Hostile requests to every route of the table: odd paths, odd JSON, odd verbs, line ends. A new one is asked, too."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from aimdvc.server.access_log import AccessLog
from aimdvc.server.app import Application
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.granian_backend import GranianBackend
from aimdvc.server.limits import Limits
from aimdvc.server.observing import Observer
from aimdvc.server.routes import ROUTES
from aimdvc.server.routing import Route
from aimdvc.server.schema import metadata, nodes
from aimdvc.server.site import Location, open_site
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, Reply
from tests.contract.test_server_matrix import OID, SAMPLES, Place, Sample

HEADERS = {
    *("content-type", "content-length", "cache-control", "x-content-type-options", "referrer-policy", "x-request-id"),
    *("www-authenticate", "lfs-authenticate", "allow", "etag", "accept-ranges", "content-range", "retry-after"),
    *("date", "server", "connection", "content-disposition", "location"),
    *("tus-resumable", "tus-version", "upload-offset", "upload-length"),
}
SEGMENTS = (
    *("..", ".", "%2e%2e", "%252e%252e", "..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "..%5c..%5cx", "..\\x"),
    *("a%00b", "..%23", "..%3f", "..;x", ";", "%ef%bc%8f..", "..%e2%88%95..", "%c0%ae%c0%ae", "..%c0%af", "%ff"),
    *("file:%2f%2f%2fetc%2fpasswd", "C:%5cx", "~root", ".git", "%2egit", "%0d%0aX-Evil:%201", "a%0ab", "%e2%80%ae"),
)
"""What stands in the place of a name in a path; percent-encoded as it goes over the wire."""

TEXTS = ("../../etc/passwd", "..", "/etc/passwd", "a/../../b", "..\\..\\x", "a\0b", "file:///etc/passwd", "%2e%2e/..")
"""The same in a query and in JSON."""

LABELS = {
    ("POST", "/api/v1/keys", "name"),
    ("PUT", "/api/v1/refs/{path}", "reason"),
    ("POST", "/{artifact}/info/lfs/locks/verify", "cursor"),
}
"""Texts that are no names: what a key is called, why a ref moved, where a page begins."""


@cache
def place_of(server: EmbeddedServer) -> Place:
    return Place(server)


@pytest.fixture
def place(shared: EmbeddedServer) -> Place:
    return place_of(shared)


@pytest.fixture
def admin(shared: EmbeddedServer) -> Client:
    return Client(shared.url, shared.admin_key)


def ask(client: Client, route: Route, sample: Sample, url: str | None = None, body: bytes | None = None) -> Reply:
    sent = sample.body if body is None else body
    reply = client.request(route.method, url or sample.url, sent, {"Content-Type": sample.kind} if sent else {})
    assert set(reply.headers) <= HEADERS, reply.headers
    # Case S23: what a page is told of an href that led to it.
    assert (reply.headers["referrer-policy"], reply.headers["x-content-type-options"]) == ("no-referrer", "nosniff")
    assert reply.status < 500 or is_missing(route, reply), (route, url, body, reply.body)
    return reply


def is_missing(route: Route, reply: Reply) -> bool:
    """Returns whether an answer says that something is not there, as the clients of this route read it."""
    errors = route.errors
    return errors is not None and (reply.status, reply.body) == (errors.status, errors.text.encode())


def samples(place: Place) -> Iterator[tuple[Route, Sample]]:
    for route in ROUTES:
        yield route, SAMPLES[route.method, route.path](place, "alice")


def names_of(server: EmbeddedServer) -> set[str]:
    with server.site.database.read() as connection:
        return set(connection.scalars(nodes.select().with_only_columns(nodes.c.name)))


@pytest.mark.timeout(120)
def test_no_path_of_any_route_leads_out(shared: EmbeddedServer, place: Place, admin: Client) -> None:
    before = names_of(shared)
    for route in ROUTES:
        for bad in SEGMENTS:
            for name in route.params:
                parts = {"artifact": f"alice/data/{bad}", "path": f"alice/data/{bad}"}.get(name, bad)
                fine = {"artifact": "alice/data/a", "path": "alice/data", "oid": OID}
                url = route.path
                for other in route.params:
                    url = url.replace(f"{{{other}}}", parts if other == name else fine.get(other, "alice"))
                sample = SAMPLES[route.method, route.path](place, "alice")
                reply = ask(
                    admin, route, sample, url + ("?" + sample.url.partition("?")[2] if "?" in sample.url else "")
                )
                assert 400 <= reply.status < 500 or is_missing(route, reply), (route.method, url, reply.status)
                assert b"root:" not in reply.body
    made = {name for name in names_of(shared) - before if not re.fullmatch(r"x\d+", name)}
    assert made == set()


def test_no_text_in_a_query_or_in_json_leads_out(shared: EmbeddedServer, place: Place, admin: Client) -> None:
    before = names_of(shared)
    for route in ROUTES:
        for bad in TEXTS:
            sample = SAMPLES[route.method, route.path](place, "alice")
            for name in route.query:
                reply = ask(admin, route, sample, f"{sample.url.partition('?')[0]}?{name}={quote(bad, safe='')}")
                assert b"root:" not in reply.body
            for name in texts_of(route):
                fields = {**json.loads(sample.body or b"{}"), name: bad}
                reply = ask(admin, route, sample, body=json.dumps(fields).encode())
                is_label = (route.method, route.path, name) in LABELS and "\0" not in bad
                assert 400 <= reply.status < 500 or is_label or is_missing(route, reply), (
                    route.method,
                    route.path,
                    name,
                    bad,
                )
    assert {name for name in names_of(shared) - before if not re.fullmatch(r"x\d+", name)} == set()


def schema_of(route: Route) -> dict[str, Any]:
    has_one = route.body is not None and route.body.schema is not None
    return dict(json.loads(route.body.schema)["properties"]) if has_one and route.body and route.body.schema else {}


def texts_of(route: Route) -> list[str]:
    """Returns the fields of a route's JSON that take any text."""
    return [name for name, schema in schema_of(route).items() if schema.get("type") == "string"]


def test_no_verb_falls_through_to_another(shared: EmbeddedServer, place: Place, admin: Client) -> None:
    known = {(route.method, route.path) for route in ROUTES}
    verbs = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "LINK", "get", "POST1")
    before = names_of(shared), len(shared.site.accounts.list_keys())
    for route, sample in list(samples(place)):
        now = names_of(shared), len(shared.site.accounts.list_keys())
        for verb in verbs:
            if (verb, route.path) not in known and (verb, sample.url.partition("?")[0]) not in known:
                reply = admin.request(verb, sample.url, sample.body, {"Content-Type": sample.kind})
                assert 400 <= reply.status <= 501 and reply.status != 500, (verb, sample.url, reply.status)
        assert (names_of(shared), len(shared.site.accounts.list_keys())) == now
    assert before[0] <= names_of(shared)


DEEP = 100_000


def broken(limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Yields what is no JSON that anything may be made of."""
    yield "no JSON", b"{"
    yield "empty", b""
    yield "no object", b"[]"
    yield "NaN", b'{"name": NaN}'
    yield "Infinity", b'{"name": -Infinity}'
    yield "twice", b'{"name": "a", "name": "b"}'
    yield "twice, deep", b'{"name": [{"a": 1, "a": 2}]}'
    yield "half a pair", b'{"name": "\\ud800"}'
    yield "half a pair as a name", b'{"\\udc00": 1}'
    yield "half a pair in bytes", b'{"name": "\xed\xa0\x80"}'
    yield "NUL", b'{"name": "a\\u0000b"}'
    yield "no UTF-8", b'{"name": "\xff"}'
    yield "UTF-16", '{"name": "a"}'.encode("utf-16")
    yield "digits", b'{"name": ' + b"9" * 100_000 + b"}"
    yield "exponent", b'{"name": 1e999999999}'
    yield "deep lists", b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    yield "deep objects", b'{"name": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}"
    yield "deep and open", b"[" * DEEP
    yield "large", b'{"name": "' + b"x" * limits.json_bytes + b'"}'


def test_what_is_no_json_is_refused_by_every_route(shared: EmbeddedServer, place: Place, admin: Client) -> None:
    for route, sample in list(samples(place)):
        if route.body is None or route.body.schema is None:
            continue
        for what, raw in broken(shared.site.limits):
            reply = ask(admin, route, sample, body=raw or b" ")
            # AIMD's clients write a loss that diverged as Python does; there it is a text.
            taken = (200,) if what in ("NaN", "Infinity") and route.body.takes_constants else ()
            assert reply.status in (400, 413, 422, *taken), (route.method, route.path, what, reply.status)


def test_json_of_wrong_types_makes_no_route_fail(place: Place, admin: Client) -> None:
    odd: tuple[object, ...] = (
        None,
        True,
        [],
        {},
        [{}],
        -1,
        0,
        2**63,
        10**400,
        1e308,
        -1.5,
        "",
        "x" * 5000,
        "\u202e\x1b",
    )
    for route in ROUTES:
        for name in schema_of(route):
            for value in odd:
                sample = SAMPLES[route.method, route.path](place, "alice")
                fields = {**json.loads(sample.body or b"{}"), name: value}
                ask(admin, route, sample, body=json.dumps(fields).encode())


def test_no_page_is_larger_than_pages_are(place: Place, admin: Client) -> None:
    """Case S31: whatever limit and cursor are asked for."""
    made = Made()
    commit = made.commit(made.tree([(b"100644", b"%05d" % number, made.blob(b"")) for number in range(1500)]))
    admin.push("pages", [(None, commit, MAIN)], made.pack())
    paged = [route for route in ROUTES if {"limit", "cursor", "after"} & set(route.query)]
    assert {route.path.split("/")[3] for route in paged} >= {"audit", "versions", "moves", "objects", "diff"}
    for route in paged:
        url = route.path.replace("{path}", "admin/pages").replace("{artifact}", "admin/pages")
        more = "".join(f"&{name}=main" for name in ("version", "old", "new") if name in route.query)
        for name in {"limit", "cursor", "after"} & set(route.query):
            for value in ("1000000000", "-1", "0", "", "x", "1e9", str(2**64), "9" * 5000, "%00", "0x10", "\u0661"):
                reply = admin.request("GET", f"{url}?{name}={quote(value, safe='%')}{more}")
                assert reply.status in (200, 304, 400, 404, 413, 414, 422, 431), (url, name, value)
                if reply.status == 200:
                    assert all(len(found) <= 1000 for found in reply.json().values() if isinstance(found, list))


def test_a_line_end_in_a_name_makes_no_header_and_no_line_of_the_log(tmp_path: Path) -> None:
    site = open_site(Location(tmp_path / "srv"))
    key = site.accounts.first_start()
    application = Application(site, Observer(log=AccessLog(tmp_path / "log")))
    backend = GranianBackend(application, "127.0.0.1", 0, 8)
    try:
        asked = ask_with_line_ends(Client(f"http://127.0.0.1:{backend.port}", key))
    finally:
        backend.stop()
        application.close()
    lines = (tmp_path / "log").read_bytes().split(b"\n")
    assert lines.pop() == b""
    told = [json.loads(line) for line in lines]
    assert len(told) == asked
    missing = {
        (route.method, route.path) for route in ROUTES if route.errors is not None and route.errors.status == 500
    }
    assert all(line["status"] < 500 or (line["method"], line["route"]) in missing for line in told)
    assert all("id" in line for line in told)


def ask_with_line_ends(client: Client) -> int:
    """Asks every route with line ends in each part of its URL and in its body; returns how many requests that were."""
    evil, asked = "%0d%0aX-Evil:%20yes%0d%0a%0d%0a{}", 0
    for route in ROUTES:
        path = re.sub(r"\{[a-z_]+\}", "a", route.path)
        urls = [f"{path}{evil}", path.replace("/a", f"/a{evil}"), re.sub(r"\{[a-z_]+\}", evil, route.path)]
        urls += [f"{path}?{name}={evil}" for name in route.query]
        bodies: list[bytes | None] = [
            *(json.dumps({name: "a\r\nX-Evil: yes\n"}).encode() for name in texts_of(route))
        ] or [None]
        for url in urls:
            for body in bodies:
                kind = route.body.media_types[0] if route.body is not None else "text/plain\t; x"
                reply = client.request(route.method, url, body, {"Content-Type": kind})
                asked += 1
                assert "x-evil" not in reply.headers and set(reply.headers) <= HEADERS
                assert all("\r" not in value and "\n" not in value for value in reply.headers.values())
    return asked


def test_an_error_tells_nothing_of_the_inside(tmp_path: Path) -> None:
    """Case S33: with each table gone in turn, every route fails somewhere; no answer tells how."""
    with EmbeddedServer(tmp_path / "srv") as server:
        here = Place(server)
        clients = [Client(server.url, server.admin_key), here.client("alice", "admin")]
        asked = [(route, SAMPLES[route.method, route.path](here, "alice")) for route in ROUTES]
        statuses = set()
        for table in ("refs", "owned_blobs", "locks", "shares", "protections", "audit", "nodes", "members", "keys"):
            assert table in metadata.tables
            with server.site.database.write() as connection:
                connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
                connection.exec_driver_sql(f'ALTER TABLE "{table}" RENAME TO "gone_{table}"')
            for route, sample in asked:
                for client in clients:
                    headers = {"Content-Type": sample.kind} if sample.body else {}
                    reply = client.request(route.method, sample.url, sample.body, headers)
                    statuses.add(reply.status)
                    if reply.status >= 500 and not is_missing(route, reply):
                        assert_silent(reply, str(tmp_path), client.key or "")
            with server.site.database.write() as connection:
                connection.exec_driver_sql(f'ALTER TABLE "gone_{table}" RENAME TO "{table}"')
        assert 500 in statuses


def assert_silent(reply: Reply, place: str, key: str) -> None:
    text = reply.body.decode()
    for word in ("Traceback", 'File "', "SELECT", "INSERT", "sqlite", "sqlalchemy", "no such table", place, key):
        assert word not in text, text
    assert reply.headers["x-request-id"]
    if reply.headers["content-type"].endswith("json"):
        assert json.loads(text) == {"message": "the server failed", "request_id": reply.headers["x-request-id"]}
    else:
        assert text.rstrip("\n") == "the server failed"
