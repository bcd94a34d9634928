"""Sectors that can't be read, beneath a blob or a git pack of a server: that is named, and all others go on. P5."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.errors import DiskFull
from aimdvc.fs.disk import Disk
from aimdvc.server.embedded import EmbeddedServer
from tests.contract.backing import push_version
from tests.contract.server_client import Client, pointer_of
from tests.contract.test_server_gc import LOST, age, forced_away, run_gc
from tests.shell import unmeasured

LARGE, SMALL, OTHER = b"large " * 300_000, b"small", b"another large one " * 20_000

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, str | None]:
    """A server's directory, with three blobs, and a key."""
    with EmbeddedServer(tmp_path / "srv") as server:
        push_version(Client(server.url, server.admin_key), "a", LARGE, SMALL, OTHER)
        return tmp_path / "srv", server.admin_key


def run(place: Path, *arguments: str, unreadable: Path | None = None) -> tuple[int, str]:
    """Runs a command on the server's machine, where reads of one file fail."""
    command = [sys.executable, "-m", "aimdvc", "server", *arguments]
    if unreadable is not None:
        calls = "read,pread64"
        harm = ["-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
        command = ["strace", "-f", "-qq", "-o", str(place.parent / "log"), "-P", str(unreadable), *harm, *command]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, env=unmeasured(), timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@needs_strace
@pytest.mark.parametrize("kind", ["file", "pack"])
def test_a_blob_that_can_not_be_read_stops_no_scrub_and_no_backup(
    kept: tuple[Path, str | None], tmp_path: Path, kind: str
) -> None:
    place, key = kept
    content = LARGE if kind == "file" else SMALL
    oid = pointer_of(content).oid
    bad = place / "blobs/files" / oid[:2] / oid if kind == "file" else next((place / "blobs/packs").iterdir())
    code, told = run(place, "backup", str(tmp_path / "copy"), unreadable=bad)
    assert code == 3 and f"damaged: admin/a: blob {oid}: " in told
    assert f"blob {pointer_of(OTHER).oid}" not in told
    code, told = run(place, "scrub", unreadable=bad)
    assert code == 3 and f"blob {oid}" in told and "3 blobs" in told
    code, told = run(place, "verify")
    assert code == 3 and f"damaged: admin/a: blob {oid}: is gone" in told
    with EmbeddedServer(place) as server:
        Client(server.url, key).upload("a", content)
    assert run(place, "verify", "--data")[0] == 0


@needs_strace
@pytest.mark.parametrize("suffix", [".pack", ".idx"])
def test_a_git_pack_that_can_not_be_read_is_named(kept: tuple[Path, str | None], suffix: str) -> None:
    place = kept[0]
    bad = sorted(place.rglob(f"pack-*{suffix}"))[0]
    code, told = run(place, "verify", unreadable=bad)
    assert code == 3 and "damaged: admin/a: git pack" in told and f"{bad.name}': input/output error" in told
    assert run(place, "verify")[0] == 0


def test_a_disk_that_is_full_keeps_gc_from_no_other_artifact(tmp_path: Path) -> None:
    full: list[str] = []

    def before(operation: str, path: Path | str) -> None:
        if operation == "write" and any(artifact in str(path) for artifact in full):
            raise DiskFull(str(path), "no space left")

    with EmbeddedServer(tmp_path / "srv", disk=Disk(before)) as server:
        client = Client(server.url, server.admin_key)
        forced_away(client, server)
        first = server.site.catalogue.find_by_path("admin/a")
        assert first is not None
        client.upload("b", LOST + b"b")
        run_gc(server)
        age(server, 40)
        full.append(first.id)
        report = run_gc(server)
        assert report.failed == [("admin/a", report.failed[0][1])] and "no space left" in report.failed[0][1]
        assert [(one.artifact, one.swept.taken) for one in report.artifacts] == [("admin/b", 1)]
        full.clear()
        assert [one.dropped for one in run_gc(server).artifacts] == [3]
