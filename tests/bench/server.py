"""The server under load, beside nginx with static files (what the machine can do) and giftless, in the same run."""

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench import data
from tests.bench.cases import Bench
from tests.bench.http import Prepared, busy_s, cpu_s, curl, logged_s, peak_mib, rate
from tests.bench.measure import AIMDVC, Figure, hash_file, run, timed
from tests.bench.peers import (
    LFS,
    Ours,
    Server,
    auth_of,
    batch,
    giftless_python,
    oid_of,
    request,
    run_aimdvc,
    run_giftless,
    run_granian,
    run_nginx,
    target_of,
    with_jwt,
)

SMALL = 4096
LARGE = 1 << 30
_GETS_S = 5.0


def server(bench: Bench) -> None:
    """Measures all of it."""
    for program in ("wrk", "curl", "nginx"):
        if shutil.which(program) is None:
            raise SystemExit(f"`python -m tests.bench server` needs {program}: apt-get install wrk curl nginx-light")
    with ExitStack() as running:
        nginx = running.enter_context(run_nginx(bench.scratch / "nginx"))
        servers: list[Server] = [running.enter_context(run_aimdvc(bench))]
        giftless = giftless_python(bench)
        if giftless is not None:
            servers.append(running.enter_context(run_giftless(bench.scratch / "giftless", giftless)))
        _small_gets(bench, nginx, servers)
        _small_puts(bench, nginx, servers)
        _batches(bench, servers)
        _large(bench, nginx, servers)
        _many(bench, servers[0])
        _hundred(bench, nginx, servers[0])
        for one in servers:
            goal = 150.0 if isinstance(one, Ours) else None
            work = "a worker's peak memory, all of the above, MiB"
            bench.report.add(Figure(work, one.name, peak_mib(one.pid), None, goal))


def _thousand(a_second: float) -> float:
    return 1000 / a_second


def _files(place: Path, count: int) -> list[Path]:
    """Makes small files that differ."""
    place.mkdir(exist_ok=True)
    made = []
    for number in range(count):
        path = place / f"{number}"
        path.write_bytes(os.urandom(SMALL))
        made.append(path)
    return made


def _put_all(server: Server, artifact: str, files: Sequence[Path]) -> None:
    blobs = [(oid_of(path.read_bytes()), SMALL) for path in files]
    for path, answer in zip(files, batch(server, artifact, "upload", blobs)["objects"], strict=True):
        action = answer["actions"]["upload"]
        status, told = request(server, "PUT", with_jwt(action), path.read_bytes(), "application/octet-stream", False)
        assert status == 200, told


def _small_gets(bench: Bench, nginx: str, servers: Sequence[Server]) -> None:
    work = "1,000 GETs of 4 KiB, of 500 blobs"
    files = _files(bench.scratch / "small", 500)
    shutil.copytree(bench.scratch / "small", bench.scratch / "nginx/files/small")
    spent = "the same, processor time of all, wrk's, too"

    def measured(name: str, url: str, wanted: Sequence[Prepared], goal: float | None = None) -> float:
        before_s = busy_s()
        reached = rate(url, wanted, bench.scratch, _GETS_S)
        used_s = busy_s() - before_s
        bench.report.add(Figure(work, name, _thousand(reached), None, goal))
        bench.report.add(Figure(spent, name, used_s / _GETS_S * _thousand(reached)))
        return reached

    wanted = [Prepared("GET", f"/small/{path.name}") for path in files]
    limit = measured("nginx", nginx, wanted)
    with run_granian() as bare:
        measured("granian, a fixed answer", bare, wanted)
    for server in servers:
        _put_all(server, "gets", files)
        blobs = [(oid_of(path.read_bytes()), SMALL) for path in files]
        answers = batch(server, "gets", "download", blobs)["objects"]
        wanted = [Prepared("GET", with_jwt(answer["actions"]["download"])) for answer in answers]
        measured(server.name, server.url, wanted, _thousand(0.4 * limit) if isinstance(server, Ours) else None)


def _small_puts(bench: Bench, nginx: str, servers: Sequence[Server]) -> None:
    """Each is of a blob of its own, so there are as many as are prepared; durable when answered."""
    count = 4000
    work = "1,000 PUTs of 4 KiB, each another blob"
    files = _files(bench.scratch / "puts", count)
    wanted = [Prepared("PUT", f"/puts/{path.name}", body=str(path)) for path in files]
    seconds = _once(nginx, wanted, bench.scratch)
    # nginx leaves them to the system; so that both are durable, they are synced here, together.
    seconds += timed(lambda: subprocess.run(["sync", "-f", str(bench.scratch / "nginx/files")], check=True))
    bench.report.add(Figure(work, "nginx, then sync", seconds * 1000 / count))
    for server in servers:
        blobs = [(oid_of(path.read_bytes()), SMALL) for path in files]
        answers = batch(server, "puts", "upload", blobs)["objects"]
        wanted = [
            Prepared("PUT", with_jwt(answer["actions"]["upload"]), body=str(path))
            for path, answer in zip(files, answers, strict=True)
        ]
        seconds = _once(server.url, wanted, bench.scratch)
        bench.report.add(Figure(work, server.name, seconds * 1000 / count))


def _once(url: str, requests: Sequence[Prepared], scratch: Path, threads: int = 16) -> float:
    """Returns how long it takes until each request was answered once, by some connections at a time."""
    parts = urlsplit(url)
    left = iter(requests)
    lock = threading.Lock()
    failed: list[str] = []

    def work() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        while True:
            with lock:
                one = next(left, None)
            if one is None or failed:
                connection.close()
                return
            connection.request(one.method, one.path, Path(one.body).read_bytes(), {"Content-Type": one.kind})
            reply = connection.getresponse()
            told = reply.read()
            if not 200 <= reply.status < 300:
                failed.append(f"{one.path}: {reply.status} {told[:200]!r}")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start_s = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise SystemExit(failed[0])
    return time.perf_counter() - start_s


