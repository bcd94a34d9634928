"""The server, killed by strace at each durable system call, or its disk failing there: case S14, and S16.

What it acknowledged is there afterwards; no row names what is not; what was cut is done by doing it again. A failing
disk is answered as such, and nothing has to be started again. A part runs always; `pytest -m sweep` takes every call.
"""

import http.client
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.model.oid import GitId, Oid
from aimdvc.model.pointer import Pointer
from aimdvc.model.progress import Silent
from aimdvc.server.audit import verify_audit
from aimdvc.server.backup import Kept
from aimdvc.server.refs import read_refs
from aimdvc.server.schema import owned_blobs
from aimdvc.server.site import Location, open_site
from aimdvc.server.verify import verify
from tests.crash.aimd_deeds import AIMD_DEEDS
from tests.crash.deeds import DEEDS, Deed, Refused, Unanswered
from tests.crash.serving import FAULTS, Served
from tests.shell import git

ALL = {**DEEDS, **AIMD_DEEDS}

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    is_local = "postgresql" not in request.node.name
    made = Served(tmp_path / "srv", database=None if is_local else request.getfixturevalue("postgres").database())
    try:
        made.start()
        yield made
    finally:
        made.stop()


def hold_invariants(location: Location, name: str) -> None:
    """No row names a blob or a git object of an artifact that is not there, whole; the audit log is one chain."""
    site = open_site(location)
    try:
        verify_audit(site.database)
        artifact = site.catalogue.find_by_path(f"admin/{name}")
        if artifact is None:
            return
        with site.database.read() as connection:
            rows = connection.execute(owned_blobs.select().where(owned_blobs.c.artifact == artifact.id)).all()
        for row in rows:
            pointer = Pointer(Oid(bytes(row.oid).hex()), row.size)
            assert sum(map(len, site.storage.blobs.iter_blob(pointer))) == row.size
        with site.storage.repository(artifact.id) as repository:
            for ref in read_refs(site.database, artifact.id).values():
                assert repository.has(GitId(ref.target))
    finally:
        site.close()


def hold_all(location: Location) -> None:
    """The same as `aimdvc server verify` sees it: every pack and every blob is read."""
    site = open_site(location)
    try:
        assert verify(Kept(site.database, site.storage), True, Silent()).damage == []
    finally:
        site.close()


def clone(served: Served, name: str, place: Path) -> None:
    """Clones by stock Git, which has to find everything right."""
    url = served.client.url.replace("http://", f"http://any:{served.key}@")
    git(place.parent, "clone", "-q", "--mirror", f"{url}/{name}", str(place))
    git(place, "fsck", "--strict", "--full")
    shutil.rmtree(place)


def sweep(served: Served, what: str, fault: str, points: slice) -> int:
    """Has the fault happen at each of the points; returns how often it did."""
    deed = ALL[what]
    deed.prepare(served.client, "uncut")
    with served.traced(fault) as trace:
        deed.act(served.client, "uncut")
    hit = 0
    for number, point in enumerate(trace.points[points]):
        name = f"{what.replace(' ', '-')}-{fault}-{number}"
        deed.prepare(served.client, name)
        with served.traced(fault, point) as cut:
            status = attempt(served, deed, name)
        if not cut.is_hit:
            continue
        hit += 1
        assert status in EXPECTED[fault], (point, status)
        assert deed.holds(served.client, name) or status != 200, f"{fault} at {point}: acknowledged, and not there"
        hold_invariants(served.location, name)
        deed.act(served.client, name)
        assert deed.holds(served.client, name), f"{fault} at {point}: not there after it was done again"
        if "push" in what or "aimd " in what:
            clone(served, name, served.directory.parent / "clone")
    hold_all(served.location)
    left = list(served.directory.rglob("*tmp-*"))
    assert len(left) <= 2, left
    return hit


EXPECTED = {"kill": (0, 200), "full": (507, 200), "sync-error": (503, 200)}
"""What a client may be told. Where a write failed that all goes on without, all was done."""


def attempt(served: Served, deed: Deed, name: str) -> int:
    """Does a deed; returns the status that it was answered with, 0 where it was not."""
    try:
        deed.act(served.client, name)
    except (Unanswered, http.client.HTTPException, OSError):
        return 0
    except Refused as refused:
        return refused.status
    return 200


@pytest.mark.parametrize(
    ("what", "fault", "step"),
    [
        ("large blob", "kill", 7),
        ("blob in pieces", "kill", 9),
        ("blob in pieces", "full", 5),
        ("blob in pieces", "sync-error", 3),
        ("push", "kill", 11),
        ("atomic push", "kill", 4),
        ("aimd-pack", "full", 6),
        ("first push", "sync-error", 9),
        ("aimd finalize", "kill", 5),
        ("aimd finalize", "sync-error", 4),
        ("aimd parts", "kill", 23),
        ("trial", "kill", 5),
    ],
)
def test_some_system_calls_of_the_server(served: Served, what: str, fault: str, step: int) -> None:
    assert sweep(served, what, fault, slice(1, None, step)) > 1


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ALL)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_system_call_of_the_server(served: Served, what: str, fault: str) -> None:
    assert sweep(served, what, fault, slice(None)) > 3


def test_some_system_calls_of_the_server_on_postgresql(served: Served) -> None:
    assert sweep(served, "push", "kill", slice(5, None, 29)) > 1


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ALL)
def test_every_system_call_of_the_server_on_postgresql(served: Served, what: str) -> None:
    assert sweep(served, what, "kill", slice(None)) > 3
