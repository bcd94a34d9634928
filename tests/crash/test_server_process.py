"""The server as a process: what it may take of the machine, how it ends, what a dump of it tells, two of it at once."""

import http.client
import json
import os
import signal
import sqlite3
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.contract import git_packs as packs
from tests.contract.git_packs import Made
from tests.contract.server_client import LFS, MAIN, Client, first_version, pkt, pointer_of, report_of
from tests.crash.serving import Served
from tests.crash.test_server_cut import hold_all

MOST_MIB = 256
MOST_S = 5.0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "srv")
    try:
        yield made
    finally:
        made.stop()


def peak_mib(served: Served) -> float:
    """Returns the most memory that the worker ever had."""
    status = Path(f"/proc/{served.worker}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def spent_s(served: Served) -> float:
    """Returns the processor's time that the worker has had, which no other process of the machine makes longer."""
    fields = Path(f"/proc/{served.worker}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yields packs that are small, and would be large if they were believed."""
    blob = packs.entry(packs.BLOB, b"x" * 100)
    huge = packs.varint(100) + packs.varint(393 << 20) + b"\x90\x64" * 100
    yield "a delta of 180 bytes that makes 393 MiB", packs.pack_of([blob, packs.ofs_entry(len(blob), huge)])
    zeros = zlib.compressobj(9)
    deflated = b"".join([*(zeros.compress(bytes(1 << 20)) for _ in range(400)), zeros.flush()])
    yield "400 MiB of zeros", packs.pack_of([packs.header(packs.BLOB, 400 << 20) + deflated])
    yield "400 MiB of zeros that say 10 bytes", packs.pack_of([packs.header(packs.BLOB, 10) + deflated])
    yield "2^40 bytes", packs.pack_of([packs.header(packs.BLOB, 2**40) + zlib.compress(b"x")])
    yield "2^64 bytes", packs.pack_of([packs.header(packs.BLOB, 2**64) + zlib.compress(b"x")])
    yield "2^32 - 1 objects", packs.pack_of([blob], 2**32 - 1)
    small = packs.varint(100) + packs.varint(100) + b"\x90\x64"
    yield "an offset to itself", packs.pack_of([blob, packs.ofs_entry(0, small)])
    yield "deltas of each other", packs.pack_of([packs.ref_entry("a" * 40, small), packs.ref_entry("b" * 40, small)])
    chain, last = [blob], blob
    for number in range(10_000):
        copy = b"\xb0" + struct.pack("<H", 100 + number)
        last = packs.ofs_entry(len(last), packs.varint(100 + number) + packs.varint(101 + number) + copy + b"\1z")
        chain.append(last)
    yield "a chain of 10,000 deltas", packs.pack_of(chain)
    # Each copies the one before it four times: 4^12 times 100 bytes.
    grown, size = [blob], 100
    for _ in range(12):
        copies = (b"\xf0" + struct.pack("<I", size)[:3]) * 4 if size < 1 << 24 else b"\x80" * 4
        delta = packs.varint(size) + packs.varint(4 * size) + copies
        grown.append(packs.ofs_entry(len(grown[-1]), delta))
        size *= 4
    yield "deltas that grow by four", packs.pack_of(grown)


def test_bombs_take_little_memory_and_time_and_leave_nothing(served: Served) -> None:
    """Case S06."""
    client = served.client
    first_version(client)
    kept = set(served.directory.rglob("*.pack"))
    for what, pack in bombs():
        before_s = spent_s(served)
        report = report_of(client.push("a", [(None, "1" * 40, "refs/heads/x")], pack))
        assert report[0] != "unpack ok" and report[1].startswith("ng "), (what, report)
        assert spent_s(served) - before_s < MOST_S, what
        assert peak_mib(served) < MOST_MIB, what
    assert set(served.directory.rglob("*.pack")) == kept
    assert list(served.directory.rglob("incoming/*")) == []


def test_a_million_wants_take_little_memory_and_time(served: Served) -> None:
    """Case S08: refused by their number; some thousands that are allowed are answered in time."""
    client = served.client
    commit = first_version(client)
    kind = {"Content-Type": "application/x-git-upload-pack-request"}
    want = pkt(f"want {commit} side-band-64k ofs-delta\n".encode())
    many = {word: pkt(word + b" " + b"ab" * 20 + b"\n") for word in (b"want", b"have", b"shallow")}
    for word, line in many.items():
        before_s = spent_s(served)
        status = client.request("POST", "/a/git-upload-pack", want + line * 1_000_000, kind).status
        assert status in (400, 413), word
        assert spent_s(served) - before_s < MOST_S, word
    lines = b"".join(pkt(b"have " + sha256(b"%d" % n).hexdigest()[:40].encode() + b"\n") for n in range(40_000))
    before_s = spent_s(served)
    body = want + b"0000" + lines + pkt(b"done\n")
    assert client.request("POST", "/a/git-upload-pack", body, kind).status == 200
    assert spent_s(served) - before_s < MOST_S
    assert peak_mib(served) < MOST_MIB
    for line in (b"deepen 2147483648", b"deepen -1", b"deepen 0", b"deepen-since 0", b"filter blob:none", b"x"):
        assert client.request("POST", "/a/git-upload-pack", want + pkt(line) + b"0000", kind).status == 400, line
    assert client.request("POST", "/a/git-upload-pack", pkt(b"want " + b"ab" * 20) + b"0000", kind).status == 400


class Upload:
    """The upload of a blob that has come half way."""

    def __init__(self, client: Client, content: bytes) -> None:
        self.content = content
        actions = client.batch("a", "upload", [pointer_of(content)]).json()["objects"][0]["actions"]
        href = urlsplit(actions["upload"]["href"])
        self.connection = http.client.HTTPConnection(href.hostname or "", href.port, timeout=30)
        self.connection.putrequest("PUT", f"{href.path}?{href.query}")
        self.connection.putheader("Content-Length", str(len(content)))
        self.connection.endheaders()
        self.connection.send(content[: len(content) // 2])

    def finish(self) -> int:
        """Sends the rest and returns the status."""
        self.connection.send(self.content[len(self.content) // 2 :])
        status = self.connection.getresponse().status
        self.connection.close()
        return status


def has_blob(client: Client, content: bytes) -> bool:
    return "actions" in client.batch("a", "download", [pointer_of(content)]).json()["objects"][0]


def test_a_server_that_is_asked_to_end_finishes_what_runs(served: Served) -> None:
    """Case S28: what came half way is taken to its end, and said to be so; nothing new is taken."""
    content = b"half way\n" * 100_000
    first_version(served.client)
    upload = Upload(served.client, content)
    time.sleep(0.2)
    ended = threading.Thread(target=served.stop)
    ended.start()
    time.sleep(0.3)
    assert ended.is_alive()
    assert upload.finish() == 200
    ended.join(timeout=30)
    assert served.exits == [0]
    assert has_blob(served.client, content)


@pytest.mark.parametrize("is_worker", [True, False])
def test_a_server_that_is_killed_leaves_nobody_and_goes_on(served: Served, is_worker: bool) -> None:
    """Case S28: neither a worker that would keep the port, nor half of a blob. One without its parent ends in peace."""
    content = b"half way\n" * 100_000
    first_version(served.client)
    upload = Upload(served.client, content)
    time.sleep(0.1)
    worker = served.kill(is_worker=is_worker)
    try:
        is_done = upload.finish() == 200
    except (OSError, http.client.HTTPException):
        is_done = False
    upload.connection.close()
    assert not (is_worker and is_done)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{worker}").exists()
    assert has_blob(served.client, content) is is_done
    if not is_done:
        assert Upload(served.client, content).finish() == 200
        assert has_blob(served.client, content)
    hold_all(served.location)


def test_two_servers_of_one_directory_lose_nothing(served: Served, tmp_path: Path) -> None:
    """Case S28: SQLite and the blob store are safe for many processes; one takes over from another."""
    made = Made()
    base = made.commit(made.tree([]))
    commits = [made.commit(made.tree([]), (base,), b"%d\n" % number) for number in range(12)]
    pack = made.pack()
    other = Served(served.directory, "other")
    try:
        served.start()
        other.key = served.key
        clients = [served.client, other.client]
        assert report_of(clients[0].push("a", [(None, base, MAIN)], pack))[1] == f"ok {MAIN}"
        told: list[str] = []

        def act(number: int) -> None:
            client = clients[number % 2]
            client.upload(f"own{number // 2}", b"%d\n" % number * 20_000, b"small %d" % number)
            told.append(report_of(client.push("a", [(base, commits[number], MAIN)], pack))[1])

        threads = [threading.Thread(target=act, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(told) == sorted([f"ok {MAIN}", *[f"ng {MAIN} fetch first"] * 11])
        served.stop()
        assert set(other.client.refs("a")) == {"HEAD", MAIN, "refs/tags/v1", "refs/tags/v2"}
    finally:
        other.stop()
    assert served.exits + other.exits == [0, 0]
    hold_all(served.location)


def test_nothing_that_is_kept_or_logged_lets_anybody_in(served: Served, tmp_path: Path) -> None:
    """Case S24: the whole database, the log of requests and standard error, after all that has to do with keys."""
    served.options = ("--access-log", str(tmp_path / "log"))
    client = served.client
    kind = {"Content-Type": "application/json"}
    secrets = [served.key]
    for body in (b'{"name": "ci", "scope": "read"}', b'{"expires_s": 1e11}'):
        secrets.append(client.request("POST", "/api/v1/keys", body, kind).json()["key"])
    for key in secrets:
        for headers in ({"Authorization": f"Bearer {key}"}, {}):
            query = "" if headers else f"?apikey={key}"
            assert client.request("GET", f"/api/v1/whoami{query}", headers=headers, key=False).status == 200
        client.request("DELETE", f"/api/v1/keys/{key}")
        client.request("GET", f"/{key}/info/refs?service=git-upload-pack&apikey={key}")
        client.request("POST", "/api/v1/groups", json.dumps({"name": f"x {key}", "no": key}).encode(), kind)
    pointer = client.upload("a", b"content\n" * 9)[0]
    actions = client.batch("a", "download", [pointer]).json()["objects"][0]["actions"]
    assert client.request("GET", actions["download"]["href"], key=False).status == 200
    secrets += [href.partition("signature=")[2] for href in (actions["download"]["href"],)]
    assert client.request("POST", "/a/info/lfs/objects/batch", b"{}", {"Content-Type": LFS}).status == 422
    served.stop()
    with sqlite3.connect(served.directory / "server.db") as database:
        dump = "\n".join(database.iterdump())
    database.close()
    kept = {"dump": dump, "log": (tmp_path / "log").read_text(), "stderr": served.said()}
    for what, text in kept.items():
        for secret in secrets:
            for form in (secret, secret.replace("-", ""), secret.upper()):
                assert form not in text, what
    assert all(sha256(key.encode()).hexdigest() in dump.lower() for key in secrets[:3])


def test_a_fresh_server_is_open_to_nobody(served: Served) -> None:
    """Case S35: loopback alone, one administrator whose key is random, and no way to make oneself a user."""
    client = served.client
    assert urlsplit(client.url).hostname == "127.0.0.1"
    assert len(served.key) == 36 and len(set(served.key)) > 8
    assert [user["name"] for user in client.request("GET", "/api/v1/users").json()["users"]] == ["admin"]
    nobody = Client(client.url, None)
    for key in ("", "admin", "password", "changeme", "00000000-0000-0000-0000-000000000000"):
        headers = {"Authorization": f"Bearer {key}"}
        assert nobody.request("GET", "/api/v1/whoami", headers=headers).status == 401
    kind = {"Content-Type": "application/json"}
    assert nobody.request("POST", "/api/v1/users", b'{"name": "eve"}', kind).status == 401
    assert nobody.request("POST", "/api/v1/keys", b"{}", kind).status == 401
    for path in ("/api/v1/folders", "/metrics", "/admin/a/info/refs?service=git-upload-pack"):
        assert nobody.request("GET", path).status == 401
    assert (served.directory / "server.db").stat().st_mode & 0o077 == 0
    served.stop(signal.SIGTERM)


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        ((), False),
        (("--host", "0.0.0.0"), True),
        (("--host", "0.0.0.0", "--url", "http://a.example.org"), True),
        (("--host", "0.0.0.0", "--url", "https://a.example.org"), False),
    ],
)
def test_serving_others_than_this_machine_says_that_it_is_plain_http(
    served: Served, options: tuple[str, ...], is_told: bool
) -> None:
    """Case S35."""
    served.options = options
    served.start()
    served.stop()
    assert ("this is plain HTTP" in served.said()) is is_told
