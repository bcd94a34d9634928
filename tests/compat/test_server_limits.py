"""What a server refuses for lack of room or time, as stock git-lfs tells it, and how it goes on."""

import shutil
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.compat.test_server_stock import Stock

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
