"""What was removed goes for good after its days, or at once where somebody says so: all of it, and nothing else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from aimdvc.errors import Busy
from aimdvc.model.progress import Silent
from aimdvc.server.audit import read_audit
from aimdvc.server.catalogue import Artifact
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import DAY_S, Graces, Report, collect
from aimdvc.server.guard import HttpError
from aimdvc.server.ownership import claim
from aimdvc.server.purging import due, purge_now
from aimdvc.server.removal import Removed
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import metadata, nodes, removed_nodes
from aimdvc.server.stats import read_stats
from aimdvc.server.verify import verify
from tests.contract.backing import back_up, kept, opened, push_version
from tests.contract.server_client import Client, pointer_of
from tests.contract.test_server_gc import age

JSON = {"Content-Type": "application/json"}
OWN, BOTH = b"of the removed alone\n" * 3000, b"of both\n" * 5000


class Ground:
    """The artifact admin/keep, and admin/old with admin/old/a, whose rights, locks and quotas fill every table."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server, self.site = server, server.site
        self.client = Client(server.url, server.admin_key)
        self.commit = push_version(self.client, "keep", BOTH)
        accounts, site = self.site.accounts, self.site
        self.ada = Client(server.url, accounts.add_key(accounts.add_user("ada"), "admin"))
        push_version(self.client, "old/a", OWN, BOTH)
        push_version(self.client, "old/sub/b", OWN)
        site.folders.share(SYSTEM, "admin/old", "user", "ada", "edit")
        site.folders.share(SYSTEM, "admin/old/sub/b", "user", "ada", "view")
        site.protections.protect(SYSTEM, "admin/old", "heads/x", "nobody", "")
        site.quotas.set("admin/old/a", 1_000_000)
        site.quotas.set("user:admin", 1_000_000)
        assert self.client.request("POST", "/old/a.git/info/lfs/locks", b'{"path": "x"}', LFS).status == 201
        self.artifact = site.artifact(SYSTEM, "admin/old/a").id

    def remove(self, days: float = 31) -> Removed:
        gone = self.site.removals.remove(SYSTEM, "admin/old", True)
        with self.site.database.write() as connection:
            older = removed_nodes.c.removed_s - days * DAY_S
            connection.execute(update(removed_nodes).where(removed_nodes.c.node == gone.id).values(removed_s=older))
        age(self.server, 0)
        return gone

    def purge(self, node: str) -> None:
        purge_now(self.site.database, self.site.storage, node)

    def gc(self, is_applied: bool = True, graces: Graces | None = None) -> Report:
        return collect(self.site.database, self.site.storage, graces or Graces(), is_applied, Silent())

    def rows(self) -> dict[str, int]:
        with self.site.database.read() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
                if table.name not in ("audit", "settings", "stored_blobs", "trashed_blobs", "keys")
            }

    def check(self) -> None:
        """What is alive is whole, and verify finds nothing wrong."""
        assert verify(kept(self.site), True, Silent()).damage == []
        assert self.client.refs("keep")["refs/tags/v1"] == self.commit
        href = self.client.batch("keep", "download", [pointer_of(BOTH)]).json()["objects"][0]["actions"]["download"]
        assert self.client.request("GET", href["href"], key=False).body == BOTH


LFS = {"Content-Type": "application/vnd.git-lfs+json"}


@pytest.fixture
def ground(server: EmbeddedServer) -> Ground:
    return Ground(server)


def packs_of(ground: Ground, kept: Path) -> Iterator[Path]:
    """Yields what the storage still has of the artifact alone, on the disk or in the bucket; its lock is empty."""
    found = (path for path in kept.rglob("*") if ground.artifact in str(path) and path.suffix != ".lock")
    yield from (path for path in found if path.is_file() or path.suffix in (".git", ".gone"))


