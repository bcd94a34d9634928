"""Verbs that are cut at their n-th durable step: what to prepare, what to run, and what must hold afterwards."""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aimdvc.fs.disk import Disk
from aimdvc.fs.faults import storage_error
from aimdvc.git.history import History
from aimdvc.model.lock import parse_lock
from aimdvc.model.patterns import WHOLE, Part
from aimdvc.model.progress import Silent
from aimdvc.ops.add import AddOptions, add
from aimdvc.ops.checkout import CheckoutOptions, checkout
from aimdvc.ops.commit import CommitOptions, commit
from aimdvc.ops.depth import WHOLE as WHOLE_DEPTH
from aimdvc.ops.depth import Depth
from aimdvc.ops.fetch import FetchOptions, fetch
from aimdvc.ops.fsck import fsck
from aimdvc.ops.mv import mv
from aimdvc.ops.pull import PullOptions, pull
from aimdvc.ops.push import PushOptions, push
from aimdvc.ops.rm import RmOptions, rm
from aimdvc.ops.workspace import Workspace
from aimdvc.store.blobs import BlobStore
from aimdvc.store.locate import Places
from tests.crash import lines, mending, records, upkeep
from tests.crash.ground import behind, changed, connector, finish, first_version, means, two_versions
from tests.shell import Shell, files_of, git


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


def _add(workspace: Workspace, here: Path) -> None:
    add(workspace, here, ["data"], AddOptions(), Silent())


def _commit(workspace: Workspace, here: Path) -> None:
    commit(workspace, [], CommitOptions("second\n", workspace.author()), Silent())


def _checkout(workspace: Workspace, here: Path) -> None:
    checkout(workspace, "data", "v1?", CheckoutOptions(), means(connector()))


def _narrow(workspace: Workspace, here: Path) -> None:
    part = Part(include=("sub/", "text.txt"))
    checkout(workspace, "data", None, CheckoutOptions(part=part), means(connector()))


def _widen(workspace: Workspace, here: Path) -> None:
    checkout(workspace, "data", None, CheckoutOptions(part=WHOLE), means(connector()))


def _push(workspace: Workspace, here: Path) -> None:
    finish(push(workspace, connector(), [], Silent()))


def _restore_remote(workspace: Workspace, here: Path) -> None:
    finish(push(workspace, connector(), [], Silent(), PushOptions(is_restore=True)))


def _pull(workspace: Workspace, here: Path) -> None:
    opened = connector()
    finish(pull(workspace, opened, [], PullOptions(), means(opened)))


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


def _staged(root: Path) -> None:
    changed(root)("add", "data")


def _partial(root: Path) -> None:
    behind(root)
    shutil.rmtree(root / "work")
    shell = Shell(root)
    shell("clone", str(root / "remote" / "data"), "work", "--include", "text.txt")


def _unshallow(workspace: Workspace, here: Path) -> None:
    finish(fetch(workspace, connector(), [], FetchOptions(depth=WHOLE_DEPTH), Silent()))


def _deepen(workspace: Workspace, here: Path) -> None:
    finish(fetch(workspace, connector(), [], FetchOptions(depth=Depth(3)), Silent()))


def _shallow(root: Path) -> None:
    shell = first_version(root)
    for number in range(4):
        shell.write("data/sub/n", f"{number}\n")
        shell.commit("data", f"number {number}")
    shell("push")
    shutil.rmtree(shell.here)
    Shell(root)("clone", str(root / "remote" / "data"), "work", "--depth", "1")


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
    "checkout": two_versions,
    "narrow": two_versions,
    "widen": _partial,
    "push": two_versions,
    "pull": behind,
    "push --restore": _went_back,
    "deepen": _shallow,
    "unshallow": _shallow,
    "rm": two_versions,
    "mv": two_versions,
    "mv-directory": two_versions,
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
    "deepen": _deepen,
    "unshallow": _unshallow,
    "rm": _rm,
    "mv": _mv,
    "mv-directory": _mv_directory,
    "rm-artifact": _rm_artifact,
    "mv-artifact": _mv_artifact,
}
PREPARE |= lines.PREPARE | mending.PREPARE | records.PREPARE | upkeep.PREPARE
ACT |= lines.ACT | mending.ACT | records.ACT | upkeep.ACT


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
        held = self._held() if self.verb in upkeep.ACT else []
        told = records.recorded(shell) if self.verb in records.ACT else []
        return files_of(self.work), subjects, said, remote, sorted(refs), lock, state, ignored, held, told

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
