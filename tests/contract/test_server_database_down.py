"""PostgreSQL that goes and comes back: answered as such, and over without a restart; and races on it lose nothing."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server import engines
from aimdvc.server.audit import read_audit
from aimdvc.server.embedded import EmbeddedServer
from tests.contract.aimd_client import AimdClient
from tests.contract.git_packs import Made
from tests.contract.server_client import Client, report_of
from tests.postgres import Postgres, running

MAIN = "refs/heads/main"


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A cluster that a test may stop."""
    with running() as made:
        yield made


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_a_database_that_goes_is_503_and_comes_back(own_postgres: Postgres, tmp_path: Path, mode: str) -> None:
    with EmbeddedServer(tmp_path / "srv", database_url=own_postgres.database()) as server:
        client = Client(server.url, server.admin_key)
        made = Made()
        first = made.commit(made.tree([]))
        assert report_of(client.push("a", [(None, first, MAIN)], made.pack()))[1] == f"ok {MAIN}"
        second = made.commit(made.tree([]), (first,))
        aimd = AimdClient(server.url, server.admin_key or "")
        draft = aimd.begin(aimd.make_folder("default"), "b")
        assert aimd.send(draft, "x", b"1").status_code == 200
        own_postgres.stop(mode)
        for _ in range(3):
            reply = client.request("GET", "/a.git/info/refs?service=git-upload-pack")
            assert (reply.status, reply.headers["retry-after"]) == (503, "30")
            assert b"postgres" not in reply.body.lower()
        assert client.request("GET", "/healthz").status == 200
        assert client.push("a", [(first, second, MAIN)], made.pack()).status == 503
        for asked in (
            aimd.send(draft, "y", b"2"),
            aimd.finalize(draft),
            aimd.show(draft),
            aimd.get("/apis/v1/folders"),
        ):
            assert (asked.status_code, "postgres" in asked.text.lower(), aimd.key in asked.text) == (503, False, False)
        own_postgres.start()
        assert client.refs("a")[MAIN] == first
        assert aimd.send(draft, "y", b"2").status_code == 200
        assert (aimd.finalize(draft).json()["version"], sorted(aimd.ls(draft))) == ("v1", ["x", "y"])
        assert report_of(client.push("a", [(first, second, MAIN)], made.pack()))[1] == f"ok {MAIN}"
        assert client.refs("a") == {"HEAD": second, MAIN: second, "refs/tags/v1": first, "refs/tags/v2": second}


def test_of_pushes_at_once_one_wins_and_all_artifacts_are_there(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    # Two processes' worth: each server has a pool of its own, and knows nothing of the other.
    with (
        EmbeddedServer(tmp_path / "srv", database_url=url) as one,
        EmbeddedServer(tmp_path / "srv", database_url=url) as two,
    ):
        assert two.admin_key is None
        made = Made()
        base = made.commit(made.tree([]))
        commits = [made.commit(made.tree([]), (base,), b"%d\n" % number) for number in range(12)]
        pack = made.pack()
        clients = [Client(server.url, one.admin_key) for server in (one, two)]
        assert report_of(clients[0].push("a", [(None, base, MAIN)], pack))[1] == f"ok {MAIN}"
        told: list[str] = []

        def act(number: int) -> None:
            client = clients[number % 2]
            report = report_of(client.push("a", [(base, commits[number], MAIN)], pack))
            told.append(report[1])
            # All make the same folders, and the last one of two each makes the same artifact.
            client.push(f"deep/er/b{number // 2}", [(None, commits[number], f"refs/heads/x{number}")], pack)

        threads = [threading.Thread(target=act, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made_once = [entry.target for entry in read_audit(one.site.database) if entry.action == "artifact.make"]
        assert sorted(made_once) == ["admin/a", *[f"admin/deep/er/b{number}" for number in range(6)]]
        assert sorted(told) == sorted([f"ok {MAIN}", *[f"ng {MAIN} fetch first"] * 11])
        refs = clients[1].refs("a")
        assert set(refs) == {"HEAD", MAIN, "refs/tags/v1", "refs/tags/v2"}
        for number in range(12):
            assert clients[0].refs(f"deep/er/b{number // 2}")[f"refs/heads/x{number}"] == commits[number]


def test_a_database_that_is_locked_is_503_and_reads_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case S16, on SQLite: another process writes for longer than anybody waits."""
    monkeypatch.setattr(engines, "_PATIENCE_MS", 200)
    with EmbeddedServer(tmp_path / "srv") as server:
        client = Client(server.url, server.admin_key)
        made = Made()
        first = made.commit(made.tree([]))
        assert report_of(client.push("a", [(None, first, MAIN)], made.pack()))[1] == f"ok {MAIN}"
        second = made.commit(made.tree([]), (first,))
        other = sqlite3.connect(tmp_path / "srv" / "server.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        reply = client.push("a", [(first, second, MAIN)], made.pack())
        assert (reply.status, reply.headers["retry-after"]) == (503, "2")
        assert client.refs("a")[MAIN] == first
        assert client.request("GET", "/api/v1/versions/a").status == 200
        assert client.request("GET", "/readyz").status == 200
        other.execute("ROLLBACK")
        other.close()
        assert report_of(client.push("a", [(first, second, MAIN)], made.pack()))[1] == f"ok {MAIN}"


def test_a_transaction_that_the_database_ends_is_503_and_is_done_again(postgres: Postgres, tmp_path: Path) -> None:
    """Case S16: cut while it waits for another, as by a restart in its midst."""
    url = postgres.database()
    name = url.rpartition("/")[2]
    with EmbeddedServer(tmp_path / "srv", database_url=url) as server:
        client = Client(server.url, server.admin_key)
        body, kind = b'{"name": "late"}', {"Content-Type": "application/json"}
        statuses: list[int] = []
        with server.site.database.write("accounts"):
            thread = threading.Thread(
                target=lambda: statuses.append(client.request("POST", "/api/v1/groups", body, kind).status)
            )
            thread.start()
            cut = (
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                f" WHERE datname = '{name}' AND wait_event = 'advisory'"
            )
            while postgres.sql(cut).strip() == "0":
                assert thread.is_alive()
            thread.join()
        assert statuses == [503]
        assert client.request("GET", "/api/v1/groups").json()["groups"] == []
        assert client.request("POST", "/api/v1/groups", body, kind).status == 201
