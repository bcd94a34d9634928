"""Verbs that are cut at their n-th durable step: what to prepare, what to run, and what must hold afterwards."""

import errno
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import storage_error
from aimdvc.git.history import History
from aimdvc.model.lock import parse_lock
from aimdvc.model.patterns import WHOLE, Part
from aimdvc.model.progress import Silent
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.blobs import Means
from aimdvc.ops.bulk import Bulk
from aimdvc.ops.checkout import CheckoutOptions, checkout
from aimdvc.ops.commit import CommitOptions, commit
from aimdvc.ops.connect import Connector
from aimdvc.ops.fsck import fsck
from aimdvc.ops.maintain import maintain
from aimdvc.ops.mv import mv
from aimdvc.ops.prune import PruneOptions, prune
from aimdvc.ops.pull import PullOptions, pull
from aimdvc.ops.push import PushOptions, push
from aimdvc.ops.rm import RmOptions, rm
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.ops.trash import empty_trash, restore_trash
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.session import Session
from aimdvc.store.blobs import BlobStore
from aimdvc.store.locate import Places
from tests.crash import lines, mending
from tests.shell import Shell, files_of, git

T = TypeVar("T")


class Killed(BaseException):
    """The process ends here: no handler for ordinary errors runs."""


@dataclass
class Fault:
    """Stops the n-th durable step, counted from 1, by a kill or by an error; 0 never does. `steps` are those seen."""

    stop_at: int = 0
    number: int | None = None
    steps: list[str] = field(default_factory=list)

    def __call__(self, operation: str, path: Path | str) -> None:
        self.steps.append(operation)
        if len(self.steps) != self.stop_at:
            return
        if self.number is None:
            raise Killed
        raise storage_error(OSError(self.number, errno.errorcode[self.number]), path)


Act = Callable[[Workspace, Path], None]


def _no_session() -> Session:
    raise AssertionError("a folder needs no session")


def _connector() -> Connector:
    return Connector(_no_session)


def _means(connector: Connector) -> Means:
    return Means(blob_fetcher(connector), Silent())


def _add(workspace: Workspace, here: Path) -> None:
    add(workspace, here, ["data"], AddOptions(), Silent())


def _commit(workspace: Workspace, here: Path) -> None:
    commit(workspace, [], CommitOptions("second\n", workspace.author()), Silent())


def _checkout(workspace: Workspace, here: Path) -> None:
    checkout(workspace, "data", "v1?", CheckoutOptions(), _means(_connector()))


def _narrow(workspace: Workspace, here: Path) -> None:
    part = Part(include=("sub/", "text.txt"))
    checkout(workspace, "data", None, CheckoutOptions(part=part), _means(_connector()))


def _widen(workspace: Workspace, here: Path) -> None:
    checkout(workspace, "data", None, CheckoutOptions(part=WHOLE), _means(_connector()))


def _push(workspace: Workspace, here: Path) -> None:
    finish(push(workspace, _connector(), [], Silent()))


def _restore_remote(workspace: Workspace, here: Path) -> None:
    finish(push(workspace, _connector(), [], Silent(), PushOptions(is_restore=True)))


def _pull(workspace: Workspace, here: Path) -> None:
    connector = _connector()
    finish(pull(workspace, connector, [], PullOptions(), _means(connector)))


def _rm(workspace: Workspace, here: Path) -> None:
    rm(workspace, here, ["data/same", "data/sub", "data/large.bin"], RmOptions(is_recursive=True), Silent())


def _mv(workspace: Workspace, here: Path) -> None:
    mv(workspace, here, ["data/large.bin", "data/same"], "data/sub", False)


def _mv_directory(workspace: Workspace, here: Path) -> None:
    mv(workspace, here, ["data/sub"], "data/moved", False)


def _rm_artifact(workspace: Workspace, here: Path) -> None:
    # Once all of it is done, its path names nothing any more.
    if workspace.state.head("other") is not None:
        rm(workspace, here, ["deep/other"], RmOptions(is_recursive=True, force=True), Silent())


