"""What a server tells of itself: alive, ready, counted, logged; and no secret in any of it."""

import http.client
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.server.access_log import AccessLog
from aimdvc.server.app import Application
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.granian_backend import GranianBackend
from aimdvc.server.observing import Observer
from aimdvc.server.rights import SYSTEM
from aimdvc.server.signing import Grant
from aimdvc.server.site import Location, open_site
from tests.contract.server_client import BLOB, Client, first_version
from tests.postgres import Postgres
from tests.shell import Shell


def metric(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} ([0-9.]+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0


def test_requests_are_counted_by_route_and_status(server: EmbeddedServer, client: Client) -> None:
    first_version(client)
    pointer = client.upload("a", BLOB * 9)[0]
    reply = client.batch("a", "download", [pointer]).json()
    href = reply["objects"][0]["actions"]["download"]["href"]
    for _ in range(3):
        assert client.request("GET", href, key=False).body == BLOB * 9
    for path in ("/a.git/info/refs?service=git-upload-pack", "/b.git/info/refs?service=git-upload-pack", "/nothing"):
        client.request("GET", path)
    reply = client.request("GET", "/metrics")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4")
    text = reply.body.decode()
    refs = 'method="GET",route="/{artifact}/info/refs"'
    blobs = 'method="GET",route="/{artifact}/info/lfs/objects/{oid}"'
    assert metric(text, f'aimdvc_requests_total{{{refs},status="200"}}') >= 1
    assert metric(text, f'aimdvc_requests_total{{{refs},status="404"}}') == 1
    assert metric(text, f'aimdvc_requests_total{{{blobs},status="200"}}') == 3
    assert metric(text, 'aimdvc_requests_total{method="",route="none",status="404"}') == 1
    assert metric(text, f'aimdvc_request_seconds_bucket{{{blobs},le="+Inf"}}') == 3
    assert metric(text, f"aimdvc_request_seconds_count{{{blobs}}}") == 3
    assert metric(text, "aimdvc_sent_bytes_total") >= 3 * len(BLOB * 9)
    assert metric(text, "aimdvc_received_bytes_total") >= len(BLOB * 9)
    assert metric(text, "aimdvc_running_requests") == 1
    assert client.request("GET", "/metrics", key=False).status == 401


def test_a_download_that_breaks_off_is_over(server: EmbeddedServer, client: Client) -> None:
    pointer = client.upload("a", b"x" * 30_000_000)[0]
    artifact = server.site.artifact(SYSTEM, "admin/a")
    # Through the server, also where the storage would give it.
    signed = server.site.signer.query(Grant(artifact.id, "", "GET", f"{artifact.path}/{pointer.oid}", pointer.size))
    href = f"{server.url}/admin/a.git/info/lfs/objects/{pointer.oid}?{signed}"
    with subprocess.Popen([sys.executable, "-c", _READ_A_LITTLE, href]) as process:
        assert process.wait(timeout=30) == 0
    deadline = time.monotonic() + 20
    while metric(client.request("GET", "/metrics").body.decode(), "aimdvc_running_requests") != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


_READ_A_LITTLE = """
import os, sys, urllib.request
urllib.request.urlopen(sys.argv[1]).read(10)
os._exit(0)
"""


def test_the_log_has_a_line_a_request_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    site = open_site(Location(tmp_path / "srv"))
    key = site.accounts.first_start()
    application = Application(site, Observer(log=AccessLog(path)))
    backend = GranianBackend(application, "127.0.0.1", 0, 8)
    try:
        client = Client(f"http://127.0.0.1:{backend.port}", key)
        pointer = client.upload("a", BLOB)[0]
        href = client.batch("a", "download", [pointer]).json()["objects"][0]["actions"]["download"]["href"]
        assert client.request("GET", href, key=False).body == BLOB
        known = client.request("GET", f"/a.git/info/refs?service=git-upload-pack&apikey={key}", key=False)
        client.request("GET", "/wrong\r.git/info/refs".replace("\r", "%0d%0a"))
    finally:
        backend.stop()
    text = path.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert key is not None
    assert key not in text and "signature" not in text and "apikey" not in text
    by_route = {line["route"]: line for line in lines}
    told = by_route["/{artifact}/info/lfs/objects/{oid}"]
    assert (told["method"], told["status"], told["sent"], told["user"]) == ("GET", 200, len(BLOB), None)
    refs = by_route["/{artifact}/info/refs"]
    assert (refs["id"], refs["status"], refs["user"]) == (known.headers["x-request-id"], 200, "admin")
    assert refs["key"] == site.accounts.list_keys()[0].id
    assert lines[-1]["status"] == 400
    assert [line for line in lines if line["received"] >= len(BLOB)]
    application.close()


def test_a_log_that_can_not_be_opened_is_told_before_anything_is_made(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    done = shell("serve", "srv", "--port", "0", "--access-log", str(tmp_path / "no/such.log"), code=2)
    assert "for the access log; make it first" in done.err.splitlines()[-1]
    assert not (tmp_path / "srv/server.db").exists()


def test_it_is_ready_while_what_it_needs_is_there(server: EmbeddedServer, client: Client, kept: Path) -> None:
    for path in ("/healthz", "/readyz"):
        reply = client.request("GET", path, key=False)
        assert (reply.status, reply.body) == (200, b"ok\n")
    place = kept / "repos" if (kept / "repos").exists() else kept
    shutil.move(place, f"{place}-away")
    assert client.request("GET", "/readyz", key=False).status == 503
    assert client.request("GET", "/healthz", key=False).status == 200
    shutil.move(f"{place}-away", place)
    assert client.request("GET", "/readyz", key=False).status == 200


def test_probes_may_ask_for_the_head_alone(server: EmbeddedServer, client: Client) -> None:
    parts = urlsplit(server.url)
    bearer = {"Authorization": f"Bearer {server.admin_key}"}
    # One connection: a body after such an answer would be taken for the next one.
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    for path in ("/healthz", "/readyz", "/openapi.json", "/metrics"):
        connection.request("HEAD", path, headers=bearer)
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, b"")
    connection.request("HEAD", "/metrics")
    assert connection.getresponse().read() == b""
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()


@pytest.mark.parametrize("with_postgres", [False, True])
def test_all_processes_are_counted_together(tmp_path: Path, postgres: Postgres, with_postgres: bool) -> None:
    log = tmp_path / "access.log"
    command = [sys.executable, "-m", "aimdvc", "serve", str(tmp_path / "srv"), "--port", "0", "--json"]
    command += ["--access-log", str(log), *(["--database", postgres.database()] if with_postgres else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            client = Client(told["url"], told["admin_key"])
            for _ in range(40):
                assert client.request("GET", "/api/v1/whoami").status == 200
            text = client.request("GET", "/metrics").body.decode()
        finally:
            process.terminate()
            _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    whoami = 'method="GET",route="/api/v1/whoami",status="200"'
    assert metric(text, f"aimdvc_requests_total{{{whoami}}}") == 40
    assert len(log.read_text().splitlines()) == 41
