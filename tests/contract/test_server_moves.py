"""Refs that are put back to where they stood."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from subprocess import run
from typing import Any, cast

import pytest
from sqlalchemy import delete, update

from aimdvc.errors import Busy
from aimdvc.model.oid import Oid
from aimdvc.model.progress import Silent
from aimdvc.server.audit import read_audit
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import DAY_S, Graces, collect
from aimdvc.server.moves import Wish, put_back
from aimdvc.server.refs import RESTORE_ABANDONS, has_abandoned
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import owned_blobs, ref_history
from aimdvc.server.storage import Storage
from tests.contract.git_packs import EMPTY_PACK, Made
from tests.contract.server_client import MAIN, Client, report_of, version_with

TOPIC, ALIAS = "refs/heads/topic", "refs/aliases/production"
JSON = {"Content-Type": "application/json"}


class Line:
    """An artifact `a` with the versions 1, 2 and 3, each with a blob of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.made = Made()
        self.commits: list[str] = []
        for number in range(3):
            self.commits.append(self.version(b"blob %d" % number, *self.commits[-1:]))
        self.push((None, self.commits[2], MAIN), (None, self.commits[1], ALIAS))

    def version(self, content: bytes, *parents: str) -> str:
        return version_with(self.made, *self.client.upload("a", content), parents=parents)

    def push(self, *updates: tuple[str | None, str | None, str], pack: bytes | None = None) -> None:
        report = report_of(self.client.push("a", updates, self.made.pack() if pack is None else pack))
        assert all(line.startswith(("ok", "unpack ok")) for line in report), report

    def moves(self, ref: str) -> list[Any]:
        reply = self.client.request("GET", f"/api/v1/moves/a?ref={ref}")
        return list(reply.json()["moves"])

    def restore(self, ref: str, commit: str, status: int = 200, **more: str) -> Any:
        wish = {"ref": ref, "commit": commit, **more}
        encoded = "{" + ",".join(f'"{name}":"{value}"' for name, value in wish.items()) + "}"
        reply = self.client.request("PUT", "/api/v1/refs/a", encoded.encode(), JSON)
        assert reply.status == status, reply.body
        return reply.json()


@pytest.fixture
def line(client: Client) -> Line:
    return Line(client)


def test_main_goes_back_and_forth_and_versions_keep_their_numbers(line: Line, server: EmbeddedServer) -> None:
    one, _, three = line.commits
    first = line.client.refs("a")
    line.push((three, (four := line.version(b"four", three)), MAIN))
    assert line.restore("main", three[:8]) == {"ref": MAIN, "old": four, "new": three}
    found = line.client.refs("a")
    assert {name: found[name] for name in first} == first
    assert found["refs/tags/v4"] == four
    other = line.version(b"other", three)
    line.push((three, other, MAIN))
    assert line.client.refs("a")["refs/tags/v5"] == other
    line.restore(MAIN, four)
    assert (line.client.refs("a")[MAIN], "refs/tags/v6" in line.client.refs("a")) == (four, False)
    assert line.restore(MAIN, four)["old"] == four
    assert [(move["why"], move["old"], move["new"]) for move in line.moves(MAIN)] == [
        ("restored", other, four),
        ("push", three, other),
        ("restored", four, three),
        ("push", three, four),
        ("push", None, three),
    ]
    entries = [entry for entry in read_audit(server.site.database) if entry.action == "ref.restore"]
    assert [(entry.user, entry.target, entry.detail) for entry in entries] == [
        ("admin", "admin/a", {"ref": MAIN, "old": four, "new": three}),
        ("admin", "admin/a", {"ref": MAIN, "old": other, "new": four}),
    ]
    assert line.restore("main", one, 404)["message"] == f"{MAIN} never stood at '{one}'"
    assert line.restore("main", "v1")["new"] == one


def test_what_a_forced_push_left_comes_back_whole(line: Line, server: EmbeddedServer, tmp_path: Path) -> None:
    line.push((None, (left := line.version(b"left", line.commits[0])), TOPIC))
    line.push((left, (forced := line.version(b"forced")), TOPIC))
    line.push((forced, None, TOPIC), pack=b"")
    assert [move["is_kept"] for move in line.moves(TOPIC)] == [True, True, False]
    line.restore("heads/topic", left)
    clone = tmp_path / "clone"
    url = f"{server.url.replace('//', f'//x:{server.admin_key}@')}/a.git"
    run(["git", "clone", "-q", "-b", "topic", url, str(clone)], check=True)
    run(["git", "fsck", "--strict"], cwd=clone, check=True, capture_output=True)
    # Whoever had it may not see what was forced in between.
    artifact = server.site.artifact(SYSTEM, "admin/a").id
    assert has_abandoned(server.site.database, artifact)
    line.restore("heads/topic", forced, lease=left[:7])
    assert line.moves(TOPIC)[0]["why"] == RESTORE_ABANDONS
    told = line.restore("heads/topic", left, 409, lease=left)
    assert told["message"] == f"{TOPIC} stands at {forced}, not at {left}"


