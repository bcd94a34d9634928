"""Backup and restore: one state while clients push, either database, cut anywhere, damage told."""

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from aimdvc.errors import Busy, DiskFull, UsageError
from aimdvc.fs.disk import Disk
from aimdvc.fs.locks import exclusive
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.progress import Silent
from aimdvc.server.backup import backup, check_restored, restore
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.rowcheck import faults_of_rows
from aimdvc.server.schema import owned_blobs, ref_history
from tests.buckets import BucketServer
from tests.contract.aimd_client import ARTIFACTS, AimdClient
from tests.contract.backing import back_up, kept, opened, push_version, restored, rot, rot_small, rows, rows_in
from tests.contract.server_client import Client, pointer_of
from tests.crash.scenarios import Fault, Killed
from tests.postgres import Postgres

LARGE = b"large " * 300_000


@pytest.fixture
def local(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server on SQLite and files, for what is the same with all."""
    with EmbeddedServer(tmp_path / "srv") as running:
        yield running


def filled(client: Client) -> str:
    """Pushes two versions of one artifact and one of another; returns the last commit of the first."""
    first = push_version(client, "a", b"small", LARGE)
    push_version(client, "deep/b", b"small", b"other")
    return push_version(client, "a", b"small", LARGE, b"new" * 40_000, parent=first)


def served_bytes(directory: Path, key: str, artifact: str, content: bytes) -> bytes:
    """Returns what a server of a directory gives for a blob."""
    with EmbeddedServer(directory) as running:
        client = Client(running.url, key)
        told = client.batch(artifact, "download", [pointer_of(content)]).json()["objects"][0]
        return client.request("GET", told["actions"]["download"]["href"], key=False).body


def test_an_upload_that_was_begun_goes_on_in_a_restored_server(
    server: EmbeddedServer, client: Client, tmp_path: Path
) -> None:
    alice = AimdClient(server.url, client.key or "")
    name = alice.begin(alice.make_folder("default"), "a")
    alice.send(name, "x", LARGE)
    path = f"{ARTIFACTS}/{name}/multipart/{alice.post(f'{ARTIFACTS}/{name}/multipart', key='p').json()['uploadId']}"
    assert alice.put(path, data=b"part", key="p", partNum=1).status_code == 200
    assert back_up(server, tmp_path / "copy").damage == []
    with EmbeddedServer(tmp_path / "copy") as running:
        assert faults_of_rows(running.site.database) == []
        again = AimdClient(running.url, client.key or "")
        etag = again.put(path, data=b"part", key="p", partNum=1).json()["etag"]
        wish = {"parts": [{"etag": etag, "partNumber": 1}]}
        assert again.post(path, json=wish, key="p").status_code == 200
        assert again.finalize(name).json()["version"] == "v1"
        assert again.download(name, "x").content == LARGE


def test_a_backup_can_be_served_with_the_same_keys(server: EmbeddedServer, client: Client, tmp_path: Path) -> None:
    tip = filled(client)
    done = back_up(server, tmp_path / "copy")
    assert (done.artifacts, done.packs, done.blobs, done.damage) == (2, 3, 4, [])
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "copy/server.db").stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "copy").glob("*-wal"))
    assert rows_in(tmp_path / "copy") == rows(server.site.database)
    assert served_bytes(tmp_path / "copy", client.key or "", "a", LARGE) == LARGE
    with EmbeddedServer(tmp_path / "copy") as running:
        assert running.admin_key is None
        assert Client(running.url, client.key).refs("a")["refs/heads/main"] == tip


def test_a_second_backup_copies_what_is_new(local: EmbeddedServer, tmp_path: Path) -> None:
    client = Client(local.url, local.admin_key)
    tip = filled(client)
    back_up(local, tmp_path / "copy")
    again = back_up(local, tmp_path / "copy")
    assert (again.packs, again.blobs, again.size) == (0, 0, 0)
    for number in range(50):
        tip = push_version(client, "a", b"%d" % number, parent=tip)
    last = back_up(local, tmp_path / "copy")
    assert last.blobs == 50
    # The server joined its packs meanwhile: those that it has no longer go.
    assert last.stale
    artifact = local.site.catalogue.find_by_path("admin/a")
    assert artifact is not None
    with (
        opened(tmp_path / "copy") as site,
        local.site.storage.repository(artifact.id) as theirs,
        site.storage.repository(artifact.id) as ours,
    ):
        assert [pack.path.name for pack in ours.packs()] == [pack.path.name for pack in theirs.packs()]
        assert ours.has(GitId(tip))


def test_a_backup_while_clients_push_is_one_state(server: EmbeddedServer, client: Client, tmp_path: Path) -> None:
    filled(client)

    def work(number: int) -> None:
        tip = None
        for turn in range(12):
            contents = (b"%d %d" % (number, turn), b"%d %d" % (number, turn) * 20_000)
            tip = push_version(client, f"p{number}", *contents, parent=tip)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, number) for number in range(4)]
        taken = 0
        while taken < 2 or not all(one.done() for one in running):
            assert back_up(server, tmp_path / "copy").damage == []
            assert lacking(tmp_path / "copy") == []
            taken += 1
        for one in running:
            one.result()


def lacking(directory: Path) -> list[str]:
    """Returns what the refs and rows of a directory name, and its storage hasn't."""
    found: list[str] = []
    with opened(directory) as site:
        for artifact, name, target, _ in rows(site.database)["refs"]:
            with site.storage.repository(str(artifact)) as repository:
                if not repository.has(GitId(str(target))):
                    found.append(f"{name!r} {target}")
        with site.database.read() as connection:
            oids = [Oid(oid.hex()) for oid in connection.scalars(select(owned_blobs.c.oid))]
        found += site.storage.blobs.missing(oids)
    return found


def test_a_backup_moves_to_postgresql_and_a_bucket_and_back(
    client: Client, server: EmbeddedServer, tmp_path: Path, postgres: Postgres, nanio: BucketServer
) -> None:
    tip = filled(client)
    url, bucket = postgres.database(), nanio.bucket()
    back_up(server, tmp_path / "copy")
    assert restored(tmp_path / "copy", tmp_path / "moved", url, bucket).damage == []
    before = rows(server.site.database)
    assert rows_in(tmp_path / "moved", url) == before
    # The database remembers the bucket; the directory holds nothing that is not there.
    with EmbeddedServer(tmp_path / "elsewhere", database_url=url) as running:
        other = Client(running.url, client.key)
        # What is numbered by the database goes on behind the rows that came with their numbers.
        push_version(other, "a", b"more", parent=tip)
        with running.site.database.read() as connection:
            numbers = list(connection.scalars(select(ref_history.c.id).order_by(ref_history.c.id)))
        assert len(set(numbers)) == len(numbers) > len(before["ref_history"])
        back_up(running, tmp_path / "copy of it")
        after = rows(running.site.database)
    restored(tmp_path / "copy of it", tmp_path / "back")
    assert rows_in(tmp_path / "back") == after
    assert served_bytes(tmp_path / "back", client.key or "", "a", b"more") == b"more"


def test_what_is_damaged_is_told_and_the_rest_goes_on(local: EmbeddedServer, tmp_path: Path) -> None:
    filled(Client(local.url, local.admin_key))
    rot(tmp_path / "srv/blobs/files", LARGE)
    rot_small(tmp_path / "srv/blobs/packs", b"other")
    pack = next((tmp_path / "srv/repos").rglob("*.pack"))
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:-1] + b"x")
    done = back_up(local, tmp_path / "copy")
    told = {(one.artifact, one.what) for one in done.damage}
    assert ("admin/a", f"blob {pointer_of(LARGE).oid}") in told
    assert ("admin/deep/b", f"blob {pointer_of(b'other').oid}") in told
    assert len(told) == 3 and any(what == f"git pack {pack.name}" for _, what in told)
    assert done.blobs == 2


