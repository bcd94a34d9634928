"""gc against what would make it take too much: slow pushes, clocks that jump, packs that no git writes. S18."""

import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.model.oid import GitId
from aimdvc.model.pointer import encode_pointer
from aimdvc.server.database import now_s
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import DAY_S, Report
from aimdvc.server.guard import HttpError
from aimdvc.server.limits import Limits
from aimdvc.server.moves import Wish, put_back
from aimdvc.server.rights import SYSTEM
from tests.contract.git_packs import BLOB, EMPTY_PACK, Made, header
from tests.contract.server_client import MAIN, Client, first_version, pointer_of, report_of, version_with
from tests.contract.test_server_gc import LOST, age, forced_away, is_there, run_gc

SIDE = "refs/heads/side"


def artifact_id(server: EmbeddedServer, path: str = "admin/a") -> str:
    artifact = server.site.catalogue.find_by_path(path)
    assert artifact is not None
    return artifact.id


def test_a_push_that_is_slower_than_two_runs_keeps_its_blobs(tmp_path: Path) -> None:
    """Between its look at the blobs and its pack's appearance gc runs as often as it likes, without any grace."""
    reports: list[Report] = []

    def before(operation: str, path: Path | str) -> None:
        if operation in ("rename", "link") and str(path).endswith(".idx") and armed:
            armed.clear()
            reports.extend(run_gc(server) for _ in range(3))

    armed: list[bool] = []
    with EmbeddedServer(tmp_path / "srv", disk=Disk(before)) as server:
        client = Client(server.url, server.admin_key)
        commit = first_version(client)
        client.upload("a", LOST)
        made = Made()
        second = version_with(made, pointer_of(LOST), parents=(commit,))
        armed.append(True)
        assert report_of(client.push("a", [(commit, second, MAIN)], made.pack()))[1] == f"ok {MAIN}"
        assert len(reports) == 3
        assert is_there(client, LOST)
        run_gc(server)
        assert run_gc(server).artifacts == []


def test_a_pointer_that_was_deflated_oddly_keeps_its_blob(client: Client, server: EmbeddedServer) -> None:
    """What nobody's git writes is taken by a push all the same: thousands of empty blocks before the text."""
    client.upload("a", LOST)
    text = encode_pointer(pointer_of(LOST))
    empty = b"\x00\x00\x00\xff\xff"
    raw = b"\x78\x01" + empty * 2000 + b"\x01" + struct.pack("<HH", len(text), len(text) ^ 0xFFFF) + text
    made = Made()
    name = made.blob(text)
    made.entries[-1] = header(BLOB, len(text)) + raw + struct.pack(">I", zlib.adler32(text))
    commit = made.commit(made.tree([(b"100644", b"f", name)]))
    assert report_of(client.push("a", [(None, commit, MAIN)], made.pack()))[1] == f"ok {MAIN}"
    for _ in range(2):
        assert run_gc(server).artifacts == []
    assert is_there(client, LOST)


def test_a_tag_of_a_tree_keeps_the_tree_and_its_blobs(client: Client, server: EmbeddedServer, tmp_path: Path) -> None:
    forced_away(client, server)
    made = Made()
    client.upload("a", b"of a tree")
    tree = made.tree([(b"100644", b"f", made.blob(encode_pointer(pointer_of(b"of a tree"))))])
    text = f"object {tree}\ntype tree\ntag t\ntagger A <a@b> 1700000000 +0000\n\nm\n".encode()
    tag = made.add(4, text)
    updates = [(None, tree, "refs/tags/plain"), (None, tag, "refs/tags/annotated")]
    assert report_of(client.push("a", updates, made.pack())) == ["unpack ok", *(f"ok {ref}" for *_, ref in updates)]
    age(server, 31)
    for _ in range(3):
        assert run_gc(server).failed == []
    assert is_there(client, b"of a tree")
    with server.site.storage.repository(artifact_id(server)) as repository:
        assert repository.has(GitId(tree)) and repository.has(GitId(tag))
    url = server.url.replace("http://", f"http://x:{server.admin_key}@")
    subprocess.run(["git", "clone", "-q", f"{url}/a", str(tmp_path / "clone")], check=True)
    subprocess.run(["git", "cat-file", "-p", "annotated:f"], cwd=tmp_path / "clone", check=True)


def test_an_empty_tree_stays(client: Client, server: EmbeddedServer, tmp_path: Path) -> None:
    made = Made()
    commit = made.commit(made.tree([]))
    client.push("a", [(None, commit, MAIN)], made.pack())
    left = version_with(made, *client.upload("a", LOST), parents=(commit,))
    client.push("a", [(None, left, SIDE)], made.pack())
    client.push("a", [(left, None, SIDE)], b"")
    age(server, 31)
    assert run_gc(server).artifacts[0].dropped > 0
    url = server.url.replace("http://", f"http://x:{server.admin_key}@")
    subprocess.run(["git", "clone", "-q", f"{url}/a", str(tmp_path / "clone")], check=True)
    subprocess.run(["git", "fsck", "--strict"], cwd=tmp_path / "clone", check=True)


def test_a_clock_that_jumps_ahead_drops_nothing_by_itself(
    client: Client, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_gc(server)
    _, left = forced_away(client, server)
    # As one upload leaves it whose claim is still to come.
    server.site.storage.blobs.receive(pointer_of(b"on its way"), iter([b"on its way"]))
    monkeypatch.setattr("aimdvc.server.gc.now_s", lambda: now_s() + 9e8)
    report = run_gc(server, grace_s=14 * DAY_S, keep_s=30 * DAY_S)
    assert (report.artifacts, report.unowned) == ([], 0)
    with server.site.storage.repository(artifact_id(server)) as repository:
        assert repository.has(GitId(left))


class Killed(BaseException):
    """The process dies here."""


def test_what_was_dropped_by_a_run_that_was_cut_is_counted_on_by_nobody(tmp_path: Path) -> None:
    """The packs are listed as dropped, and not deleted yet: no push or restored ref may rest on them."""
    with EmbeddedServer(tmp_path / "srv") as server:
        _, left = forced_away(Client(server.url, server.admin_key), server)
        age(server, 31)

    def before(operation: str, path: Path | str) -> None:
        if operation == "unlink" and str(path).endswith(".pack"):
            raise Killed

    with EmbeddedServer(tmp_path / "srv", disk=Disk(before)) as server, pytest.raises(Killed):
        run_gc(server)
    with EmbeddedServer(tmp_path / "srv") as server:
        client = Client(server.url, server.site.accounts.add_key(server.site.accounts.user("admin").id, "admin"))
        with pytest.raises(HttpError, match="is missing"):
            put_back(server.site, SYSTEM, "admin/a", Wish(SIDE, left))
        report = report_of(client.push("a", [(None, left, "refs/heads/more")], EMPTY_PACK))
        assert report[1] == "ng refs/heads/more missing necessary objects"
        assert run_gc(server).failed == []


def test_what_was_pushed_in_parts_may_be_more_than_one_push(tmp_path: Path) -> None:
    """All that is kept goes into one new pack, however much it is."""
    with EmbeddedServer(tmp_path / "srv", limits=Limits(git_objects=6)) as server:
        client = Client(server.url, server.admin_key)
        commit, _ = forced_away(client, server)
        for number in range(3):
            made = Made()
            new = version_with(made, *client.upload("a", b"%d" % number), parents=(commit,))
            assert report_of(client.push("a", [(commit, new, MAIN)], made.pack()))[1] == f"ok {MAIN}"
            commit = new
        age(server, 31)
        report = run_gc(server)
        assert (report.failed, report.artifacts[0].dropped) == ([], 3)