def test_what_is_not_whole_any_more_is_not_put_back(line: Line, server: EmbeddedServer) -> None:
    line.push((None, (left := line.version(b"left")), TOPIC))
    line.push((left, line.commits[0], TOPIC), pack=EMPTY_PACK)
    gone = line.client.upload("a", b"left")[0]
    with server.site.database.write() as connection:
        connection.execute(delete(owned_blobs).where(owned_blobs.c.oid == bytes.fromhex(gone.oid)))
    before = line.client.refs("a")
    told = line.restore("topic", left, 409)
    assert told["message"] == f"{TOPIC} can't go back there: 1 blobs are gone, such as {gone.oid}"
    assert line.client.refs("a") == before
    # Whoever sends it again heals that.
    line.client.upload("a", b"left")
    line.restore("topic", left)


def test_what_gc_dropped_is_told_to_be_gone(line: Line, server: EmbeddedServer) -> None:
    site = server.site
    line.push((None, (left := line.version(b"left")), TOPIC))
    line.push((left, line.commits[0], TOPIC), pack=EMPTY_PACK)
    collect(site.database, site.storage, Graces(0, DAY_S), True, Silent())
    line.restore(TOPIC, left)
    line.restore(TOPIC, line.commits[0])
    with site.database.write() as connection:
        connection.execute(update(ref_history).values(time_s=ref_history.c.time_s - 2 * DAY_S))
    collect(site.database, site.storage, Graces(0, DAY_S), True, Silent())
    report = collect(site.database, site.storage, Graces(0, DAY_S), True, Silent())
    assert report.failed == [] and report.artifacts[0].dropped >= 3
    moves = line.moves(TOPIC)
    assert [(move["why"], move["is_kept"]) for move in moves[:2]] == [("restored", False), ("restored", True)]
    assert "is missing" in line.restore(TOPIC, left, 409)["message"]
    assert not has_abandoned(site.database, site.artifact(SYSTEM, "admin/a").id)


def test_only_what_a_ref_had_and_no_version_is_put_back(line: Line) -> None:
    one, two, three = line.commits
    refused = line.version(b"refused")
    report = report_of(line.client.push("a", [(three, refused, MAIN), (None, one, TOPIC)], line.made.pack()))
    assert report[1:] == [f"ng {MAIN} non-fast-forward", f"ok {TOPIC}"]
    assert [move["new"] for move in line.moves(MAIN)] == [three]
    assert line.restore(MAIN, refused, 404)
    assert line.restore("refs/tags/v1", two, 404)
    line.push((two, three, ALIAS), (None, two, "refs/tags/production"), pack=EMPTY_PACK)
    assert "may be refs/aliases/production or refs/tags/production" in line.restore("production", two, 422)["message"]
    assert line.restore("nothing", two, 404)["message"] == "the artifact never had a ref 'nothing'"
    line.push((three, None, ALIAS), pack=b"")
    line.push((None, one, "refs/heads/production"), pack=EMPTY_PACK)
    assert "a name that no branch has" in line.restore(ALIAS, two, 409)["message"]
    for commit in ("zz", "v0", two[:3], two + "0", "%"):
        line.restore(ALIAS, commit, 422)


class _Between:
    """A storage that does something when it is asked for blobs."""

    def __init__(self, storage: Storage, deed: Callable[[], None]) -> None:
        self._storage = storage
        self._deed = deed
        self.blobs = self
        self.repository = storage.repository

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        self._deed()
        return self._storage.blobs.missing(oids)


def test_a_push_that_is_faster_wins(line: Line, server: EmbeddedServer) -> None:
    one = line.commits[0]
    line.push((None, (left := line.version(b"left")), TOPIC))
    line.push((left, one, TOPIC), pack=EMPTY_PACK)
    push = cast(Storage, _Between(server.site.storage, lambda: line.push((one, None, TOPIC), pack=b"")))
    with pytest.raises(Busy):
        put_back(replace(server.site, storage=push), SYSTEM, "admin/a", Wish(TOPIC, left))
    assert TOPIC not in line.client.refs("a")
    assert line.moves(TOPIC)[0]["new"] is None


def test_protections_hold_no_administrator_and_others_put_nothing_back(line: Line, server: EmbeddedServer) -> None:
    _, two, three = line.commits
    line.push((two, three, ALIAS), pack=EMPTY_PACK)
    server.site.protections.protect(SYSTEM, "admin/a", "*", "nobody", "")
    ada = Client(server.url, server.site.accounts.add_key(server.site.accounts.add_user("ada"), "admin"))
    server.site.folders.share(SYSTEM, "admin", "user", "ada", "edit")
    wish = f'{{"ref":"{ALIAS}","commit":"{two}"}}'.encode()
    assert ada.request("PUT", "/api/v1/refs/admin/a", wish, JSON).status == 403
    line.restore(ALIAS, "v2")
    assert line.moves(ALIAS)[0]["new"] == two
