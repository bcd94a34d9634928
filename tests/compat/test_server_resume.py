"""Stock git-lfs, whose uploads are cut: by tus it goes on where it was, if told to use it; else it begins anew."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend
from tests.compat.test_server_stock import Stock
from tests.e2e.proxy import proxied

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)

MIB = 1 << 20
LARGE = random.Random(6).randbytes(6 * MIB)


@pytest.fixture(params=[GranianBackend, CherootBackend], ids=["granian", "cheroot"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedServer]:
    """Over local files; large blobs in a bucket go by hrefs of the bucket, and begin anew."""
    start: StartBackend = request.param
    with EmbeddedServer(tmp_path / "srv", backend=start) as running:
        yield running


def push_over(one: Stock, server: EmbeddedServer, limit: int, fails: bool) -> int:
    """Pushes blobs through a network that goes after so many bytes; returns how many passed."""
    with proxied(server.url, limit, 0, True, is_for_all=True) as proxy:
        url = one.url.replace(server.url.removeprefix("http://"), proxy.url.removeprefix("http://"))
        one.git("remote", "set-url", "origin", f"{url}/a")
        one.git("lfs", "push", "origin", "main", fails=fails)
        return proxy.passed


@pytest.mark.parametrize("is_resumable", [True, False])
def test_a_push_that_was_cut_sends_only_the_rest(server: EmbeddedServer, tmp_path: Path, is_resumable: bool) -> None:
    one = Stock(tmp_path / "one", server).start("a")
    one.git("config", "lfs.tustransfers", str(is_resumable).lower())
    one.git("config", "lfs.transfer.maxretries", "1")
    one.commit(a_bin=LARGE, b_bin=b"small")
    assert push_over(one, server, 5 * MIB, fails=True) == 5 * MIB
    passed = push_over(one, server, 1 << 40, fails=False)
    assert passed < 1.2 * MIB if is_resumable else passed > 6 * MIB
    one.git("remote", "set-url", "origin", f"{one.url}/a")
    one.git("push", "origin", "main")
    two = Stock(tmp_path / "two", server).clone("a")
    assert (two.path / "a.bin").read_bytes() == LARGE
    assert (two.path / "b.bin").read_bytes() == b"small"