def _batches(bench: Bench, servers: Sequence[Server]) -> None:
    for server in servers:
        files = sorted((bench.scratch / "small").iterdir())[:100]
        message = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": oid_of(path.read_bytes()), "size": SMALL} for path in files],
        }
        body = bench.scratch / "batch.json"
        body.write_text(json.dumps(message))
        wanted = [Prepared("POST", server.batch_path("gets"), LFS, str(body))]
        headers = {"Accept": LFS, **({"Authorization": server.basic} if server.basic else {})}
        reached = rate(server.url, wanted, bench.scratch, headers=headers)
        bench.report.add(Figure("1,000 batches of 100 blobs", server.name, _thousand(reached)))


def _large(bench: Bench, nginx: str, servers: Sequence[Server]) -> None:
    path = bench.scratch / "large"
    data.one(path, LARGE)
    oid = hash_file(path)
    up, down = "1 GiB up, durable", "1 GiB down"

    def put_nginx() -> None:
        curl("-T", str(path), f"{nginx}/large")
        with (bench.scratch / "nginx/files/large").open("rb") as file:
            os.fsync(file.fileno())

    limit_up = min(timed(put_nginx) for _ in range(3))
    bench.report.add(Figure(up, "nginx, then fsync", limit_up))
    limit_down = min(curl("-o", "/dev/null", f"{nginx}/large") for _ in range(3))
    bench.report.add(Figure(down, "nginx", limit_down))
    for server in servers:
        is_ours = isinstance(server, Ours)
        seconds = []
        for number in range(3 if is_ours else 1):
            artifact = f"large{number}"
            action = batch(server, artifact, "upload", [(oid, LARGE)])["objects"][0]["actions"]["upload"]
            seconds.append(curl("-T", str(path), *auth_of(server, action), action["href"]))
        bench.report.add(Figure(up, server.name, min(seconds), None, limit_up / 1.3 if is_ours else None))
        action = batch(server, "large0", "download", [(oid, LARGE)])["objects"][0]["actions"]["download"]
        get = ["-o", "/dev/null", *auth_of(server, action), action["href"]]
        goal = limit_down / 0.9 if is_ours else None
        bench.report.add(Figure(down, server.name, min(curl(*get) for _ in range(3)), None, goal))


def _many(bench: Bench, server: Server) -> None:
    assert isinstance(server, Ours)
    count = 20_000
    place = bench.workspace("many")
    data.many(place / "data", count, SMALL)
    bench.quiet(place, "login", server.url, typed=f"{server.key}\n")
    bench.quiet(place, "remote", "add", "origin", server.url)
    bench.quiet(place, "add", "data")
    bench.quiet(place, "commit", "-m", "m")
    server.log.write_text("")
    before = cpu_s(server.pid)
    seconds, memory = run([AIMDVC, "push"], place, bench.environment)
    bench.report.add(Figure("push of 20,000 blobs: all", "aimdvc", seconds, memory))
    bench.report.add(Figure("push of 20,000 blobs: server, requests", "aimdvc", logged_s(server.log), None, 3.0))
    bench.report.add(Figure("push of 20,000 blobs: server, processor", "aimdvc", cpu_s(server.pid) - before, None, 3.0))


def _hundred(bench: Bench, nginx: str, server: Server) -> None:
    """A hundred clients of twenty users ask at once for 1,000 blobs, 4 MiB: a batch, then an aimd-pack."""
    work = "100 clients pull 1,000 blobs each, at once"
    place = bench.scratch / "many/data"
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != ".gitattributes")[:1000]
    blobs = [(oid_of(path.read_bytes()), path.stat().st_size) for path in files]
    packed = bench.scratch / "nginx/files/packed"
    packed.write_bytes(b"".join(path.read_bytes() for path in files))
    whole = packed.stat().st_size

    run([AIMDVC, "server", "share", "add", "admin/data", "everyone", "-C", str(bench.scratch / "srv")], place)
    assert isinstance(server, Ours)
    users = [_user(server, f"user{number}") for number in range(20)]
    turns = iter(users * 5)

    def pull() -> int:
        user = next(turns)
        answer = batch(user, "admin/data", "download", blobs, "aimd-pack")
        listed = json.dumps({"oids": [oid for oid, _ in blobs]}).encode()
        href = target_of(answer["aimd_pack"]["href"])
        return len(request(server, "POST", href, listed, "application/json", False)[1])

    def get() -> int:
        parts = urlsplit(nginx)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        connection.request("GET", "/packed")
        return len(connection.getresponse().read())

    bench.report.add(Figure(work, "nginx, one file", _together(get, whole)))
    bench.report.add(Figure(work, "aimdvc", _together(pull, whole)))


def _user(server: Ours, name: str) -> Ours:
    """Makes a user, and returns the server as they see it."""
    for path, message in (("/api/v1/users", {"name": name}), ("/api/v1/keys", {"user": name, "scope": "read"})):
        status, content = request(server, "POST", path, json.dumps(message).encode(), "application/json")
        assert status == 201, content
    return Ours(server.url, json.loads(content)["key"], server.pid, server.log)


def _together(work: Callable[[], int], at_least: int) -> float:
    got: list[int] = []
    clients = [threading.Thread(target=lambda: got.append(work())) for _ in range(100)]

    def run_all() -> None:
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    seconds = timed(run_all)
    if len(got) != 100 or min(got) < at_least:
        raise SystemExit(f"of 100 clients {len(got)} got all")
    return seconds
