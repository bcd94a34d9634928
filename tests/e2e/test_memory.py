"""Memory stays flat: a large file is never held whole, by any verb that touches it."""

import os
import subprocess
import sys
from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell

SIZE = 600 << 20
LIMIT_MIB = 150


def peak_mib(here: Path, *arguments: str) -> float:
    """Runs a command in a process of its own and returns its peak memory in MiB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aimdvc", *arguments], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, output.decode()
    return usage.ru_maxrss / 1024


def test_a_large_file_all_the_way(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    shell("remote", "add", "origin", server.url)
    path = shell.write("data/large.bin", b"start")
    with path.open("r+b") as file:
        file.truncate(SIZE)
    peaks = {
        "add": peak_mib(shell.here, "add", "data"),
        "commit": peak_mib(shell.here, "commit", "-m", "large"),
        "push": peak_mib(shell.here, "push"),
        "clone": peak_mib(tmp_path, "clone", f"{server.url}/data", "clone"),
        "fsck": peak_mib(tmp_path / "clone", "fsck"),
    }
    assert (tmp_path / "clone/large.bin").stat().st_size == SIZE
    assert max(peaks.values()) < LIMIT_MIB, peaks
