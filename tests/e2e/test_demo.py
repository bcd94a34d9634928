"""`aimdvc demo` and `aimdvc serve`, as processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell


def test_the_demo_runs_and_cleans_up(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(30):
        Shell(tmp_path).write(f"source/d{number % 3}/f{number}.txt", f"{number}\n" * 500)
    before = set(os.listdir(tempfile.gettempdir()))
    done = Shell(tmp_path)("demo", str(source))
    assert "identical" in done.out
    assert done.out.count("$ aimdvc ") == 14
    assert not [name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("aimdvc-demo")]
    assert len(list(source.rglob("*.txt"))) == 30
    Shell(tmp_path)("demo", str(tmp_path / "nothing"), code=2)


def test_serve_tells_where_it_is_in_its_first_line(tmp_path: Path) -> None:
    for attempt in range(2):
        process = subprocess.Popen(
            [sys.executable, "-m", "aimdvc", "serve", str(tmp_path / "srv"), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        answer = json.loads(process.stdout.readline())
        assert answer["url"].startswith("http://127.0.0.1:")
        assert (answer["admin_key"] is None) is (attempt == 1)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode in (0, 143), err
        assert out == ""


def _serve_in_vain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aimdvc", "serve", *arguments], capture_output=True, text=True, timeout=60
    )


def test_a_port_that_is_taken_says_so_and_the_key_is_still_to_come(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _serve_in_vain(str(tmp_path / "srv"), "--port", port)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert port in done.stderr
    with EmbeddedServer(tmp_path / "srv") as server:
        assert server.admin_key is not None


def test_a_file_can_not_be_served(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for place in (file, file / "below"):
        done = _serve_in_vain(str(place), "--port", "0")
        assert "Traceback" not in done.stderr
        assert f"'{file}': is no directory" in done.stderr
        assert done.returncode not in (0, 70)
