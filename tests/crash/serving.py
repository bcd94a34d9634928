"""`aimdvc serve` as a process of its own, which strace kills, or whose disk it fails, at the n-th durable system call.

One worker answers, and one thread of it so long as requests come one after the other: so the n-th call is the same one
in every run. strace is attached once the server runs, and counts from there.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from aimdvc.server.site import Location
from tests.contract.server_client import Client
from tests.shell import unmeasured

_ONE_WORKER = "import os; os.cpu_count = lambda: 1; from aimdvc.cli.main import main; main()"
DURABLE = "fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink,unlinkat,write,pwrite64,ftruncate,mkdir,mkdirat"
FAULTS = {
    "kill": (DURABLE, "signal=KILL"),
    "full": ("pwrite64,ftruncate,mkdir,mkdirat,rename", "error=ENOSPC"),
    "sync-error": ("fsync,fdatasync,syncfs,pwrite64", "error=EIO"),
}
"""What is done to which calls. `write` fails in test_cut_http.py alone: by it granian's threads wake each other."""

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$", re.MULTILINE)

Point = tuple[str, int]
"""A system call, and which one of its name."""


class Served:
    """A server of a directory; started again at its next use after it was killed."""

    def __init__(self, directory: Path, name: str = "first", database: str | None = None) -> None:
        self.directory = directory
        self.location = Location(directory, database)
        self.options: tuple[str, ...] = ()
        self.key = ""
        self.exits: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""
        self._traced = 0
        self._said = directory.with_name(f"{name}.stderr")
        self._log = directory.with_name(f"{name}.strace")

    @property
    def client(self) -> Client:
        """A client with the administrator's key; of a server that runs."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        return Client(self._url, self.key)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self.stop()
        command = [sys.executable, "-c", _ONE_WORKER, "serve", str(self.directory), "--port", "0", "--json"]
        command += self.options
        if self.location.database is not None:
            command += ["--database", self.location.database]
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=unmeasured())
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self._url, self.key = told["url"], told["admin_key"] or self.key
        assert Client(self._url, None).request("GET", "/healthz").status == 200

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it; safe to repeat."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(number)
            self.exits.append(self._process.wait(timeout=60))
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def kill(self, *, is_worker: bool) -> int:
        """Kills the worker, or its parent, and waits for the end of the parent; returns the worker's process."""
        assert self._process is not None
        worker = self.worker
        os.kill(worker if is_worker else self._process.pid, signal.SIGKILL)
        assert self._process.wait(timeout=60) != 0
        self.stop()
        return worker

    def said(self) -> str:
        """Returns what it wrote to standard error until now."""
        return self._said.read_text(errors="replace")

    @property
    def worker(self) -> int:
        """The process that answers."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        assert len(children) == 1
        return int(children[0])

    def _wait_killed(self) -> None:
        """Waits for the end of the server whose worker is gone: it must not go on without."""
        assert self._process is not None
        assert self._process.wait(timeout=60) != 0
        self.stop()

    @contextmanager
    def traced(self, fault: str, point: Point | None = None) -> Iterator["Trace"]:
        """Traces what a fault is about, and has it happen at a point if there is one, while the `with` lasts."""
        names, harm = FAULTS[fault]
        places = [str(self.directory)]
        if self.location.database is not None:
            # What is said to PostgreSQL is what a row is made of.
            names += ",sendto"
            places.append(f"->127.0.0.1:{urlsplit(self.location.database).port}]")
        self._log.unlink(missing_ok=True)
        self._traced = self.worker
        command = ["strace", "-f", "-yy", "-s", "0", "-o", str(self._log), "-p", str(self._traced)]
        if point is None:
            command += ["-e", f"trace={names}"]
        else:
            command += ["-e", f"trace={point[0]}", "-e", f"inject={point[0]}:{harm}:when={point[1]}"]
        trace = Trace()
        with subprocess.Popen(command, stderr=subprocess.PIPE) as strace:
            assert strace.stderr is not None
            assert b"attached" in strace.stderr.readline()
            try:
                yield trace
            finally:
                self._detach(strace, may_die=fault == "kill" and point is not None)
        text = self._log.read_text(errors="replace")
        trace.is_hit = "INJECTED" in text or "killed by SIGKILL" in text
        trace.points = list(_points(text, places))
        if not self._is_alive():
            self._wait_killed()

    def _detach(self, strace: "subprocess.Popen[bytes]", may_die: bool) -> None:
        """Ends strace. Asked to while what it traces dies, it would wait for ever."""
        deadline = time.monotonic() + (0.3 if may_die else 0)
        while self._is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        if self._is_alive():
            strace.send_signal(signal.SIGINT)
        strace.wait(timeout=60)

    def _is_alive(self) -> bool:
        """Returns whether the worker lives."""
        try:
            return Path(f"/proc/{self._traced}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False


class Trace:
    """What strace saw: the durable calls in their order, and whether the fault happened."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.is_hit = False


def _points(text: str, places: list[str]) -> Iterator[Point]:
    """Yields the calls on what lies in the places; a thread's others count as well but are none."""
    seen: Counter[tuple[str, str]] = Counter()
    for thread, name, arguments in _CALL.findall(text):
        seen[thread, name] += 1
        if any(place in arguments for place in places):
            yield name, seen[thread, name]