def test_a_cut_backup_leaves_the_last_good_and_is_finished_by_the_next(
    server: EmbeddedServer, client: Client, tmp_path: Path
) -> None:
    tip = filled(client)
    place = tmp_path / "copy"
    for step in range(1, 400, 7):
        try:
            back_up(server, place, Disk(Fault(step)))
            break
        except Killed:
            assert not (place / "server.db").exists()
    assert step > 1
    assert lacking(place) == []
    before = rows_in(place)
    push_version(client, "a", b"later", b"x" * 70_000, parent=tip)
    for step in range(1, 400, 3):
        try:
            back_up(server, place, Disk(Fault(step, errno.ENOSPC if step % 2 else None)))
            break
        except (Killed, DiskFull):
            assert lacking(place) == []
            assert rows_in(place) in (before, rows(server.site.database))
    assert step > 1
    assert back_up(server, place).blobs == 0
    assert rows_in(place) == rows(server.site.database)
    assert sorted(path.name for path in place.glob("backup*")) == ["backup.lock"]


def test_a_cut_restore_is_not_served_and_goes_on(local: EmbeddedServer, tmp_path: Path) -> None:
    client = Client(local.url, local.admin_key)
    filled(client)
    back_up(local, tmp_path / "copy")
    with opened(tmp_path / "copy") as backed, opened(tmp_path / "new") as site:

        class Cut(Silent):
            def advance(self, amount: int) -> None:
                raise Killed

        with pytest.raises(Killed):
            restore(kept(backed), kept(site), Cut())
        with pytest.raises(UsageError, match="is restored in part"):
            check_restored(site.database)
    assert restored(tmp_path / "copy", tmp_path / "new").damage == []
    with opened(tmp_path / "new") as site:
        check_restored(site.database)
    assert rows_in(tmp_path / "new") == rows(local.site.database)
    with pytest.raises(UsageError, match="is not empty: artifacts 2"):
        restored(tmp_path / "copy", tmp_path / "new")


