"""What the scenes of the cut-point tests stand on: a folder as remote, and workspaces of one and of two versions."""

from pathlib import Path
from typing import TypeVar

from aimdvc.model.progress import Silent
from aimdvc.ops.blobs import Means
from aimdvc.ops.bulk import Bulk
from aimdvc.ops.connect import Connector
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.remote.session import Session
from tests.shell import Shell

T = TypeVar("T")


def no_session() -> Session:
    """Stands for the network, which a folder needs none of."""
    raise AssertionError("a folder needs no session")


def connector() -> Connector:
    """Returns a connector for folders."""
    return Connector(no_session)


def means(opened: Connector | None = None) -> Means:
    """Returns how blobs come from a folder."""
    return Means(blob_fetcher(opened or connector()), Silent())


def finish(bulk: Bulk[T]) -> None:
    """Raises what kept a verb from finishing."""
    for failure in bulk.failed:
        raise failure.error


def empty(root: Path) -> Shell:
    """Makes a workspace in `work`, whose remote is the folder `remote`."""
    work = root / "work"
    work.mkdir(parents=True)
    (root / "remote").mkdir()
    shell = Shell(work)
    shell("init", "--remote", str(root / "remote"))
    return shell


def first_version(root: Path) -> Shell:
    """Makes a workspace with one version, and changes that are not added yet."""
    shell = empty(root)
    shell.write("data/text.txt", "old\n")
    shell.write("data/same", "same\n")
    shell.write("data/gone", "gone\n")
    shell.write("data/large.bin", b"old" * 40_000)
    shell.commit("data", "first")
    return shell


def changed(root: Path) -> Shell:
    """One version, then a change of every kind."""
    shell = first_version(root)
    shell.write("data/text.txt", "new\n")
    shell.write("data/large.bin", b"new" * 50_000)
    shell.write("data/sub/added", "added\n")
    (shell.here / "data/gone").unlink()
    return shell


def two_versions(root: Path) -> None:
    """Two versions, the second with a change of every kind."""
    shell = changed(root)
    shell.commit("data", "second")


def behind(root: Path) -> None:
    """One version here; the remote has a second one from elsewhere."""
    shell = first_version(root)
    shell("push")
    Shell(root)("clone", str(root / "remote" / "data"), "other")
    other = Shell(root / "other")
    other.write("text.txt", "new\n")
    other.write("large.bin", b"new" * 50_000)
    other.write("sub/added", "added\n")
    (root / "other/gone").unlink()
    other.commit(".", "second")
    other("push")
