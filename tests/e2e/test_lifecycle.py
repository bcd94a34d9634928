"""docs/examples/lifecycle.py on real data, as its first lines say; then the command line looks at what it made."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell

SCRIPT = Path(__file__).parents[2] / "docs/examples/lifecycle.py"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "srv") as running:
        yield running


def test_the_life_of_a_data_set_and_a_model(server: EmbeddedServer, tmp_path: Path) -> None:
    pytest.importorskip("vega_datasets", reason="the data come from vega_datasets: `pip install vega_datasets`")
    known = {"AIMDVC_HOST": server.url, "AIMDVC_API_KEY": server.admin_key or "", "PYTHONPATH": str(SCRIPT.parents[2])}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=tmp_path, env={**os.environ, **known}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "iris v1 → v2: Difference(added=[], removed=[], changed=['iris/measures.csv'])" in done.stdout
    shell = Shell(tmp_path)
    shell("clone", f"{server.url}/admin/default/iris", "iris")
    assert [one["version"] for one in shell("log", "--json", at=tmp_path / "iris").json["versions"]] == ["v2", "v1"]
    assert "iris/measures.csv" in shell("diff", "@production", "@v2", at=tmp_path / "iris").out
    shell("clone", f"{server.url}/admin/default/iris-model", "model")
    assert (tmp_path / "model/weights.npy").stat().st_size > 0
