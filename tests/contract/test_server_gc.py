"""gc on a server: what goes, when, and what keeps it; on SQLite with files and on PostgreSQL with a bucket. S18."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from aimdvc.fs.disk import Disk
from aimdvc.model.oid import GitId, Oid
from aimdvc.model.progress import Silent
from aimdvc.server.database import now_s
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import DAY_S, Graces, Report, collect
from aimdvc.server.gc_blobs import iter_named
from aimdvc.server.gc_trash import empty, list_runs, restore_run
from aimdvc.server.gc_why import keepers
from aimdvc.server.refs import has_abandoned
from aimdvc.server.repositories import Repository
from aimdvc.server.schema import owned_blobs, ref_history, settings
from tests.contract.git_packs import Made
from tests.contract.server_client import BLOB, MAIN, Client, first_version, pointer_of, report_of, version_with

LOST = b"uploaded, and never pushed\n" * 5


def run_gc(server: EmbeddedServer, is_applied: bool = True, grace_s: float = 0, keep_s: float = 0) -> Report:
    site = server.site
    return collect(site.database, site.storage, Graces(grace_s, keep_s), is_applied, Silent())


def age(server: EmbeddedServer, days: float) -> None:
    """Makes all that the database tells the time of older, and as if a run had begun in a minute from now."""
    with server.site.database.write() as connection:
        newest = connection.scalar(select(func.max(ref_history.c.id))) or 0
        connection.execute(delete(settings).where(settings.c.name == "gc_last"))
        connection.execute(insert(settings), {"name": "gc_last", "value": b"%d %d" % (now_s() + 60, newest)})
        for column in (owned_blobs.c.marked_s, ref_history.c.time_s):
            connection.execute(update(column.table).values({column: column - days * DAY_S}))


def is_there(client: Client, content: bytes, artifact: str = "a") -> bool:
    return "actions" in client.batch(artifact, "download", [pointer_of(content)]).json()["objects"][0]


def test_what_nothing_names_goes_at_the_second_run_and_comes_back(client: Client, server: EmbeddedServer) -> None:
    first_version(client)
    client.upload("a", LOST)
    told = run_gc(server, is_applied=False)
    assert (told.artifacts[0].artifact, told.artifacts[0].swept.marked) == ("admin/a", 1)
    assert run_gc(server, is_applied=False).artifacts[0].swept.marked == 1, "a run that only tells changes nothing"
    assert run_gc(server, grace_s=14 * DAY_S).artifacts[0].swept.marked == 1
    assert run_gc(server, grace_s=14 * DAY_S).artifacts[0].swept.waiting == 1
    assert is_there(client, LOST)
    age(server, 15)
    assert run_gc(server, is_applied=False, grace_s=14 * DAY_S).artifacts[0].swept.taken == 1
    assert run_gc(server, grace_s=14 * DAY_S).artifacts[0].swept.taken == 1
    assert not is_there(client, LOST) and is_there(client, BLOB)
    # Wanted a moment ago, when it was uploaded; so the bytes go later.
    assert server.site.storage.blobs.missing([pointer_of(LOST).oid]) == set()
    server.site.storage.keeping.take([pointer_of(LOST).oid], int(now_s()) + 10)
    (run,) = list_runs(server.site.database)
    assert (run.artifacts, run.blobs, run.size) == (["admin/a"], 1, len(LOST))
    for _ in range(2):
        restore_run(server.site.database, server.site.storage, run.run)
    assert is_there(client, LOST)
    assert b"".join(server.site.storage.blobs.iter_blob(pointer_of(LOST))) == LOST
    assert list_runs(server.site.database) == []


def test_two_runs_are_needed_whatever_the_clock_says(
    client: Client, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_version(client)
    client.upload("a", LOST)
    with monkeypatch.context() as patch:
        # A clock that was years ahead when it was marked, and one that jumps ahead afterwards.
        patch.setattr("aimdvc.server.gc_blobs.now_s", lambda: now_s() + 9e8)
        assert run_gc(server, grace_s=DAY_S).artifacts[0].swept.taken == 0
    assert run_gc(server, grace_s=DAY_S).artifacts[0].swept.taken == 0
    assert is_there(client, LOST)


WANTED: dict[str, Callable[[Client], object]] = {
    "an upload": lambda client: client.upload("a", LOST),
    "a batch": lambda client: client.batch("a", "upload", [pointer_of(LOST)]),
}


@pytest.mark.parametrize("how", WANTED)
def test_what_is_wanted_between_the_runs_stays(client: Client, server: EmbeddedServer, how: str) -> None:
    commit = first_version(client)
    client.upload("a", LOST)
    run_gc(server)
    WANTED[how](client)
    report = run_gc(server)
    assert [one.swept.taken for one in report.artifacts] == [0]
    made = Made()
    second = version_with(made, pointer_of(LOST), parents=(commit,))
    assert report_of(client.push("a", [(commit, second, MAIN)], made.pack())) == ["unpack ok", f"ok {MAIN}"]
    for _ in range(3):
        assert run_gc(server).artifacts == []
    assert is_there(client, LOST)


def test_a_push_that_ran_between_the_runs_keeps_its_blobs(client: Client, server: EmbeddedServer) -> None:
    """Without any batch before it: the push itself takes the mark away."""
    commit = first_version(client)
    client.upload("a", LOST)
    run_gc(server)
    made = Made()
    second = version_with(made, pointer_of(LOST), parents=(commit,))
    assert report_of(client.push("a", [(commit, second, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    assert run_gc(server).artifacts == []
    assert is_there(client, LOST)


def test_a_push_amid_a_run_keeps_its_blobs(
    client: Client, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when the packs were read already, in which nothing names its blob yet."""
    commit = first_version(client)
    client.upload("a", LOST)
    run_gc(server)
    made = Made()
    second = version_with(made, pointer_of(LOST), parents=(commit,))
    pack = made.pack()

    def then_push(repository: Repository) -> set[bytes]:
        named = set(iter_named(repository))
        assert report_of(client.push("a", [(commit, second, MAIN)], pack))[1] == f"ok {MAIN}"
        return named

    with monkeypatch.context() as patch:
        patch.setattr("aimdvc.server.gc_blobs.iter_named", then_push)
        assert run_gc(server).artifacts[0].swept.taken == 0
    assert run_gc(server).artifacts == []
    assert is_there(client, LOST)


