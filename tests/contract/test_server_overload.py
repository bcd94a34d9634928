"""A server that has enough to do: it refuses at once, tells when to come again, and still says that it is alive."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend
from aimdvc.server.limits import Limits
from aimdvc.server.rights import SYSTEM
from aimdvc.server.run import _THREADS
from tests.contract.server_client import Client, pointer_of
from tests.contract.stalling import BLOB, is_refused, refusal, settle, stalled, unread, upload_href


@pytest.fixture(params=[GranianBackend, CherootBackend])
def backend(request: pytest.FixtureRequest) -> StartBackend:
    made: StartBackend = request.param
    return made


def test_production_has_threads_left_that_refuse_and_tell_that_it_is_alive() -> None:
    limits = Limits()
    assert limits.costly_of_one * 2 == limits.costly < limits.running == limits.running_of_one * 2 < _THREADS


def test_one_user_may_not_take_all_and_others_go_on(tmp_path: Path, backend: StartBackend) -> None:
    limits = Limits(costly=2, costly_of_one=1)
    with EmbeddedServer(tmp_path / "srv", backend, limits) as server:
        admin = Client(server.url, server.admin_key)
        ada = Client(server.url, server.site.accounts.add_key(server.site.accounts.add_user("ada")))
        eve = Client(server.url, server.site.accounts.add_key(server.site.accounts.add_user("eve")))
        hrefs = [upload_href(client) for client in (admin, ada, eve)]
        settle(admin)
        with stalled(hrefs[0], len(BLOB)) as first:
            assert "your requests" in refusal([first], admin, "PUT", hrefs[0], BLOB).body.decode()
            assert "your requests" in admin.request("GET", "/api/v1/objects/admin/a").body.decode()
            assert ada.request("PUT", hrefs[1], BLOB, key=False).status == 200
            settle(ada, held=1)
            with stalled(hrefs[1], len(BLOB)) as second:
                reply = refusal([first, second], eve, "PUT", hrefs[2], BLOB)
                assert reply.json()["message"] == "the server is busy, try again"
                # What is cheap is answered all the same.
                assert eve.request("GET", "/api/v1/whoami").status == 200
                assert eve.request("GET", "/healthz", key=False).status == 200
                assert 'status="429"' in eve.request("GET", "/metrics").body.decode()
        settle(admin)
        assert [eve.request("PUT", hrefs[at], BLOB, key=False).status for at in (2, 0)] == [200, 200]


def test_when_everything_is_taken_it_still_says_that_it_is_alive(tmp_path: Path, backend: StartBackend) -> None:
    with EmbeddedServer(tmp_path / "srv", backend, Limits(running=2)) as server:
        client = Client(server.url, server.admin_key)
        href = upload_href(client)
        settle(client)
        with stalled(href, len(BLOB)) as first, stalled(href, len(BLOB)) as second:
            for path in ("/api/v1/whoami", "/a.git/info/refs?service=git-upload-pack", "/nothing"):
                refusal([first, second], client, "GET", path)
            refused = client.batch("a", "upload", [pointer_of(BLOB)])
            assert is_refused(refused) and refused.headers["content-type"] == "application/vnd.git-lfs+json"
            for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
                assert client.request("GET", path).status == 200
        settle(client)
        assert client.request("PUT", href, BLOB, key=False).status == 200


def test_a_download_that_nobody_reads_is_counted_until_it_ends(tmp_path: Path, backend: StartBackend) -> None:
    content = bytes(range(256)) * (1 << 17)
    with EmbeddedServer(tmp_path / "srv", backend, Limits(costly_of_one=1)) as server:
        client = Client(server.url, server.admin_key)
        pointer = client.upload("a", content)[0]
        blob = client.batch("a", "download", [pointer]).json()["objects"][0]
        href = str(blob["actions"]["download"]["href"])
        parts = urlsplit(href)
        with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as connection:
            target = f"{parts.path}?{parts.query}"
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            assert is_refused(client.request("GET", href, key=False))
        settle(client)
        reply = client.request("GET", href, key=False)
        assert (reply.status, reply.body) == (200, content)


def test_a_long_answer_that_nobody_reads_is_counted_until_it_ends(tmp_path: Path, backend: StartBackend) -> None:
    with EmbeddedServer(tmp_path / "srv", backend, Limits(running_of_one=1)) as server:
        client = Client(server.url, server.admin_key)
        objects = [{"oid": f"{number:064x}", "size": 1} for number in range(8000)]
        body = json.dumps({"operation": "upload", "objects": objects}).encode()
        with unread(client, "/a.git/info/lfs/objects/batch", body):
            assert is_refused(client.request("GET", "/api/v1/whoami"))
        settle(client)
        assert client.request("GET", "/api/v1/whoami").status == 200


def test_large_messages_wait_for_their_turn_and_small_ones_do_not(tmp_path: Path, backend: StartBackend) -> None:
    with EmbeddedServer(tmp_path / "srv", backend, Limits(large=1)) as server, ThreadPoolExecutor(2) as pool:
        client = Client(server.url, server.admin_key)
        here = client.upload("a", BLOB)
        many = [pointer_of(b"%d" % number) for number in range(300)]
        listed = json.dumps({"oids": [pointer.oid for pointer in many]}).encode()
        href = client.batch("a", "download", here, "aimd-pack").json()["aimd_pack"]["href"]
        kind = {"Content-Type": "application/json"}
        with server.site.turns.take(server.site.limits.large_bytes):
            batch = pool.submit(client.batch, "a", "download", many)
            pack = pool.submit(client.request, "POST", href, listed, kind, key=False)
            assert client.batch("a", "download", here).status == 200
            assert client.request("GET", "/api/v1/whoami").status == 200
            assert not batch.done() and not pack.done()
        assert (batch.result(20).status, pack.result(20).status) == (200, 404)


def test_who_tries_many_keys_is_not_listened_to_and_others_are(tmp_path: Path, backend: StartBackend) -> None:
    with EmbeddedServer(tmp_path / "srv", backend, Limits(wrong_keys=3)) as server:
        known = Client(server.url, server.admin_key)
        assert known.request("GET", "/api/v1/whoami").status == 200
        found = [Client(server.url, f"guess{at}").request("GET", "/api/v1/whoami").status for at in range(6)]
        assert found == [401] * 3 + [429] * 3
        new = Client(server.url, server.site.accounts.add_key(server.site.accounts.user("admin").id))
        assert is_refused(new.request("GET", "/a.git/info/refs?service=git-upload-pack"))
        assert known.request("GET", "/api/v1/whoami").status == 200
        server.site.folders.make(SYSTEM, "admin/shared")
        # Who has no key fails at nothing.
        assert [known.request("GET", "/api/v1/whoami", key=False).status for _ in range(5)] == [401] * 5
        # What was revoked is, also for who was taken before.
        server.site.accounts.revoke_key(str(server.admin_key))
        assert known.request("GET", "/api/v1/whoami").status == 401
