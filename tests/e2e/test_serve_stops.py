"""`aimdvc serve` that is told to stop: by whom, and in which order its processes hear of it, makes no difference."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.shell import unmeasured


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="its processes are found in /proc")
def test_a_stop_that_all_processes_are_told_at_once_is_no_failure(tmp_path: Path) -> None:
    """As service managers do. Who of them was first was an error now and then: hence three times."""
    for number in range(3):
        command = [sys.executable, "-m", "aimdvc", "serve", str(tmp_path / f"{number}"), "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=unmeasured()) as process:
            assert process.stdout is not None and process.stderr is not None
            json.loads(process.stdout.readline())
            time.sleep(0.5)
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert workers
            for worker in workers:
                os.kill(int(worker), signal.SIGTERM)
            time.sleep(0.003)
            process.send_signal(signal.SIGTERM)
            assert (process.wait(60), process.stderr.read()) == (0, b"")