def test_gc_takes_what_was_removed_long_ago_and_all_that_hangs_on_it(ground: Ground, kept: Path) -> None:
    used = {one.subject: one.used for one in ground.site.quotas.read()}
    assert used == {"admin/old/a": len(OWN) + len(BOTH), "user:admin": 2 * (len(OWN) + len(BOTH))}
    gone = ground.remove()
    assert ground.gc(graces=Graces(removed_s=32 * DAY_S)).removed == []
    told = ground.gc(is_applied=False).removed
    assert [(one.id, one.path, one.artifacts, one.size) for one in told] == [
        (gone.id, "admin/old", 2, 2 * len(OWN) + len(BOTH))
    ]
    assert len(ground.site.removals.read()) == 1 and any(packs_of(ground, kept)), "it only told"
    assert [one.id for one in ground.gc().removed] == [gone.id]
    rows = ground.rows()
    only = {
        "users": 2,
        "nodes": 3,
        "owned_blobs": 1,
        "refs": 2,
        "ref_history": 2,
        "described": 1,
        "quotas": 1,
        "aimd_versions": 1,
    }
    assert {name: count for name, count in rows.items() if count} == {**only, **_packs(rows)}
    assert list(packs_of(ground, kept)) == []
    ground.check()
    assert read_stats(ground.site.database).artifacts == 1
    assert [(one.subject, one.used) for one in ground.site.quotas.read()] == [("user:admin", len(BOTH))]
    # Blobs that nobody else owns go as all do: at a run that comes the grace later.
    assert ground.site.storage.blobs.missing([pointer_of(OWN).oid]) == set()
    age(ground.server, 0)
    assert ground.gc(graces=Graces(blobs_s=-60)).unowned == 1
    assert ground.site.storage.blobs.missing([pointer_of(OWN).oid, pointer_of(BOTH).oid]) == {pointer_of(OWN).oid}
    assert len(ground.site.storage.keeping.batches()) == 1
    entry = [one for one in read_audit(ground.site.database) if one.action == "node.purge"]
    assert [(one.target, one.user) for one in entry] == [("admin/old", "")]
    ground.check()
    for who, status in ((ground.client, 404), (ground.ada, 404)):
        assert who.request("GET", "/admin/old/a.git/info/refs?service=git-upload-pack").status == status
    for wanted in ("admin/old", gone.id):
        with pytest.raises(HttpError, match="nothing was removed from there"):
            ground.site.removals.restore(SYSTEM, wanted)


def _packs(rows: dict[str, int]) -> dict[str, int]:
    return {"git_packs": 1} if rows["git_packs"] else {}


