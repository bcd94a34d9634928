"""Ten minutes of a real server under clients and upkeep: `pytest -m sweep tests/bench`, as docs/testing.md says."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from aimdvc.store.blobs import _OPEN_PACKS_AT_MOST
from tests.bench.soak import Server, Watch, Worker, aimdvc, begin_shared, growth, serving
from tests.buckets import BucketServer
from tests.postgres import Postgres

SECONDS = float(os.environ.get("AIMDVC_SOAK_SECONDS", "600"))
CLIENTS = 4
DOCUMENTED = {503, 507}
"""What a server may answer that is its own fault: docs/server.md."""


@pytest.mark.sweep
@pytest.mark.timeout(SECONDS + 900)
@pytest.mark.parametrize("kind", ["files", "bucket"])
def test_a_busy_server_stays_as_it_is_and_gives_back_what_it_got(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database, storage = None, None
    if kind == "bucket":
        cluster: Postgres = request.getfixturevalue("postgres")
        bucket: BucketServer = request.getfixturevalue("nanio")
        database, storage = cluster.database(), bucket.bucket()
    with serving(tmp_path, database, storage) as server:
        aimdvc(tmp_path, "login", server.url, typed=server.key + "\n")
        begin_shared(tmp_path, server)
        workers = [Worker(number, tmp_path, server) for number in range(CLIENTS)]
        for worker in workers:
            worker.begin()
        watch = Watch(server, workers, SECONDS)
        watch.run(tmp_path)
        memory = growth(watch.samples, "memory_mib", max)
        # The git packs of what is asked for are open for a moment; what is left open never goes away.
        files = growth(watch.samples, "files", min)
        print(json.dumps({"done": [worker.done for worker in workers], "upkeep": watch.upkeep}))
        print(json.dumps({"statuses": statuses(server), "memory, MiB": memory, "files": files}))
        assert watch.failures == []
        server.run("verify", "--data")
        check_all(tmp_path, workers)
        found = statuses(server)
    assert {int(status) for status in found if status >= 500} <= DOCUMENTED, found
    # What is there once, as modules and pools, came in the first half.
    assert all(last <= third * 1.1 + 8 for third, last in memory.values()), memory
    assert all(last <= third + 8 for third, last in files.values()), files
    assert max(one.packs for one in watch.samples) <= _OPEN_PACKS_AT_MOST
    aimdvc(tmp_path / "backup", "server", "verify", "--data")


def statuses(server: Server) -> Counter[int]:
    """Returns how often the server answered what."""
    return Counter(json.loads(line)["status"] for line in server.log.read_text().splitlines())


def check_all(place: Path, workers: list[Worker]) -> None:
    """Brings every version that was pushed into a clone, and compares."""
    for worker in workers:
        clone = place / f"all{worker.number}"
        aimdvc(place, "clone", f"{worker.server.url}/{worker.name}", str(clone))
        for version in worker.pushed:
            aimdvc(clone, "checkout", f"{worker.name}@{version}")
            worker.compare(clone, version)
    clone = place / "all-shared"
    aimdvc(place, "clone", f"{workers[0].server.url}/shared", str(clone))
    for worker in workers:
        if worker.joined:
            assert (clone / f"by{worker.number}.txt").read_text() == f"{worker.joined}\n"
