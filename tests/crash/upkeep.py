"""Maintenance of the store for the cut-point tests: prune, trash and the joining of packs."""

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from aimdvc.model.progress import Silent
from aimdvc.ops.evict import evict
from aimdvc.ops.maintain import maintain
from aimdvc.ops.prune import PruneOptions, prune
from aimdvc.ops.trash import empty_trash, restore_trash
from aimdvc.ops.workspace import Workspace
from tests.crash.ground import changed, connector
from tests.shell import Shell


def _superseded(root: Path) -> Shell:
    """Blobs of both kinds that nothing needs and nobody wanted for long, beside those of two versions."""
    shell = changed(root)
    shell.write("data/large.bin", b"lost" * 50_000)
    shell.write("data/text.bin", "lost\n")
    shell.write("data/kept.bin", "kept\n")
    shell("add", "data")
    shell.write("data/large.bin", b"new" * 50_000)
    shell.write("data/text.bin", "found\n")
    shell.commit("data", "second")
    aged(shell.here / ".aimdvc")
    return shell


def aged(store: Path) -> None:
    """Makes all blobs look as if nobody wanted them for a month."""
    then = int(time.time()) - 30 * 24 * 3600
    for path in store.glob("blobs/files/*/*"):
        os.utime(path, (then, then))
    database = sqlite3.connect(store / "store.db")
    with database:
        database.execute("UPDATE blob SET seen = ?", (then,))
        database.execute("UPDATE file SET seen = ?", (then,))
    database.close()


def _trashed(root: Path) -> None:
    _superseded(root)("prune")


def _scattered(root: Path) -> None:
    shell = _superseded(root)
    for number in range(3):
        shell.write("data/sub/more.bin", f"{number}")
        shell.commit("data", f"more {number}")
    subprocess.run(["git", "repack", "-q", "-d"], cwd=shell.here / ".aimdvc/repos/data.git", check=True)
    for number in range(3):
        shell.write("data/sub/more.bin", f"again {number}")
        shell.commit("data", f"again {number}")


def _prune(workspace: Workspace, here: Path) -> None:
    prune(workspace, None, PruneOptions(), Silent())


def _prune_remote(workspace: Workspace, here: Path) -> None:
    prune(workspace, connector(), PruneOptions("origin"), Silent())


def _pushed(root: Path) -> None:
    shell = _superseded(root)
    shell("push")
    aged(shell.here / ".aimdvc")


def _evict(workspace: Workspace, here: Path) -> None:
    evict(workspace, connector(), 0, Silent())


def _empty(workspace: Workspace, here: Path) -> None:
    empty_trash(workspace, 0, Silent())


def _restore(workspace: Workspace, here: Path) -> None:
    restore_trash(workspace, None)


def _maintain(workspace: Workspace, here: Path) -> None:
    maintain(workspace)


PREPARE: dict[str, Callable[[Path], object]] = {
    "prune": _superseded,
    "prune-remote": _pushed,
    "evict": _pushed,
    "trash-empty": _trashed,
    "trash-restore": _trashed,
    "maintenance": _scattered,
}
ACT: dict[str, Callable[[Workspace, Path], None]] = {
    "prune": _prune,
    "prune-remote": _prune_remote,
    "evict": _evict,
    "trash-empty": _empty,
    "trash-restore": _restore,
    "maintenance": _maintain,
}
"""Of these what the store and the trash hold afterwards counts, too."""
