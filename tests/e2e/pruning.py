"""What the tests of `prune` and `trash` make, age and look at."""

import hashlib
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.store.blobs import BlobStore
from tests.shell import Shell, git

LARGE = 100_000
DAY_S = 24 * 3600


def pinned(place: Path) -> Shell:
    """Makes a workspace in a code repository, with one version that the code pins."""
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    shell = Shell(place)
    shell("init")
    version(shell, 1)
    commit_code(shell)
    return shell


def version(shell: Shell, number: int) -> str:
    """Makes a version with a large and a small blob of its own, and one that all share."""
    for name, content in zip(("large", "small", "same"), contents(number), strict=True):
        shell.write(f"data/{name}.bin", content)
    return shell.commit("data", f"m{number}")


def commit_code(shell: Shell) -> None:
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "code")


def age(shell: Shell, days: float = 30) -> None:
    """Makes all blobs look as if nobody wanted them for days."""
    then = int(time.time() - days * DAY_S)
    for path in store(shell).glob("blobs/files/*/*"):
        os.utime(path, (then, then))
    with sqlite3.connect(store(shell) / "store.db") as database:
        database.execute("UPDATE blob SET seen = ?", (then,))
        database.execute("UPDATE file SET seen = ?", (then,))
    database.close()


def store(shell: Shell) -> Path:
    inside = shell.here / ".git" / "aimdvc"
    return inside if inside.exists() else shell.here / ".aimdvc"


def contents(number: int) -> list[bytes]:
    return [b"%08d" % number * (LARGE // 8), b"%08d" % number, b"same" * 100]


def oids(number: int) -> set[str]:
    """Returns the blobs of a version. (What Git keeps lies in the blob store, too, from `add` to `commit`.)"""
    return {hashlib.sha256(content).hexdigest() for content in contents(number)}


def held(shell: Shell) -> set[str]:
    with BlobStore(store(shell), Disk()) as blobs:
        return {pointer.oid for pointer in blobs.iter_pointers()}


def forget_reflogs(shell: Shell, name: str = "data") -> None:
    """Leaves the logs of an artifact's refs, and of every workspace's HEAD, empty, as after 90 days."""
    for path in store(shell).glob(f"repos/{name}.git/logs/**/*"):
        if path.is_file():
            path.write_bytes(b"")
    for path in (shell.here / ".git").rglob("state.db"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("DELETE FROM head_move")
            database.commit()


def pruned(shell: Shell, *arguments: str) -> dict[str, object]:
    return dict(shell("prune", "--json", *arguments).json["pruned"])


def superseded(shell: Shell) -> set[str]:
    """Stages contents that are then staged over, and returns their oids: nothing needs them."""
    before = held(shell)
    shell.write("data/large.bin", b"x" * LARGE)
    shell.write("data/small.bin", b"x")
    shell("add", "data")
    gone = held(shell) - before
    shell.write("data/large.bin", b"y" * LARGE)
    shell.write("data/small.bin", b"y")
    shell("add", "data")
    return gone