def _mv_artifact(workspace: Workspace, here: Path) -> None:
    if workspace.head("other").path == "deep/other":
        mv(workspace, here, ["deep/other"], "elsewhere", False)


def finish(bulk: Bulk[T]) -> None:
    """Raises what kept a verb from finishing."""
    for failure in bulk.failed:
        raise failure.error


def first_version(root: Path) -> Shell:
    """Makes a workspace with one version, and changes that are not added yet."""
    work = root / "work"
    work.mkdir(parents=True)
    shell = Shell(work)
    shell("init", "--remote", str(root / "remote"))
    (root / "remote").mkdir()
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


def _staged(root: Path) -> None:
    changed(root)("add", "data")


def _two_versions(root: Path) -> None:
    shell = changed(root)
    shell.commit("data", "second")


def _behind(root: Path) -> None:
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
    prune(workspace, _connector(), PruneOptions("origin"), Silent())


def _pushed(root: Path) -> None:
    shell = _superseded(root)
    shell("push")
    aged(shell.here / ".aimdvc")


def _empty(workspace: Workspace, here: Path) -> None:
    empty_trash(workspace, 0, Silent())


def _restore(workspace: Workspace, here: Path) -> None:
    restore_trash(workspace, None)


def _maintain(workspace: Workspace, here: Path) -> None:
    maintain(workspace)


def _partial(root: Path) -> None:
    _behind(root)
    shutil.rmtree(root / "work")
    shell = Shell(root)
    shell("clone", str(root / "remote" / "data"), "work", "--include", "text.txt")


def _went_back(root: Path) -> None:
    shell = first_version(root)
    shell("push")
    shutil.copytree(root / "remote", root / "backup")
    shell.write("data/text.txt", "new\n")
    shell.commit("data", "second")
    shell("alias", "set", "data@HEAD", "production")
    shell("push")
    shutil.rmtree(root / "remote")
    shutil.copytree(root / "backup", root / "remote")


def _two_artifacts(root: Path) -> None:
    shell = first_version(root)
    git(shell.here, "init", "-q")
    shell("init")
    shell.write("deep/other/a", "a")
    shell.write("deep/other/b/large", b"b" * 100_000)
    shell.commit("deep/other", "first")


PREPARE: dict[str, Callable[[Path], object]] = {
    "add": changed,
    "commit": _staged,
    "checkout": _two_versions,
    "narrow": _two_versions,
    "widen": _partial,
    "push": _two_versions,
    "pull": _behind,
    "prune": _superseded,
    "prune-remote": _pushed,
    "trash-empty": _trashed,
    "trash-restore": _trashed,
    "maintenance": _scattered,
    "push --restore": _went_back,
    "rm": _two_versions,
    "mv": _two_versions,
    "mv-directory": _two_versions,
    "rm-artifact": _two_artifacts,
    "mv-artifact": _two_artifacts,
}
ACT: dict[str, Act] = {
    "add": _add,
    "commit": _commit,
    "checkout": _checkout,
    "narrow": _narrow,
    "widen": _widen,
    "push": _push,
    "pull": _pull,
    "push --restore": _restore_remote,
    "rm": _rm,
    "mv": _mv,
    "mv-directory": _mv_directory,
    "rm-artifact": _rm_artifact,
    "mv-artifact": _mv_artifact,
}
STORE_ACT: dict[str, Act] = {
    "prune": _prune,
    "prune-remote": _prune_remote,
    "trash-empty": _empty,
    "trash-restore": _restore,
    "maintenance": _maintain,
}
MAINTENANCE = frozenset(STORE_ACT)
"""Of these what the store and the trash hold afterwards counts, too."""


PREPARE |= lines.PREPARE | mending.PREPARE
ACT |= STORE_ACT | lines.ACT | mending.ACT