def forced_away(client: Client, server: EmbeddedServer) -> tuple[str, str]:
    """Makes a branch, and leaves its commit by a force push; returns main's commit and the one that was left."""
    commit = first_version(client)
    client.upload("a", LOST)
    made = Made()
    left = version_with(made, pointer_of(LOST), parents=(commit,))
    side = "refs/heads/side"
    assert report_of(client.push("a", [(None, left, side)], made.pack()))[1] == f"ok {side}"
    assert report_of(client.push("a", [(left, commit, side)], made.pack()))[1] == f"ok {side}"
    return commit, left


def test_commits_that_refs_left_go_after_a_while_and_their_blobs_after_them(
    client: Client, server: EmbeddedServer, tmp_path: Path
) -> None:
    commit, left = forced_away(client, server)
    site = server.site
    artifact = site.catalogue.find_by_path("admin/a")
    assert artifact is not None
    assert run_gc(server, keep_s=30 * DAY_S).artifacts == [], "left just now"
    assert has_abandoned(site.database, artifact.id)
    age(server, 31)
    assert run_gc(server, is_applied=False, keep_s=30 * DAY_S).artifacts[0].dropped == 3
    assert run_gc(server, keep_s=30 * DAY_S).artifacts[0].dropped == 3
    with site.storage.repository(artifact.id) as repository:
        assert len(repository.packs()) == 1
        assert not repository.has(GitId(left)) and repository.has(GitId(commit))
    assert not has_abandoned(site.database, artifact.id), "clones get the packs as they are again"
    assert run_gc(server).artifacts[0].swept.taken == 1
    assert not is_there(client, LOST) and is_there(client, BLOB)
    url = server.url.replace("http://", f"http://x:{server.admin_key}@")
    subprocess.run(["git", "clone", "-q", f"{url}/a", str(tmp_path / "clone")], check=True)
    subprocess.run(["git", "fsck", "--strict"], cwd=tmp_path / "clone", check=True)
    made = Made()
    again = version_with(made, *client.upload("a", LOST), parents=(commit,))
    assert report_of(client.push("a", [(commit, again, MAIN)], made.pack()))[1] == f"ok {MAIN}"


def test_a_push_that_is_running_keeps_what_it_may_count_on(client: Client, server: EmbeddedServer) -> None:
    _, left = forced_away(client, server)
    artifact = server.site.catalogue.find_by_path("admin/a")
    assert artifact is not None
    age(server, 31)
    with server.site.database.using_packs(artifact.id):
        report = run_gc(server)
        assert report.busy == ["admin/a"]
    made = Made()
    onto = made.commit(made.tree([]), (left,))
    # The server has what it stands on still.
    assert report_of(client.push("a", [(None, onto, "refs/heads/more")], made.pack()))[1] == "ok refs/heads/more"
    assert run_gc(server).artifacts == []
    assert client.refs("a")["refs/heads/more"] == onto


