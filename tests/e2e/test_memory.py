"""Memory stays flat: a large file is never held whole, by any verb that touches it."""

import subprocess
import sys
from pathlib import Path

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell

SIZE = 600 << 20
LIMIT_MIB = 150

_BETWEEN = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak_mib(here: Path, *arguments: str) -> float:
    """Runs a command in a process of its own and returns its peak memory in MiB.

    A process's ru_maxrss starts at the peak of the one that forked it (getrusage(2)), so a small one stands between.
    """
    process = subprocess.run(
        [sys.executable, "-S", "-c", _BETWEEN, sys.executable, "-m", "aimdvc", *arguments],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.returncode == 0, process.stdout.decode()
    return int(process.stdout.split()[-1]) / 1024


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
