"""`prune --remote`: only what the remote proves to have, now, for every artifact that needs it."""

from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.e2e.pruning import LARGE, age, held, oids, pruned, store, version
from tests.shell import Shell, files_of


@pytest.fixture(params=["folder", "server"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "server":
        server: EmbeddedServer = request.getfixturevalue("server")
        return server.url
    (tmp_path / "remote").mkdir()
    return str(tmp_path / "remote")


@pytest.fixture
def pushed(shell: Shell, remote: str) -> Shell:
    """Two versions on the remote, and one that is only here."""
    shell("remote", "add", "origin", remote)
    version(shell, 1)
    version(shell, 2)
    shell("push")
    version(shell, 3)
    return shell


def test_what_only_history_needs_and_the_remote_has_goes(pushed: Shell) -> None:
    before = files_of(pushed.here)
    old = oids(1) - oids(3) | oids(2) - oids(3)
    age(pushed, 1)
    done = pruned(pushed, "--remote", "origin", "--dry-run")
    assert set(done["oids"]) == old  # type: ignore[call-overload]
    assert pruned(pushed, "--remote", "origin")["on_remote"] == 4
    assert not held(pushed) & old
    assert oids(3) <= held(pushed)
    assert pushed("fsck", "--json").json["checked"]["not_fetched"] == 4
    assert files_of(pushed.here) == before
    pushed("trash", "empty")
    assert not held(pushed) & old
    pushed("checkout", "data@HEAD~2")
    assert files_of(pushed.here)["data/large.bin"] == b"%08d" % 1 * (LARGE // 8)
    assert pushed("fsck").code == 0


def test_what_was_not_pushed_stays(pushed: Shell) -> None:
    version(pushed, 4)
    age(pushed)
    done = pruned(pushed, "--remote", "origin")
    assert done["unproven"] == 2
    assert oids(3) | oids(4) <= held(pushed)


def test_a_blob_that_the_remote_lost_stays(pushed: Shell, remote: str) -> None:
    if "://" in remote:
        pytest.skip("the folder's files are easier to lose")
    lost = max(Path(remote).glob("data.git/lfs/objects/*/*/*"), key=lambda path: path.stat().st_size)
    lost.unlink()
    small = min(Path(remote).glob("data.git/lfs/objects/*/*/*"), key=lambda path: path.stat().st_size)
    small.chmod(0o644)
    small.write_bytes(b"")
    age(pushed)
    done = pruned(pushed, "--remote", "origin")
    assert done["unproven"] in (2, 1)
    kept = held(pushed)
    assert {lost.name, small.name} <= kept


def test_another_artifacts_copy_on_the_remote_proves_nothing(pushed: Shell) -> None:
    pushed.write("other/large.bin", b"%08d" % 1 * (LARGE // 8))
    pushed("add", "other")
    pushed("commit", "-m", "o1", "other")
    pushed.write("other/large.bin", b"o" * LARGE)
    pushed("add", "other")
    pushed("commit", "-m", "o2", "other")
    age(pushed)
    pruned(pushed, "--remote", "origin")
    shared = next(oid for oid in oids(1) if (store(pushed) / "blobs/files" / oid[:2] / oid).exists())
    assert shared in held(pushed)


def test_a_remote_that_cant_be_reached_takes_nothing(pushed: Shell, remote: str) -> None:
    age(pushed)
    before = held(pushed)
    pushed("remote", "set-url", "origin", "http://127.0.0.1:9/x")
    pushed("prune", "--remote", "origin", code=6)
    pushed("prune", "--remote", "nobody", code=2)
    assert held(pushed) == before
