"""What a machine makes of the OpenAPI document: whatever it sends, the server does not fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.routes import ROUTES
from aimdvc.server.routing import Route
from tests.contract.server_client import Client, first_version
from tests.postgres import Postgres


def told_by_500() -> list[Route]:
    """Returns the routes whose clients are told by a 500 that something is not there."""
    return [route for route in ROUTES if route.errors is not None and route.errors.status == 500]


def expecting_500(route: Route) -> str:
    """Returns the settings by which that counts as no failure."""
    return (
        f'[[operations]]\ninclude-path = "{route.path}"\ninclude-method = "{route.method}"\n'
        '[operations.checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 500]\n'
    )


@pytest.mark.parametrize("examples", [6, pytest.param(150, marks=[pytest.mark.sweep, pytest.mark.timeout(3600)])])
@pytest.mark.parametrize("scope", ["admin", "none"])
def test_no_request_makes_the_server_fail(
    tmp_path: Path, postgres: Postgres, scope: str, examples: int, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "schemathesis.toml").write_text("".join(map(expecting_500, told_by_500())))
    with EmbeddedServer(tmp_path / "srv", database_url=postgres.with_tables()) as server:
        first_version(Client(server.url, server.admin_key))
        command = [str(Path(sys.executable).with_name("st")), "run", f"{server.url}/openapi.json"]
        command += ["--checks", "not_a_server_error", "--max-examples", str(examples), "--seed", "1", "--no-color"]
        # Git's own messages are not the document's: tests/fuzz and test_server_git.py make those up.
        command += ["--exclude-path-regex", "git-(upload|receive)-pack"]
        # Nor does it make up bytes of a media type that it doesn't know: test_server_tus.py.
        command += ["--exclude-operation-id", "append_to_upload"]
        if scope != "none":
            command += ["--header", f"Authorization: Bearer {server.admin_key}"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=3000)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "passed" in done.stdout
    # A failure is logged, also where clients know 500 as something else.
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aimdvc")] == []
