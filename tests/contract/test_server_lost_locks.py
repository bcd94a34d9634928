"""A session of PostgreSQL that ends takes its locks along: who counted on one notices before anything is changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import StorageError
from aimdvc.fs.disk import Disk
from aimdvc.model.oid import GitId
from aimdvc.server.embedded import EmbeddedServer
from tests.contract.git_packs import EMPTY_PACK, Made
from tests.contract.server_client import Client, report_of
from tests.contract.test_server_gc import age, forced_away, run_gc
from tests.postgres import Postgres

_ENDED = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"


class Sessions:
    """Ends all sessions that hold a lock, when the next file is made in an artifact's repository."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self.is_armed = False
        self.ended = 0

    def before(self, operation: str, path: Path | str) -> None:
        if self.is_armed and operation == "create" and str(path).endswith("incoming"):
            self.is_armed = False
            self.ended = int(self._postgres.sql(_ENDED))


@pytest.fixture
def sessions(postgres: Postgres) -> Sessions:
    return Sessions(postgres)


@pytest.fixture
def server(sessions: Sessions, postgres: Postgres, tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "srv", database_url=postgres.database(), disk=Disk(sessions.before)) as running:
        yield running


def test_gc_drops_nothing_when_its_lock_is_gone(server: EmbeddedServer, sessions: Sessions) -> None:
    client = Client(server.url, server.admin_key)
    _, left = forced_away(client, server)
    age(server, 31)
    sessions.is_armed = True
    with pytest.raises(StorageError, match="does not answer"):
        run_gc(server)
    assert sessions.ended
    artifact = server.site.catalogue.find_by_path("admin/a")
    assert artifact is not None
    with server.site.storage.repository(artifact.id) as repository:
        assert repository.has(GitId(left))
    run_gc(server)
    assert report_of(client.push("a", [(None, left, "refs/heads/more")], EMPTY_PACK))[1].startswith("ng ")


def test_a_push_moves_nothing_when_its_lock_is_gone(server: EmbeddedServer, sessions: Sessions) -> None:
    client = Client(server.url, server.admin_key)
    made = Made()
    commit = made.commit(made.tree([]))
    assert report_of(client.push("a", [(None, commit, "refs/heads/b")], made.pack()))[0] == "unpack ok"
    second = made.commit(made.tree([]), (commit,))
    sessions.is_armed = True
    assert client.push("a", [(commit, second, "refs/heads/b")], made.pack()).status == 503
    assert sessions.ended
    assert client.refs("a")["refs/heads/b"] == commit
    assert report_of(client.push("a", [(commit, second, "refs/heads/b")], made.pack()))[1] == "ok refs/heads/b"
