"""Push and pull over HTTP, cut at durable steps of the client, and failing at durable steps of the server.

A representative part runs always; `pytest -m sweep tests/crash` takes every step.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError, StorageError
from aimdvc.fs.disk import Disk
from aimdvc.model.progress import Silent
from aimdvc.ops.blobs import Means
from aimdvc.ops.connect import Connector
from aimdvc.ops.fsck import fsck
from aimdvc.ops.pull import PullOptions, pull
from aimdvc.ops.push import new_pointers, push
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.credentials import Credentials, KeyFile
from aimdvc.remote.session import Patience, Session
from aimdvc.server.embedded import EmbeddedServer
from tests.crash.ground import changed, finish, first_version
from tests.crash.scenarios import Fault, Killed, author
from tests.shell import Shell, files_of

EVERY = 10_000


class HttpScene:
    """A workspace and a server, put back to their beginning at any time; the server's address changes each time."""

    def __init__(self, root: Path, verb: str) -> None:
        self.root = root / "scene"
        self._template = root / "template"
        self._verb = verb
        with EmbeddedServer(self.root / "server") as server:
            self.key = server.admin_key or ""
            self._prepare(server)
        shutil.copytree(self.root, self._template, symlinks=True)
        with self.serving(Fault()) as server:
            self.run(server, Fault())
            self.final = self.outcome(server)

    def _prepare(self, server: EmbeddedServer) -> None:
        if self._verb == "push":
            changed(self.root).commit("data", "second")
            return
        shell = first_version(self.root)
        self._point(shell, server)
        shell("push")
        Shell(self.root)("clone", f"{server.url}/data", "other")
        other = Shell(self.root / "other")
        other.write("text.txt", "new\n")
        other.write("large.bin", b"new" * 50_000)
        other.write("sub/added", "added\n")
        (self.root / "other/gone").unlink()
        other.commit(".", "second")
        other("push")

    def _point(self, shell: Shell, server: EmbeddedServer) -> None:
        shell("login", server.url, typed=self.key)
        shell("remote", "set-url", "origin", server.url)

    @property
    def work(self) -> Path:
        return self.root / "work"

    def reset(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self._template, self.root, symlinks=True)

    @contextmanager
    def serving(self, fault: Fault) -> Iterator[EmbeddedServer]:
        """Serves what the server has, with a fault in its disk once it runs."""
        later = _Later()
        with EmbeddedServer(self.root / "server", disk=Disk(later)) as server:
            self._point(Shell(self.work), server)
            later.fault = fault
            yield server

    def run(self, server: EmbeddedServer, fault: Fault) -> None:
        keys = KeyFile(self.root / "keys.json", Disk())
        credentials = Credentials(keys, {server.url: self.key}, {})
        connector = Connector(lambda: Session(credentials, Patience(pause_s=0.001, longest_pause_s=0.01)))
        try:
            with Workspace.open(self.work, Disk(fault), author) as workspace:
                if self._verb == "push":
                    finish(push(workspace, connector, [], Silent()))
                else:
                    finish(pull(workspace, connector, [], PullOptions(), Means(blob_fetcher(connector), Silent())))
        finally:
            connector.close()

    def outcome(self, server: EmbeddedServer) -> tuple[object, ...]:
        shell = Shell(self.work)
        log = [version["commit"]["id"] for version in shell("log", "--json").json["versions"]]
        return files_of(self.work), log, shell("status", "-s").out, self.remote_refs(server)

    def remote_refs(self, server: EmbeddedServer) -> dict[str, str]:
        """Returns the server's refs, after a look that every blob they need is in its storage."""
        place = self.root / "check"
        shutil.rmtree(place, ignore_errors=True)
        if Shell(self.root)("clone", f"{server.url}/data", "check", code=-1).code:
            return {}
        with Workspace.open(place) as workspace:
            assert not fsck(workspace, False, Silent()).damage
            history = workspace.history("data")
            refs = history.refs("refs/remotes/")
            needed = [pointer.oid for pointer in new_pointers(history, refs.values(), [])]
        assert not server.site.storage.blobs.missing(needed)
        return dict(refs)


class _Later:
    """A fault that is put in when the server runs already."""

    def __init__(self) -> None:
        self.fault = Fault()

    def __call__(self, operation: str, path: Path | str) -> None:
        self.fault(operation, path)


def cut_client(scene: HttpScene, number: int | None, points: range) -> None:
    """Cuts the client at each of the points; what the server shows is whole, and a rerun finishes it."""
    for stop_at in points:
        scene.reset()
        fault = Fault(stop_at, number)
        with scene.serving(Fault()) as server:
            try:
                scene.run(server, fault)
            except Killed:
                assert number is None
            except StorageError as error:
                assert number is not None and error.exit_code == 8
            scene.remote_refs(server)
            scene.run(server, Fault())
            assert scene.outcome(server) == scene.final, f"cut at step {stop_at}: {fault.steps[-3:]}"
        if len(fault.steps) < stop_at:
            assert stop_at > 3, "the verb has no durable steps"
            break


def fail_server(scene: HttpScene, number: int, points: range) -> int:
    """Has the server's disk fail at each of the points; returns how many pushes were told of it."""
    failed = 0
    for stop_at in points:
        scene.reset()
        fault = Fault(stop_at, number)
        with scene.serving(fault) as server:
            try:
                scene.run(server, Fault())
            except AimdvcError as error:
                assert error.exit_code == 6, error
                failed += 1
            scene.remote_refs(server)
            scene.run(server, Fault())
            assert scene.outcome(server) == scene.final, f"failed at step {stop_at}: {fault.steps[-3:]}"
        if len(fault.steps) < stop_at:
            break
    return failed


CLIENT = pytest.mark.parametrize("number", [None, errno.ENOSPC, errno.EIO], ids=["kill", "full", "io-error"])
SERVER = pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["full", "io-error"])
VERBS = pytest.mark.parametrize("verb", ["push", "pull"])


@VERBS
@CLIENT
def test_the_client_is_cut_at_some_durable_steps(verb: str, number: int | None, tmp_path: Path) -> None:
    cut_client(HttpScene(tmp_path, verb), number, range(2, EVERY, 6))


@SERVER
def test_the_server_fails_at_some_durable_steps(number: int, tmp_path: Path) -> None:
    fail_server(HttpScene(tmp_path, "push"), number, range(3, EVERY, 5))


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@VERBS
@CLIENT
def test_the_client_is_cut_at_every_durable_step(verb: str, number: int | None, tmp_path: Path) -> None:
    cut_client(HttpScene(tmp_path, verb), number, range(1, EVERY))


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@SERVER
def test_the_server_fails_at_every_durable_step(number: int, tmp_path: Path) -> None:
    assert fail_server(HttpScene(tmp_path, "push"), number, range(1, EVERY)) > 0