def test_an_artifact_that_can_not_be_read_keeps_all(client: Client, server: EmbeddedServer, tmp_path: Path) -> None:
    first_version(client)
    client.upload("a", LOST)
    client.upload("b", LOST + b"b")
    run_gc(server)
    for path in tmp_path.glob("srv/**/*.pack"):
        if path.parent.parent.name == "objects":
            path.chmod(0o600)
            path.write_bytes(b"PACK" + path.read_bytes()[4:40])
    report = run_gc(server)
    assert [path for path, _ in report.failed] == ["admin/a"]
    assert [one.artifact for one in report.artifacts] == ["admin/b"]
    assert is_there(client, LOST)


def test_what_nobody_owns_goes_when_nobody_wanted_it_for_the_grace(client: Client, server: EmbeddedServer) -> None:
    first_version(client)
    storage = server.site.storage
    run_gc(server)
    for content in (LOST, b"x" * 200_000):
        storage.blobs.receive(pointer_of(content), iter([content]))
    assert run_gc(server, is_applied=False, grace_s=-60).unowned == 0, "wanted since the last run began"
    assert run_gc(server, grace_s=DAY_S).unowned == 0
    age(server, 0)
    assert run_gc(server, is_applied=False, grace_s=-60).unowned == 2
    assert run_gc(server, grace_s=-60).unowned == 2
    assert storage.blobs.missing([pointer_of(LOST).oid, pointer_of(BLOB).oid]) == {pointer_of(LOST).oid}
    assert empty(server.site.database, storage, DAY_S) == 0
    assert empty(server.site.database, storage, -60) >= 200_000
    assert storage.keeping.batches() == []
    assert is_there(client, BLOB)


def test_it_tells_what_keeps_a_blob(client: Client, server: EmbeddedServer) -> None:
    forced_away(client, server)
    site = server.site

    def told(content: bytes) -> list[tuple[str, str | None, str | None]]:
        return [(one.how, one.ref, one.path) for one in keepers(site.database, site.storage, pointer_of(content).oid)]

    assert told(BLOB) == [("a ref reaches it", "refs/heads/main", "f0000")]
    assert told(LOST) == [("no ref reaches it: it was uploaded lately, or a ref left it lately", None, None)]
    assert told(b"nobody's") == []
    age(server, 31)
    run_gc(server)
    assert told(LOST)[0][0] == "nothing names it: gc marked it"
    run_gc(server)
    assert told(LOST)[0][0] == "gc took it: it is in the trash"
    assert keepers(site.database, site.storage, Oid("0" * 64)) == []


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("nth", range(12))
def test_dropping_commits_cut_anywhere_leaves_a_whole_repository(tmp_path: Path, nth: int) -> None:
    """Case S18: cut at each durable step, all that refs reach is there, and the next run finishes it."""
    with EmbeddedServer(tmp_path / "srv") as server:
        client = Client(server.url, server.admin_key)
        commit, left = forced_away(client, server)
        age(server, 31)
    steps = iter(range(1000))

    def before(operation: str, path: Path | str) -> None:
        if re.search("incoming|pack|dropped", str(path)) and next(steps) == nth:
            raise Killed

    with EmbeddedServer(tmp_path / "srv", disk=Disk(before)) as server, pytest.raises(Killed):
        run_gc(server)
    with EmbeddedServer(tmp_path / "srv") as server:
        artifact = server.site.catalogue.find_by_path("admin/a")
        assert artifact is not None
        with server.site.storage.repository(artifact.id) as repository:
            assert repository.has(GitId(commit))
        run_gc(server)
        with server.site.storage.repository(artifact.id) as repository:
            names = [name for pack in repository.packs() for name in pack.names()]
        assert bytes.fromhex(left) not in names and bytes.fromhex(commit) in names
        assert len(names) == len(set(names))
        assert len(list((tmp_path / "srv").glob("repos/*/*.git/objects/pack/*"))) == 2
        url = server.url.replace("http://", f"http://x:{client.key}@")
        subprocess.run(["git", "clone", "-q", f"{url}/a", str(tmp_path / "clone")], check=True)
        subprocess.run(["git", "fsck", "--strict"], cwd=tmp_path / "clone", check=True)
