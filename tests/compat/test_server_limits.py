"""What a server refuses for lack of room or time, as stock git-lfs tells it, and how it goes on."""

import shutil
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.limits import Limits
from aimdvc.server.ownership import owned
from tests.compat.test_server_stock import Stock
from tests.contract.server_client import Client, pointer_of
from tests.contract.stalling import busy

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("git-lfs") is None, reason="git and git-lfs are not installed"
)


def test_stock_git_lfs_tells_of_a_full_quota_and_goes_on(server: EmbeddedServer, tmp_path: Path) -> None:
    server.site.quotas.set("user:admin", 5000)
    stock = Stock(tmp_path / "one", server).start("data/set")
    stock.commit(a_bin=b"a" * 4000)
    stock.git("push", "origin", "main")
    stock.commit(b_bin=b"b" * 4000)
    told = stock.git("push", "origin", "main", fails=True)
    assert "the quota of 'user:admin', 4.9 KiB, is full: 1000 B are left, and this takes 3.9 KiB" in told
    server.site.quotas.set("user:admin", 8000)
    stock.git("push", "origin", "main")
    assert (Stock(tmp_path / "two", server).clone("data/set").path / "b.bin").read_bytes() == b"b" * 4000


def test_stock_git_lfs_comes_again_to_a_server_that_is_busy(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv", limits=Limits(costly_of_one=1)) as server:
        client = Client(server.url, server.admin_key)
        stock = Stock(tmp_path / "one", server).start("data/set")
        stock.commit(a_bin=b"a" * 4000)
        with busy(client):
            stock.git("lfs", "push", "origin", "main")
        stock.git("push", "origin", "main")
        assert (Stock(tmp_path / "two", server).clone("data/set").path / "a.bin").read_bytes() == b"a" * 4000


def test_stock_git_lfs_asks_again_when_its_batch_was_refused(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "srv", limits=Limits(running=1)) as server:
        client = Client(server.url, server.admin_key)
        stock = Stock(tmp_path / "one", server).start("data/set")
        stock.git("config", "lfs.locksverify", "false")
        stock.commit(a_bin=b"a" * 4000)
        with busy(client):
            stock.git("lfs", "push", "origin", "main")
        artifact = server.site.catalogue.find_by_path("admin/data/set")
        assert artifact is not None
        assert owned(server.site.database, artifact.id, [pointer_of(b"a" * 4000).oid])
