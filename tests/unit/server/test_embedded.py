"""A server inside a process leaves nothing of itself there."""

import gc
import weakref
from pathlib import Path

import pytest

from aimdvc.server.cheroot_backend import CherootBackend
from aimdvc.server.embedded import EmbeddedServer, StartBackend
from aimdvc.server.granian_backend import GranianBackend


@pytest.mark.parametrize("backend", [GranianBackend, CherootBackend])
def test_a_server_that_was_stopped_holds_no_memory(tmp_path: Path, backend: StartBackend) -> None:
    with EmbeddedServer(tmp_path / "srv", backend=backend) as server:
        site = weakref.ref(server.site)
    del server
    gc.collect()
    assert site() is None
