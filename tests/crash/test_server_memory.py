"""A worker's memory under load: what many clients ask for at once, and what they are slow to take, adds little."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aimdvc.server.limits import Limits
from tests.contract.server_client import LFS
from tests.crash.serving import Served

AT_ONCE = Limits().costly_of_one


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "srv")
    yield made
    made.stop()


def peak_mib(served: Served) -> float:
    """Returns the most memory that the worker ever had."""
    status = Path(f"/proc/{served.worker}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def test_many_large_batches_at_once_take_no_more_memory_than_some(served: Served) -> None:
    client = served.client
    objects = [{"oid": f"{number:064x}", "size": 1} for number in range(4000)]
    body = json.dumps({"operation": "upload", "transfers": ["aimd-pack"], "objects": objects}).encode()
    kind = {"Content-Type": LFS, "Accept": LFS}

    def ask(times: int) -> float:
        with ThreadPoolExecutor(times) as pool:
            asked = [
                pool.submit(client.request, "POST", "/a.git/info/lfs/objects/batch", body, kind) for _ in range(times)
            ]
        assert {one.result().status for one in asked} == {200}
        return peak_mib(served)

    some = ask(Limits().large)
    assert ask(AT_ONCE) < some + 45


def test_downloads_that_nobody_takes_hold_little(served: Served) -> None:
    client = served.client
    content = b"\0" * (24 << 20)
    pointer = client.upload("a", content)[0]
    href = client.batch("a", "download", [pointer]).json()["objects"][0]["actions"]["download"]["href"]
    before = peak_mib(served)
    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            begin_download(stack, href)
        assert client.request("GET", href, key=False).status == 429
        assert peak_mib(served) < before + 70


def begin_download(stack: ExitStack, href: str) -> None:
    """Asks for a blob, and takes no more of it than the first bytes."""
    parts = urlsplit(href)
    connection = stack.enter_context(socket.socket())
    connection.settimeout(20)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((str(parts.hostname), parts.port or 80))
    connection.sendall(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
