"""Clients that keep a real server busy for minutes, its upkeep meanwhile, and what is seen of its processes.

All of them run the real command line as processes of their own. Each client knows, version by version, what it pushed.
"""

import hashlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.http import family
from tests.contract.server_client import Client, pointer_of
from tests.shell import files_of, unmeasured

_SIZES = (0, 90, 4096, 4096, 20_000, 100_000, 1_500_000)
_GRACE_DAYS = str(40 / 86_400)
_SHARED = "shared"


class Failed(Exception):
    """A command ended as it should not have."""


def aimdvc(here: Path, *arguments: str, codes: Sequence[int] = (0,), typed: str = "") -> tuple[int, str]:
    """Runs a command; returns its exit code and output."""
    command = [sys.executable, "-m", "aimdvc", "-C", str(here), *arguments]
    done = subprocess.run(command, input=typed, capture_output=True, text=True, env=unmeasured(), timeout=300)
    if done.returncode not in codes:
        raise Failed(f"aimdvc {' '.join(arguments)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.returncode, done.stdout


@dataclass
class Server:
    """A server that runs: its process, and the options by which commands on the machine find it."""

    directory: Path
    url: str
    key: str
    pid: int
    log: Path
    database: Sequence[str]

    def run(self, *arguments: str) -> str:
        """Runs an `aimdvc server …` command, which has to end with 0."""
        return aimdvc(self.directory, "server", *arguments, *self.database)[1]


@contextmanager
def serving(place: Path, database: str | None = None, storage: str | None = None) -> Iterator[Server]:
    """Runs `aimdvc serve`, with an access log, while the `with` lasts. It has to end by itself when it is told to."""
    where, log = place / "srv", place / "access.log"
    options = ["--database", database] if database else []
    command = [sys.executable, "-m", "aimdvc", "serve", str(where), "--port", "0", "--json", "--access-log", str(log)]
    command += options + (["--storage", storage] if storage else [])
    said = place / "server.stderr"
    with said.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=unmeasured())
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    try:
        yield Server(where, told["url"], told["admin_key"], process.pid, log, options)
    finally:
        process.terminate()
        code = process.wait(timeout=60)
        process.stdout.close()
    assert code == 0, said.read_text()[-3000:]


@dataclass
class Worker:
    """One client: an artifact of its own, and one that all share."""

    number: int
    place: Path
    server: Server
    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    """Versions of its own artifact, with the hash of each file."""
    done: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.number)
        self.name = f"data{self.number}"
        self.here, self.reader, self.joint = (self.place / f"{what}{self.number}" for what in ("own", "read", "joint"))
        self.joined = 0

    def begin(self) -> None:
        """Makes its workspace, and the first version of its artifact."""
        self.here.mkdir()
        aimdvc(self.here, "init")
        aimdvc(self.here, "remote", "add", "origin", self.server.url)
        self.push()
        aimdvc(self.place, "clone", f"{self.server.url}/{self.name}", str(self.reader))
        aimdvc(self.place, "clone", f"{self.server.url}/{_SHARED}", str(self.joint))

    def step(self) -> None:
        """Does one thing out of many."""
        works = (self.push, self.push, self.pull, self.get, self.branch, self.join, self.join, self.abandon, self.look)
        work = self.random.choice(works)
        work()
        self.done[work.__name__] = self.done.get(work.__name__, 0) + 1

    def push(self) -> None:
        """Publishes one more version."""
        for _ in range(self.random.randint(1, 12)):
            path = self.here / self.name / f"d{self.random.randrange(4)}" / f"f{self.random.randrange(40)}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = self.random.choice(_SIZES) if self.random.random() < 0.97 else 12 << 20
            path.write_bytes(self.random.randbytes(size))
        aimdvc(self.here, "add", self.name)
        aimdvc(self.here, "commit", "-m", "one more")
        aimdvc(self.here, "push")
        self.pushed[f"v{len(self.pushed) + 1}"] = hashes(self.here / self.name)

    def pull(self) -> None:
        """Brings the reader up to date."""
        aimdvc(self.reader, "pull")
        self.compare(self.reader, list(self.pushed)[-1])

    def get(self) -> None:
        """Brings one of the versions into a new directory."""
        version, target = self.random.choice(list(self.pushed)), self.place / f"got{self.number}"
        aimdvc(self.place, "clone", f"{self.server.url}/{self.name}@{version}", str(target))
        self.compare(target, version)
        shutil.rmtree(target)

    def branch(self) -> None:
        """Publishes a branch, and deletes it: what it had is gc's then."""
        path = self.here / self.name / "side.bin"
        aimdvc(self.here, "switch", "-c", f"{self.name}@side")
        path.write_bytes(self.random.randbytes(50_000))
        aimdvc(self.here, "add", self.name)
        aimdvc(self.here, "commit", "-m", "aside")
        aimdvc(self.here, "push")
        aimdvc(self.here, "push", "--delete", f"{self.name}@side")
        aimdvc(self.here, "switch", f"{self.name}@main")
        aimdvc(self.here, "branch", "-D", f"{self.name}@side")

    def join(self) -> None:
        """Publishes a version of what all share; who was slower pulls and pushes again."""
        self.joined += 1
        (self.joint / f"by{self.number}.txt").write_text(f"{self.joined}\n")
        aimdvc(self.joint, "add", ".")
        aimdvc(self.joint, "commit", "-m", "mine")
        for _ in range(50):
            aimdvc(self.joint, "pull")
            if aimdvc(self.joint, "push", codes=(0, 5))[0] == 0:
                return
        raise Failed("fifty times somebody else was faster")

    def abandon(self) -> None:
        """Uploads what no push follows, and breaks an upload off."""
        client = Client(self.server.url, self.server.key)
        client.upload(f"junk{self.number}", *(self.random.randbytes(size) for size in (200, 30_000, 200_000)))
        pointer = pointer_of(self.random.randbytes(1_000_000))
        blob = client.batch(f"junk{self.number}", "upload", [pointer]).json()["objects"][0]
        parts = urlsplit(blob["actions"]["upload"]["href"])
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 1000000\r\n\r\n"
        with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=20) as connection:
            connection.sendall(head.encode() + bytes(300_000))

    def look(self) -> None:
        """Asks without changing anything."""
        aimdvc(self.reader, "fetch")
        aimdvc(self.reader, "ls-remote")
        client = Client(self.server.url, self.server.key)
        for path in (f"objects/admin/{self.name}", f"versions/admin/{self.name}", "search?q=data", "stats"):
            reply = client.request("GET", f"/api/v1/{path}")
            if reply.status not in (200, 429):
                raise Failed(f"{path}: {reply.status} {reply.body[:500]!r}")
        self.load(client)

    def load(self, client: Client) -> None:
        """Gets blobs one by one, as stock clients do, as fast as it can; each has to be what it is called."""
        contents = [content for content in files_of(self.reader).values() if content][:100]
        reply = client.batch(self.name, "download", {pointer_of(content) for content in contents})
        for blob in reply.json()["objects"] if reply.status == 200 else ():
            got = client.request("GET", blob["actions"]["download"]["href"], key=False)
            if got.status == 200 and pointer_of(got.body).oid != blob["oid"]:
                raise Failed(f"{blob['oid']} came as something else")
            if got.status not in (200, 429):
                raise Failed(f"{blob['oid']}: {got.status}")

    def compare(self, here: Path, version: str) -> None:
        """Raises Failed unless a workspace has the files of a version."""
        if hashes(here) != self.pushed[version]:
            raise Failed(f"{self.name}@{version} is not what was pushed")