def test_a_clock_that_jumps_ahead_purges_nothing_at_the_next_run(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.gc()
    ground.site.removals.remove(SYSTEM, "admin/old", True)
    with monkeypatch.context() as patch:
        patch.setattr("aimdvc.server.gc.now_s", lambda: 9e10)
        assert ground.gc().removed == []
    assert ground.site.removals.restore(SYSTEM, "admin/old") == "admin/old"
    ground.check()


def test_of_what_was_removed_from_one_path_each_goes_by_its_id(ground: Ground) -> None:
    removals = ground.site.removals
    first = removals.remove(SYSTEM, "admin/old", True)
    content = b"made again\n" * 10
    push_version(ground.client, "old", content)
    second = removals.remove(SYSTEM, "admin/old")
    push_version(ground.client, "old", content)
    with pytest.raises(HttpError, match=f"2 were removed from 'admin/old': .*: {second.id}, {first.id}"):
        removals.find("admin/OLD/")
    assert removals.find(second.id).id == second.id
    ground.purge(second.id)
    assert [one.id for one in removals.read()] == [first.id] == [removals.find("admin/old").id]
    assert ground.client.refs("old"), "what lies there now stays"
    assert removals.restore(SYSTEM, first.id, "admin/back") == "admin/back"
    assert [one["path"] for one in ground.ada.request("GET", "/api/v1/folders/admin/back").json()["nodes"]] == [
        "admin/back/a",
        "admin/back/sub",
    ]
    ground.check()


@pytest.mark.parametrize("step", ["sealed", "refs", "packs", "rows"])
def test_a_purge_that_was_cut_is_whole_for_all_others_and_finished_by_the_next_run(
    ground: Ground, step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = ground.remove(days=0)
    broken = {
        "sealed": ("aimdvc.server.purging._purge_artifact", 0),
        "refs": (f"{type(ground.site.storage).__module__}.{type(ground.site.storage).__name__}.drop_artifact", 0),
        "packs": ("aimdvc.server.purging._delete", 0),
        "rows": ("aimdvc.server.purging._delete", 2),
    }
    name, calls = broken[step]
    with monkeypatch.context() as patch:
        patch.setattr(name, Cut(calls, name))
        with pytest.raises(KeyboardInterrupt):
            ground.purge(gone.id)
    ground.check()
    assert [(one.id, one.is_ending) for one in ground.site.removals.read()] == [(gone.id, True)]
    with pytest.raises(HttpError, match="is being deleted for good"):
        ground.site.removals.restore(SYSTEM, "admin/old")
    assert back_up(ground.server, tmp_path / "backup").damage == []
    with opened(tmp_path / "backup") as copy:
        assert verify(kept(copy), True, Silent()).damage == []
        assert [one.id for one in due(copy.database, 0)] == [gone.id]
        purge_now(copy.database, copy.storage, gone.id)
        assert copy.removals.read() == [] and verify(kept(copy), True, Silent()).damage == []
    assert [one.id for one in ground.gc().removed] == [gone.id]
    assert ground.site.removals.read() == [] and ground.rows()["nodes"] == 3
    ground.check()


class Cut:
    """Stands for a function: the n-th call ends the command, those before do their work."""

    def __init__(self, calls: int, name: str) -> None:
        module, _, attribute = name.rpartition(".")
        self._real = pytest.importorskip(module).__dict__[attribute] if calls else None
        self._left = calls

    def __call__(self, *given: object) -> object:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        assert self._real is not None
        return self._real(*given)


def test_pushes_and_purges_wait_for_each_other(ground: Ground) -> None:
    gone = ground.remove()
    database = ground.site.database
    with database.using_packs(ground.artifact):
        with pytest.raises(Busy):
            ground.purge(gone.id)
        assert ground.gc().busy == ["admin/old"]
    with database.using_packs("gc"), pytest.raises(Busy):
        ground.purge(gone.id)
    ground.check()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: _purged(ground, gone.id), range(4)))
    assert done.count(True) == 1 and ground.site.removals.read() == []
    ground.check()


def test_of_a_purge_and_a_restore_at_once_one_wins(ground: Ground) -> None:
    gone = ground.remove()
    with ThreadPoolExecutor(2) as pool:
        purged = pool.submit(_purged, ground, gone.id)
        restored = pool.submit(_restored, ground)
    assert {purged.result(), restored.result()} == {True, False}
    assert ground.site.removals.read() == []
    assert ground.rows()["nodes"] == (3 if purged.result() else 7)
    with pytest.raises(HttpError, match="meanwhile"):
        ground.purge(gone.id)
    ground.check()


def _restored(ground: Ground) -> bool:
    try:
        return ground.site.removals.restore(SYSTEM, "admin/old") == "admin/old"
    except HttpError:
        return False


def _purged(ground: Ground, node: str) -> bool:
    try:
        ground.purge(node)
    except (Busy, HttpError):
        return False
    return True


def test_who_waited_or_was_sending_finds_nothing_to_send_to(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push, an upload in pieces and a claim that began before the removal, and go on after the purge."""
    gone = ground.site.removals.remove(SYSTEM, "admin/old", True)
    uploads, pointer = ground.site.storage.uploads, pointer_of(b"in pieces" * 9)
    sending = uploads.open(ground.artifact, pointer) if uploads is not None else None
    ground.purge(gone.id)
    if sending is not None:
        with sending, pytest.raises(HttpError) as told:
            sending.append(b"in")
        assert told.value.status == 409
    with pytest.raises(HttpError) as refused:
        claim(ground.site.database, ground.artifact, [pointer])
    assert refused.value.status == 404
    found = Artifact(ground.artifact, "admin/old/a")
    monkeypatch.setattr("aimdvc.server.catalogue.Catalogue.ensure", lambda *_: found)
    assert ground.client.push("old/a", [(ground.commit, None, "refs/heads/main")], b"").status == 404
    with ground.site.database.read() as connection:
        assert connection.scalar(select(nodes.c.id).where(nodes.c.id == ground.artifact)) is None
    ground.check()
