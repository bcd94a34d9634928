"""Quotas: what holds for whom, to the byte, whoever races; and that counters stay true."""

import json
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from aimdvc.model.oid import Oid
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.guard import HttpError
from aimdvc.server.ownership import release
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import nodes, owned_blobs, quotas
from tests.contract.server_client import Client, Reply, aimd_pack, first_version, pointer_of

PACK = {"Content-Type": "application/x-aimd-pack"}
BLOBS = [bytes([at]) * 1000 for at in range(10)]


def used(server: EmbeddedServer) -> dict[str, int]:
    """Returns what each quota uses, once all counters were found to be the sums that they stand for."""
    with server.site.database.read() as connection:
        found = {
            str(row.id): (
                row.size,
                connection.scalar(select(func.coalesce(func.sum(owned_blobs.c.size), 0)).filter_by(artifact=row.id)),
            )
            for row in connection.execute(select(nodes.c.id, nodes.c.size))
        }
        kept = {row.subject: (row.is_user, row.size, row.used) for row in connection.execute(select(quotas))}
    assert all(counter == total for counter, total in found.values()), found
    told = {one.subject: one.used for one in server.site.quotas.read()}
    for quota in server.site.quotas.read():
        server.site.quotas.set(quota.subject, quota.size)
    with server.site.database.read() as connection:
        anew = {row.subject: (row.is_user, row.size, row.used) for row in connection.execute(select(quotas))}
    assert anew == kept
    return told


def hrefs(client: Client, artifact: str, *contents: bytes) -> list[str]:
    objects = client.batch(artifact, "upload", [pointer_of(content) for content in contents]).json()["objects"]
    return [str(blob["actions"]["upload"]["href"]) for blob in objects]


def put(client: Client, href: str, content: bytes) -> Reply:
    return client.request("PUT", href, content, key=False)


def message(reply: Reply) -> str:
    return str(reply.json()["message"])


def test_a_batch_that_has_no_room_is_refused_and_goes_on_when_there_is_some(
    server: EmbeddedServer, client: Client
) -> None:
    server.site.quotas.set("admin", 2500)
    client.upload("data/a", BLOBS[0], BLOBS[1])
    refused = client.batch("data/b", "upload", [pointer_of(BLOBS[2])])
    assert (refused.status, refused.headers["content-type"]) == (507, "application/vnd.git-lfs+json")
    assert message(refused) == "the quota of 'admin', 2.4 KiB, is full: 500 B are left, and this takes 1000 B"
    # What is there already takes nothing, and a download no room.
    assert client.batch("data/a", "upload", [pointer_of(BLOBS[0])]).status == 200
    assert client.batch("data/a", "download", [pointer_of(BLOBS[0])]).status == 200
    server.site.quotas.set("admin", 3000)
    client.upload("data/b", BLOBS[2])
    assert used(server) == {"admin": 3000}


def test_what_was_permitted_together_is_counted_again_when_it_comes(server: EmbeddedServer, client: Client) -> None:
    server.site.quotas.set("user:admin", 1999)
    first, second = hrefs(client, "data/a", BLOBS[0])[0], hrefs(client, "data/b", BLOBS[1])[0]
    pack = client.batch("data/c", "upload", [pointer_of(BLOBS[2])], "aimd-pack").json()["aimd_pack"]["href"]
    assert put(client, first, BLOBS[0]).status == 200
    assert put(client, first, BLOBS[0]).status == 200
    refused = put(client, second, BLOBS[1])
    assert refused.status == 507 and "'user:admin'" in message(refused) and "999 B are left" in message(refused)
    assert client.request("POST", pack, aimd_pack(BLOBS[2]), PACK, key=False).status == 507
    assert used(server) == {"user:admin": 1000}
    assert "error" in client.batch("data/c", "download", [pointer_of(BLOBS[2])]).json()["objects"][0]


def test_many_at_once_never_use_more_than_there_is(server: EmbeddedServer, client: Client) -> None:
    where = [(f"data/a{at % 3}", content) for at, content in enumerate(BLOBS)]
    permitted = [hrefs(client, artifact, content)[0] for artifact, content in where]
    server.site.quotas.set("admin/data", 5500)
    server.site.quotas.set("user:admin", 1 << 40)
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda at: put(client, permitted[at], where[at][1]).status, range(len(BLOBS))))
    assert sorted(found) == [200] * 5 + [507] * 5
    assert used(server) == {"admin/data": 5000, "user:admin": 5000}