def hashes(root: Path) -> dict[str, str]:
    """Returns the hash of each file of a user's."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in files_of(root).items()}


def begin_shared(place: Path, server: Server) -> None:
    """Makes the artifact that all share."""
    here = place / "first"
    here.mkdir()
    aimdvc(here, "init")
    aimdvc(here, "remote", "add", "origin", server.url)
    (here / _SHARED).mkdir()
    (here / _SHARED / "begin.txt").write_text("begun\n")
    aimdvc(here, "add", _SHARED)
    aimdvc(here, "commit", "-m", "begun")
    aimdvc(here, "push")


@dataclass(frozen=True)
class Sample:
    """What a process of the server held at a time: memory in MiB, open files, open blob packs beside them.

    Of blob packs that were read some are kept open.
    """

    at_s: float
    pid: int
    memory_mib: float
    files: int
    packs: int


class Watch:
    """Runs clients and upkeep until the time is over, or one of them fails; looks at the server meanwhile."""

    def __init__(self, server: Server, workers: Sequence[Worker], seconds: float) -> None:
        self._server, self._workers = server, workers
        self._end_s = time.monotonic() + seconds
        self.samples: list[Sample] = []
        self.failures: list[str] = []
        self.upkeep: dict[str, int] = {}

    def run(self, place: Path) -> None:
        """Returns when all have ended."""
        threads = [threading.Thread(target=self._guarded, args=(worker.step,)) for worker in self._workers]
        threads.append(threading.Thread(target=self._guarded, args=(lambda: self._keep(place),)))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.samples += sample(self._server.pid)
            time.sleep(1)

    def _guarded(self, step: Callable[[], None]) -> None:
        while time.monotonic() < self._end_s and not self.failures:
            try:
                step()
            except Exception as error:  # whatever it is, the test fails by it, and the others end
                self.failures.append(f"{type(error).__name__}: {error}")

    def _keep(self, place: Path) -> None:
        for arguments in (
            ("gc", "--apply", "--grace", _GRACE_DAYS, "--keep", _GRACE_DAYS),
            ("trash", "empty", "--older-than", _GRACE_DAYS),
            ("scrub", "--rate", "100M", "--limit", "200M"),
            ("backup", str(place / "backup")),
            ("verify",),
            ("stats",),
        ):
            if time.monotonic() < self._end_s:
                self._server.run(*arguments)
                self.upkeep[arguments[0]] = self.upkeep.get(arguments[0], 0) + 1
        time.sleep(1)


def sample(pid: int) -> list[Sample]:
    """Returns what the workers of a server hold now."""
    found = []
    for one in family(pid)[1:]:
        status = Path(f"/proc/{one}/status").read_text()
        match = re.search(r"VmRSS:\s+([0-9]+) kB", status)
        assert match is not None, status
        opened = opened_by(one)
        packs = sum("/blobs/packs/" in path for path in opened)
        found.append(Sample(time.monotonic(), one, int(match[1]) / 1024, len(opened) - packs, packs))
    return found


def opened_by(pid: int) -> list[str]:
    """Returns the files that a process has open, some of which it may have closed meanwhile."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return found


def growth(samples: Sequence[Sample], what: str, of: Callable[[list[float]], float]) -> dict[int, tuple[float, float]]:
    """Returns, for each worker, the most, or the least, that it held in the third and in the last quarter."""
    begin, end = samples[0].at_s, samples[-1].at_s
    half, late = begin + (end - begin) / 2, begin + (end - begin) * 3 / 4
    found = {}
    for pid in {one.pid for one in samples}:
        values = [(one.at_s, float(getattr(one, what))) for one in samples if one.pid == pid]
        third = of([value for at_s, value in values if half <= at_s < late])
        found[pid] = third, of([value for at_s, value in values if at_s >= late])
    return found
