"""The network goes after so many bytes of a push or a pull: an error that says so, nothing lost, and a rerun goes on.

Every ninth cut of 64 KiB always; `pytest -m sweep tests/crash` takes each. Nothing answers any more after a cut.
"""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimdvc.errors import AimdvcError
from aimdvc.fs.disk import Disk
from aimdvc.model.progress import Silent
from aimdvc.ops.blobs import Means
from aimdvc.ops.connect import Connector
from aimdvc.ops.fsck import fsck
from aimdvc.ops.pull import PullOptions, pull
from aimdvc.ops.push import push
from aimdvc.ops.transfer import blob_fetcher
from aimdvc.ops.workspace import Workspace
from aimdvc.remote.credentials import Credentials, KeyFile
from aimdvc.remote.session import Patience, Session
from aimdvc.server.embedded import EmbeddedServer
from tests.crash.ground import finish
from tests.crash.scenarios import author
from tests.e2e.proxy import proxied
from tests.shell import Shell, files_of

KIB = 1 << 10
STEP = 64 * KIB
LARGE = 2560 * KIB
SLACK = 96 * KIB
"""What may come again: a frame, the socket's buffers, the refs and the requests."""


class Ground:
    """A server, and a workspace that is to push to it, or to pull from it; each cut begins with a fresh one."""

    def __init__(self, root: Path, server: EmbeddedServer, verb: str) -> None:
        self.root = root
        self.server = server
        self.verb = verb
        source = random.Random(4)
        work = Shell(root / "template")
        work.here.mkdir()
        work("init")
        work.write("data/notes.md", "one\n")
        work.commit("data", "first")
        work("remote", "add", "origin", f"{server.url}/begun")
        work("push")
        if verb == "pull":
            shutil.copytree(work.here, root / "behind", symlinks=True)
        work.write("data/large.bin", source.randbytes(LARGE))
        for number in range(150):
            work.write(f"data/d{number % 7}/f{number}", source.randbytes(4 * KIB))
        work.commit("data", "second")
        self.files = files_of(work.here / "data")
        if verb == "pull":
            work("push")
        self.total = self.finish(self.fresh("whole"), "whole")

    def fresh(self, name: str) -> Path:
        """Returns a new workspace; a push goes to an artifact of its own, which has the first version."""
        place = self.root / name
        shutil.copytree(self.root / ("behind" if self.verb == "pull" else "template"), place, symlinks=True)
        if self.verb == "push":
            first = self.root / f"{name}-first"
            shutil.copytree(place, first, symlinks=True)
            shell = Shell(first)
            shell("remote", "set-url", "origin", self._url(name))
            shell("reset", "--hard", "data@HEAD~1")
            shell("push", "--restore")
        return place

    def _url(self, name: str) -> str:
        return f"{self.server.url}/{'begun' if self.verb == 'pull' else name}"

    @contextmanager
    def _opened(self, place: Path, base: str) -> Iterator[tuple[Workspace, Connector]]:
        credentials = Credentials(KeyFile(self.root / "keys.json", Disk()), {base: self.server.admin_key or ""}, {})
        connector = Connector(lambda: Session(credentials, Patience(2, 2, 0.001)))
        try:
            with Workspace.open(place, None, author) as workspace:
                yield workspace, connector
        finally:
            connector.close()

    def run(self, place: Path, name: str, limit: int) -> int:
        """Runs the verb over a network that goes after `limit` bytes; returns how many passed."""
        with proxied(self.server.url, limit, 0, self.verb == "push", is_for_all=True) as proxy:
            Shell(place)("remote", "set-url", "origin", self._url(name).replace(self.server.url, proxy.url))
            try:
                with self._opened(place, proxy.url) as (workspace, connector):
                    if self.verb == "push":
                        finish(push(workspace, connector, [], Silent()))
                    else:
                        finish(pull(workspace, connector, [], PullOptions(), Means(blob_fetcher(connector), Silent())))
            finally:
                passed = proxy.passed
        return passed

    def finish(self, place: Path, name: str) -> int:
        """Runs the verb over a whole network; returns how many bytes passed."""
        return self.run(place, name, 1 << 40)

    def check(self, place: Path, name: str) -> None:
        """Holds what must hold after a cut, here and on the server."""
        with Workspace.open(place, None, author) as workspace:
            assert not fsck(workspace, False, Silent()).damage
        Shell(self.root)("clone", f"{self._url(name)}/data", f"{name}-seen")
        seen = Shell(self.root / f"{name}-seen")
        assert seen("fsck").code == 0
        assert files_of(seen.here) in ({"notes.md": b"one\n"}, self.files)


def cut(ground: Ground, step: int) -> None:
    again = 0
    for limit in range(0, ground.total, step):
        name = f"cut{limit // KIB}"
        place = ground.fresh(name)
        before = files_of(place / "data")
        try:
            ground.run(place, name, limit)
        except AimdvcError as error:
            assert error.exit_code == 6, error
            again += 1
        now = files_of(place / "data")
        assert all(now[path] in (before.get(path), ground.files.get(path)) for path in now)
        ground.check(place, name)
        rest = ground.finish(place, name)
        assert files_of(place / "data") == ground.files
        assert rest <= ground.total - limit + SLACK, f"cut at {limit}: {rest} bytes went again"
        for left in ground.root.glob(f"{name}*"):
            shutil.rmtree(left)
    assert again >= (ground.total // step) * 3 // 4


VERBS = pytest.mark.parametrize("verb", ["push", "pull"])


@VERBS
def test_the_network_goes_at_some_places(verb: str, server: EmbeddedServer, tmp_path: Path) -> None:
    cut(Ground(tmp_path, server, verb), 9 * STEP)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@VERBS
def test_the_network_goes_at_every_64_kib(verb: str, server: EmbeddedServer, tmp_path: Path) -> None:
    cut(Ground(tmp_path, server, verb), STEP)