def test_gc_and_backups_wait_for_each_other(server: EmbeddedServer, client: Client, tmp_path: Path) -> None:
    filled(client)

    class Collecting(Silent):
        def advance(self, amount: int) -> None:
            with pytest.raises(Busy), server.site.database.dropping_packs("gc"):
                pass

    backup(kept(server.site), tmp_path / "copy", Disk(), Collecting())
    with server.site.database.dropping_packs("gc"):
        pass


def test_a_backup_goes_nowhere_else(local: EmbeddedServer, tmp_path: Path) -> None:
    client = Client(local.url, local.admin_key)
    filled(client)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("mine")
    for name in ("full", "srv"):
        with pytest.raises(UsageError, match="is no backup, and not empty"):
            back_up(local, tmp_path / name)
    back_up(local, tmp_path / "copy")
    with EmbeddedServer(tmp_path / "other") as other, pytest.raises(UsageError, match="of another server"):
        back_up(other, tmp_path / "copy")
    with exclusive(tmp_path / "copy/backup.lock", "it", 0), pytest.raises(Busy):
        back_up(local, tmp_path / "copy")
    with EmbeddedServer(tmp_path / "copy") as running:
        push_version(Client(running.url, client.key), "c", b"here")
        with pytest.raises(UsageError, match="is the server itself"):
            back_up(running, tmp_path / "copy")
    with pytest.raises(UsageError, match="was changed since"):
        back_up(local, tmp_path / "copy")


def test_users_of_a_first_start_alone_are_replaced(local: EmbeddedServer, tmp_path: Path) -> None:
    client = Client(local.url, local.admin_key)
    filled(client)
    back_up(local, tmp_path / "copy")
    with EmbeddedServer(tmp_path / "new") as started:
        assert started.admin_key is not None
    restored(tmp_path / "copy", tmp_path / "new")
    assert rows_in(tmp_path / "new") == rows(local.site.database)
    with EmbeddedServer(tmp_path / "more") as started:
        started.site.accounts.add_user("ada")
    with pytest.raises(UsageError, match="artifacts 0, users 2"):
        restored(tmp_path / "copy", tmp_path / "more")