class Scene:
    """A prepared directory that can be put back to its beginning at any time."""

    def __init__(self, root: Path, verb: str) -> None:
        self.root = root / "scene"
        self._template = root / "template"
        self.verb = verb
        PREPARE[verb](self.root)
        shutil.copytree(self.root, self._template, symlinks=True)
        self.before = files_of(self.work)
        self.run(Fault())
        self.after = files_of(self.work)
        self.final = self.outcome()
        self.reset()

    @property
    def work(self) -> Path:
        """The workspace."""
        return self.root / "work"

    def reset(self) -> None:
        """Puts everything back."""
        shutil.rmtree(self.root)
        shutil.copytree(self._template, self.root, symlinks=True)

    def run(self, fault: Fault) -> None:
        """Runs the verb with a fault in its disk."""
        with Workspace.open(self.work, Disk(fault), author) as workspace:
            ACT[self.verb](workspace, self.work)

    @property
    def is_damaged(self) -> bool:
        """Whether the scene begins with damage, which an interrupted verb may leave."""
        return self.verb == "repair"

    def outcome(self) -> tuple[object, ...]:
        """Returns what a user sees: files, messages of the log, status, what the remote has."""
        shell = Shell(self.work)
        subjects = [version["commit"]["message"] for version in shell("log", "data", "--json").json["versions"]]
        remote = sorted(path.name for path in self.root.glob("remote/*/lfs/objects/*/*/*"))
        refs = self._remote_refs()
        pins = parse_lock((self.work / "aimdvc.lock").read_bytes())
        lock = [(name, pin.path) for name, pin in pins.items()]
        state = [(one["artifact"], one["path"], one["lock"]) for one in shell("status", "--json").json["artifacts"]]
        ignored = {str(path): path.read_text() for path in self.work.rglob(".gitignore")}
        stands = shell("status").out, shell("branch", "data").out
        said = shell("status", "-s").out, stands
        held = self._held() if self.verb in MAINTENANCE else []
        return files_of(self.work), subjects, said, remote, sorted(refs), lock, state, ignored, held

    def _held(self) -> list[str]:
        """Returns every blob that the store has, and what the trash has beside them."""
        with BlobStore(self.work / ".aimdvc", Disk()) as blobs:
            stored = {pointer.oid for pointer in blobs.iter_pointers()}
            batches = blobs.trash.batches()
            trashed = {oid for batch in batches for oid in blobs.trash.iter_oids(batch.name)}
        return [*sorted(stored), "trash:", *sorted(trashed - stored)]

    def _remote_refs(self) -> list[str]:
        repository = self.root / "remote" / "data.git"
        if not (repository / "HEAD").exists():
            return []
        with History.open(repository, Disk()) as history:
            assert all(history.has(commit) for commit in history.refs().values()), "the remote has a ref into nothing"
            return list(history.refs())

    def check(self) -> None:
        """Holds the invariants of an interrupted command (docs/design.md)."""
        now = files_of(self.work)
        for path, content in now.items():
            assert content in (self.before.get(path), self.after.get(path)), f"{path} is neither old nor new"
        if self.verb.startswith("mv"):
            kept = [[files[path] for path in files if not path.endswith(".gitignore")] for files in (now, self.before)]
            assert sorted(kept[0]) == sorted(kept[1]), "a content is gone, or there twice"
        for path in self.before.keys() & self.after.keys():
            assert path in now, f"{path} is gone"
        raw = (self.work / "aimdvc.lock").read_bytes()
        with Workspace.open(self.work, Disk(), author) as workspace:
            if self.is_damaged:
                fsck(workspace, False, Silent())
                return
            for name, pin in parse_lock(raw).items():
                assert workspace.history(name).has(pin.commit)
            found = fsck(workspace, False, Silent())
            assert not found.damage, found.damage
        self._remote_refs()


def author(places: Places) -> tuple[str, str]:
    return "A User", "user@example.org"
