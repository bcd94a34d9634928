"""The cache limit: the longest unwanted goes first, only what a remote has, and nothing that is in use."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.e2e.pruning import LARGE, age, held, oids, store, version
from tests.shell import Shell, files_of, git


@pytest.fixture
def pushed(shell: Shell, tmp_path: Path) -> Shell:
    """Four versions, all on the remote but the last."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    for number in range(1, 4):
        version(shell, number)
    shell("push")
    version(shell, 4)
    age(shell, 1)
    return shell


def large(shell: Shell, number: int) -> Path:
    oid = next(oid for oid in oids(number) if (store(shell) / "blobs/files" / oid[:2] / oid).exists())
    return store(shell) / "blobs/files" / oid[:2] / oid


def on_disk(shell: Shell) -> int:
    return int(shell("du", "--json").json["on_disk"])


def test_it_goes_down_to_the_limit_and_no_further(pushed: Shell) -> None:
    oldest = large(pushed, 2)
    os.utime(oldest, (0, 0))
    limit = on_disk(pushed) - LARGE // 2
    done = pushed("prune", "--limit", str(limit), "--json").json["evicted"]
    assert (done["blobs"], done["size"]) == (1, LARGE)
    assert not oldest.exists()
    assert oids(4) <= held(pushed)
    assert on_disk(pushed) <= limit
    assert not pushed("trash", "--json").json["batches"]
    assert pushed("fsck").code == 0


def test_what_is_in_use_or_on_no_remote_stays_whatever_the_limit(pushed: Shell) -> None:
    version(pushed, 5)
    age(pushed, 1)
    files = files_of(pushed.here)
    done = pushed("prune", "--limit", "0")
    assert "still has" in done.out
    assert held(pushed) >= oids(4) | oids(5)
    assert not held(pushed) & (oids(1) - oids(5))
    assert pushed("fsck").code == 0
    assert files_of(pushed.here) == files
    pushed("checkout", "data@v1")
    assert files_of(pushed.here)["data/large.bin"] == b"%08d" % 1 * (LARGE // 8)


def test_what_was_wanted_within_the_hour_stays(pushed: Shell) -> None:
    with sqlite3.connect(store(pushed) / "store.db") as database:
        database.execute("UPDATE blob SET seen = ?", (int(time.time()) - 600,))
    database.close()
    for path in store(pushed).glob("blobs/files/*/*"):
        os.utime(path)
    before = held(pushed)
    pushed("prune", "--limit", "1K")
    assert held(pushed) == before


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_push_and_pull_keep_within_a_limit_that_is_set(pushed: Shell, verb: str) -> None:
    pushed("push")
    age(pushed, 1)
    assert held(pushed) >= oids(1)
    pushed("config", "cache.limit", "200K")
    if verb == "push":
        version(pushed, 5)
        age(pushed, 1)
    pushed(verb)
    assert not held(pushed) & (oids(1) - oids(4))
    assert pushed("fsck").code == 0


def test_the_limit_is_this_machines_and_never_committed(tmp_path: Path) -> None:
    place = tmp_path / "code"
    place.mkdir()
    git(place, "init", "-q")
    shell = Shell(place)
    shell("init")
    shell("config", "cache.limit", "50G")
    assert shell("config", "cache.limit").out == f"{50 << 30}\n"
    assert "cache" not in (place / ".aimdvc/config").read_text()
    git(place, "add", "-A")
    assert "store.config" not in git(place, "status", "--short")
    (place / ".aimdvc/config").write_text("[cache]\n\tlimit = 1\n")
    assert shell("config", "cache.limit").out == f"{50 << 30}\n"
    shell("config", "cache.limit", "lots", code=2)
    shell("config", "cache.limit", "--unset")
    assert shell("config", "cache.limit").out == ""


def test_du_tells_what_could_go(pushed: Shell) -> None:
    used = pushed("du", "--json").json
    assert used["trash"] == 0
    assert 3 * LARGE < used["spare"] < used["on_disk"]
    pushed("prune", "--remote", "origin")
    after = pushed("du", "--json").json
    assert after["spare"] < LARGE
    assert after["trash"] >= 3 * LARGE
    assert "trash empty" in pushed("du").out
