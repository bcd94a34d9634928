"""The README's tutorial, pasted into a shell."""

import re
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def block(marker: str) -> str:
    """Returns the shell block of the README that follows a marker."""
    found = re.search(rf"<!-- {marker} -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_tutorial_can_be_pasted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = block("tutorial").replace("8750", str(port))
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-m", "-c", script],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "v2" in done.stdout and "+park,40" in done.stdout
    assert (here / "copy/images/street.raw").stat().st_size == 300_000
    assert not (here / "copy/images/park.raw").exists()
