"""`verify`: a whole server is whole, also while clients push; each planted damage is found, with what it is of."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from aimdvc.model.progress import Silent
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.ownership import release
from aimdvc.server.schema import audit, nodes, owned_blobs, refs
from aimdvc.server.verify import Verified, verify
from tests.contract.backing import back_up, kept, opened, push_version, restored, rot, rot_small
from tests.contract.git_packs import Made
from tests.contract.server_client import MAIN, Client, pointer_of, report_of, version_with

LARGE = b"large " * 300_000


@pytest.fixture
def local(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server on SQLite and files with one version of `a` and one of `deep/b`."""
    with EmbeddedServer(tmp_path / "srv") as running:
        filled(Client(running.url, running.admin_key))
        yield running


def filled(client: Client) -> None:
    push_version(client, "a", b"small", LARGE)
    push_version(client, "deep/b", b"small", b"other")


def checked(server: EmbeddedServer, with_data: bool = False) -> Verified:
    return verify(kept(server.site), with_data, Silent())


def told(server: EmbeddedServer, with_data: bool = False) -> list[tuple[str, str, str]]:
    return [(one.artifact, one.what, one.reason) for one in checked(server, with_data).damage]


def test_a_server_that_is_pushed_to_is_whole(server: EmbeddedServer, client: Client, tmp_path: Path) -> None:
    filled(client)

    def work(number: int) -> None:
        tip = None
        for turn in range(10):
            tip = push_version(client, f"p{number}", b"%d %d" % (number, turn), parent=tip)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(work, number) for number in range(2)]
        while not all(one.done() for one in running):
            assert told(server, with_data=True) == []
        for one in running:
            one.result()
    done = checked(server, with_data=True)
    assert (done.artifacts, done.refs, done.blobs) == (4, 26, 24)
    assert done.size == len(LARGE) + len(b"smallother") + 60
    assert done.objects == 3 * 22 + 2 and done.entries > 1
    back_up(server, tmp_path / "copy")
    restored(tmp_path / "copy", tmp_path / "new")
    with opened(tmp_path / "new") as site:
        again = verify(kept(site), True, Silent())
    assert again == done


def test_damaged_blobs_are_found_with_who_owns_them(local: EmbeddedServer, tmp_path: Path) -> None:
    large, small, other = (pointer_of(content).oid for content in (LARGE, b"small", b"other"))
    rot(tmp_path / "srv/blobs/files", LARGE)
    rot_small(tmp_path / "srv/blobs/packs", b"small")
    assert told(local) == []
    found = {(path, what) for path, what, reason in told(local, with_data=True) if reason.endswith("; set aside")}
    assert found == {("admin/a", f"blob {large}"), ("admin/a", f"blob {small}"), ("admin/deep/b", f"blob {small}")}
    gone = {(path, what) for path, what, reason in told(local) if reason == "is gone"}
    assert gone == found
    with local.site.database.write() as connection:
        connection.execute(update(owned_blobs).where(owned_blobs.c.oid == bytes.fromhex(other)).values(size=6))
    reasons = {reason for _, what, reason in told(local) if what in (f"blob {other}", "the database")}
    artifact = local.site.catalogue.find_by_path("admin/deep/b")
    assert artifact is not None and reasons == {
        f"the size of artifact {artifact.id} is not that of the blobs that it owns",
        "has 5 bytes, and is owned at another size",
        "a version names it, and the artifact does not own it at that size",
    }


def test_what_only_a_refused_push_names_need_not_be_owned(local: EmbeddedServer) -> None:
    client = Client(local.url, local.admin_key)
    made = Made()
    commit = version_with(made, *client.upload("a", b"abandoned"))
    branch = "refs/heads/b"
    assert report_of(client.push("a", [(None, commit, branch)], made.pack()))[1] == f"ok {branch}"
    report_of(client.push("a", [(commit, None, branch)], b""))
    artifact = local.site.catalogue.find_by_path("admin/a")
    assert artifact is not None
    with local.site.database.write() as connection:
        release(connection, artifact.id, [pointer_of(b"abandoned").oid])
    assert told(local) == []
    oid = pointer_of(LARGE).oid
    with local.site.database.write() as connection:
        release(connection, artifact.id, [oid])
    assert [what for _, what, _ in told(local)] == [f"blob {oid}"]


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_rotten_git_pack_is_found(local: EmbeddedServer, tmp_path: Path, part: float) -> None:
    for suffix in (".pack", ".idx"):
        path = next((tmp_path / "srv/repos").rglob(f"*{suffix}"))
        before = path.read_bytes()
        at = int(len(before) * part)
        path.chmod(0o600)
        path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
        assert any(what in ("git packs", f"git pack {path.stem}.pack") for _, what, _ in told(local)), suffix
        path.write_bytes(before)
    assert told(local) == []
    for name in (path, path.with_suffix(".pack")):
        name.unlink()
    assert {what for _, what, _ in told(local)} == {MAIN, "refs/tags/v1"}


def test_rows_that_do_not_fit_are_found(server: EmbeddedServer, client: Client) -> None:
    filled(client)
    artifact = server.site.catalogue.find_by_path("admin/a")
    assert artifact is not None and told(server) == []
    root = {"id": "0" * 32, "parent": "1" * 32, "kind": "folder", "name": "x", "name_key": "x"}
    with server.site.database.write() as connection:
        connection.execute(insert(nodes), {**root, "owner": "", "created_s": 0.0})
        connection.execute(update(audit).where(audit.c.number == 2).values(target="nobody"))
        connection.execute(update(refs).where(refs.c.name == b"refs/tags/v1").values(target="2" * 40))
    assert {(path, what) for path, what, _ in told(server)} == {
        ("", "the database"),
        ("", "the audit log"),
        ("admin/a", "refs/tags/v1"),
        ("admin/deep/b", "refs/tags/v1"),
    }
    assert told(server)[0][2] == f"node {'0' * 32} lies in no folder"
    assert told(server)[1][2] == "entry 2 is not what was written"
