"""Case S26: requests that come twice, and in another order, as a proxy that tries again would send them."""

import json
from functools import cache
from itertools import product

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.routes import ROUTES
from aimdvc.server.routing import Route
from aimdvc.server.schema import metadata
from tests.contract.git_packs import Made
from tests.contract.server_client import LFS, MAIN, Client, Reply, aimd_pack, pointer_of, push_body, report_of
from tests.contract.test_server_matrix import SAMPLES, Place, Sample

VOLATILE = {"used_s", "time_ms", "hash", "created_s", "expires_s", "number"}
MUTATING = [route for route in ROUTES if route.method != "GET" and route.door != "signed"]


@cache
def place_of(server: EmbeddedServer) -> Place:
    return Place(server)


@pytest.fixture
def place(shared: EmbeddedServer) -> Place:
    return place_of(shared)


def state(server: EmbeddedServer) -> dict[str, list[str]]:
    """Returns every row of the database, without what only tells when."""
    found = {}
    with server.site.database.read() as connection:
        for name, table in metadata.tables.items():
            if name != "audit":
                rows = connection.execute(table.select()).mappings()
                found[name] = sorted(str({key: row[key] for key in row if key not in VOLATILE}) for row in rows)
    return found


def send(client: Client, route: Route, sample: Sample, **headers: str) -> Reply:
    kind = {"Content-Type": sample.kind} if sample.body is not None else {}
    return client.request(route.method, sample.url, sample.body, {**kind, **headers})


def test_a_request_that_comes_twice_is_done_once(shared: EmbeddedServer, place: Place) -> None:
    clients = {False: Client(shared.url, shared.admin_key), True: place.client("alice", "write")}
    for route in MUTATING:
        sample = SAMPLES[route.method, route.path](place, "alice")
        client = clients[sample.is_alices]
        key = {"Idempotency-Key": f"{route.method} {sample.url}"} if "keys" in route.path else {}
        first = send(client, route, sample, **key)
        assert first.status == sample.then, (route, first.body)
        once = state(shared)
        again = send(client, route, sample, **key)
        assert again.status in (first.status, 404, 409), (route.method, route.path, again.body)
        assert state(shared) == once, (route.method, route.path)


def test_a_key_is_made_once_by_each_request_that_has_a_name(shared: EmbeddedServer) -> None:
    admin = Client(shared.url, shared.admin_key)
    headers = {"Content-Type": "application/json", "Idempotency-Key": "one"}
    made = [admin.request("POST", "/api/v1/keys", b'{"name": "ci"}', headers) for _ in range(2)]
    assert [reply.status for reply in made] == [201, 409]
    other = Client(shared.url, made[0].json()["key"])
    assert other.request("POST", "/api/v1/keys", b'{"scope": "read"}', headers).status == 403
    assert admin.request("POST", "/api/v1/keys", b"{}", {**headers, "Idempotency-Key": "two"}).status == 201
    assert [admin.request("POST", "/api/v1/keys", b"{}", {"Content-Type": "application/json"}).status] == [201]


def test_requests_in_any_order_make_no_route_fail(shared: EmbeddedServer, shared_by: str, place: Place) -> None:
    """Each after each other one: what the other has made or taken away is there, or is not, and that is all."""
    clients = {False: Client(shared.url, shared.admin_key), True: place.client("alice", "write")}
    # PostgreSQL checks more of what rows say of each other. Two come in both orders, so every other time is enough.
    step = 2 if "postgresql" in shared_by else 5
    for first, second in list(product(MUTATING, repeat=2))[::step]:
        for route in (second, first):
            sample = SAMPLES[route.method, route.path](place, "alice")
            reply = send(clients[sample.is_alices], route, sample)
            assert reply.status < 500, (first, second, reply.body)


def test_transfers_and_pushes_that_come_twice_are_done_once(shared: EmbeddedServer) -> None:
    admin = Client(shared.url, shared.admin_key)
    contents = [b"first\n" * 9, b"second\n" * 20_000]
    asked = admin.batch("twice", "upload", map(pointer_of, contents)).json()["objects"]
    made = Made()
    commits = [made.commit(made.tree([]))]
    commits.append(made.commit(made.tree([]), (commits[0],)))
    pushes = [push_body([(old, new, MAIN)], made.pack()) for old, new in ((None, commits[0]), tuple(commits))]
    kind = {"Content-Type": "application/x-git-receive-pack-request"}
    told: list[list[str]] = []
    states: list[dict[str, list[str]]] = []
    for _ in range(2):
        for blob, content in zip(asked, contents, strict=True):
            message = json.dumps({"oid": blob["oid"], "size": blob["size"]}).encode()
            actions = blob["actions"]
            assert admin.request("PUT", actions["upload"]["href"], content, key=False).status == 200
            assert (
                admin.request("POST", actions["verify"]["href"], message, {"Content-Type": LFS}, key=False).status
                == 200
            )
        packed = admin.batch("twice", "upload", [pointer_of(b"small\n")], "aimd-pack").json()
        if "aimd_pack" in packed:
            href, body = packed["aimd_pack"]["href"], aimd_pack(b"small\n")
        assert admin.request("POST", href, body, {"Content-Type": "application/x-aimd-pack"}, key=False).status == 200
        told.append([report_of(admin.request("POST", "/twice.git/git-receive-pack", push, kind))[1] for push in pushes])
        states.append(state(shared))
    assert told[0] == [f"ok {MAIN}"] * 2
    assert told[1] == [f"ng {MAIN} fetch first"] * 2
    assert states[0] == states[1]
    swapped = [report_of(admin.request("POST", "/other.git/git-receive-pack", push, kind))[1] for push in pushes[::-1]]
    assert swapped == [f"ng {MAIN} it was deleted meanwhile", f"ok {MAIN}"]