def test_each_quota_from_the_artifact_to_the_root_holds_and_that_of_who_it_counts_for(
    server: EmbeddedServer, client: Client
) -> None:
    site = server.site
    ada = Client(server.url, site.accounts.add_key(site.accounts.add_user("ada")))
    site.folders.make_root("team")
    for where in ("team", "admin"):
        site.folders.share(SYSTEM, where, "user", "ada", "edit")
    ada.upload("team/x/a", *BLOBS[:3])
    ada.upload("admin/b", *BLOBS[:2])
    client.upload("team/x/c", BLOBS[0])
    for subject in ("team", "team/x", "team/x/a", "user:ada", "user:admin", "admin"):
        site.quotas.set(subject, 1 << 40)
    # A blob counts once in each artifact; what somebody makes below another's root counts for that one.
    counted = {"team": 4000, "team/x": 4000, "team/x/a": 3000, "user:ada": 3000, "user:admin": 3000, "admin": 2000}
    assert used(server) == counted
    for subject in counted:
        site.quotas.set(subject, counted[subject] + 100)
        wanted = "admin/b" if subject in ("admin", "user:admin") else "team/x/a"
        refused = ada.batch(wanted, "upload", [pointer_of(BLOBS[9])])
        assert refused.status == 507 and f"'{subject}'" in message(refused)
        site.quotas.remove(subject)
    assert ada.batch("team/x/a", "upload", [pointer_of(BLOBS[9])]).status == 200


def test_what_moves_is_counted_where_it_lies_and_only_where_it_has_room(server: EmbeddedServer, client: Client) -> None:
    site = server.site
    site.accounts.add_user("ada")
    site.folders.make_root("team")
    client.upload("data/deep/a", *BLOBS[:3])
    client.upload("data/b", BLOBS[4])
    for subject in ("admin", "admin/data", "admin/data/deep", "user:admin", "user:ada", "ada", "team"):
        site.quotas.set(subject, 1 << 40)
    site.folders.move(SYSTEM, "admin/data/deep", "ada/deep")
    assert used(server) == {
        **{"ada": 3000, "ada/deep": 3000, "admin": 1000, "admin/data": 1000, "team": 0},
        **{"user:ada": 3000, "user:admin": 1000},
    }
    site.folders.move(SYSTEM, "ada/deep/a", "team/a")
    assert used(server)["team"] == 3000 and used(server)["user:admin"] == 4000
    site.quotas.set("ada", 2999)
    try:
        site.folders.move(SYSTEM, "team/a", "ada/a")
    except HttpError as error:
        assert error.status == 507 and "'ada'" in error.message
    assert site.catalogue.find_by_path("team/a") is not None
    assert used(server)["team"] == 3000


def test_what_is_released_makes_room(server: EmbeddedServer, client: Client) -> None:
    site = server.site
    pointers = client.upload("data/a", *BLOBS[:3])
    # A quota below what is used lets everything in that makes it less.
    site.quotas.set("admin", 10)
    found = site.catalogue.find_by_path("admin/data/a")
    assert found is not None
    wanted = [Oid(pointers[0].oid), Oid(pointers[1].oid), Oid("ab" * 32)]
    for freed in (2000, 0):
        with site.database.write(found.id) as connection:
            assert release(connection, found.id, wanted) == freed
    assert used(server) == {"admin": 1000}


def test_administrators_alone_set_them_over_http(server: EmbeddedServer, client: Client) -> None:
    first_version(client, "data/a")
    body = json.dumps({"subject": "admin/data", "size": 1 << 50}).encode()
    kind = {"Content-Type": "application/json"}
    size = client.request("PUT", "/api/v1/quotas", body, kind).json()["used"]
    assert size > 0
    assert client.request("GET", "/api/v1/quotas").json() == {
        "quotas": [{"subject": "admin/data", "size": 1 << 50, "used": size}]
    }
    for wish, status in (({"subject": "user:nobody", "size": 1}, 404), ({"subject": "x/y", "size": 1}, 404)):
        assert client.request("PUT", "/api/v1/quotas", json.dumps(wish).encode(), kind).status == status
    for size in (-1, 1 << 63, 1.5, "1"):
        wrong = json.dumps({"subject": "admin", "size": size}).encode()
        assert client.request("PUT", "/api/v1/quotas", wrong, kind).status == 422
    whole = b'{"subject": "admin/data", "size": 2048.0}'
    assert client.request("PUT", "/api/v1/quotas", whole, kind).json()["size"] == 2048
    for _ in range(2):
        assert client.request("DELETE", "/api/v1/quotas?subject=admin/data").status == 204
    assert client.request("GET", "/api/v1/quotas").json() == {"quotas": []}
    actions = [entry["action"] for entry in client.request("GET", "/api/v1/audit").json()["entries"]]
    assert actions[-2:] == ["quota.set", "quota.remove"]


def test_without_a_quota_what_is_owned_is_counted_too(server: EmbeddedServer, client: Client) -> None:
    client.upload("data/a", *BLOBS)
    assert used(server) == {}
    with server.site.database.read() as connection:
        assert connection.scalar(select(func.sum(nodes.c.size))) == 10_000
