"""Several processes of a server over one PostgreSQL and one bucket, behind a round-robin; killed under load."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from tests.buckets import BucketServer
from tests.postgres import Postgres
from tests.shell import files_of, git, unmeasured

PUSHERS = 2
ROUNDS = 4


class Served:
    """One `aimdvc serve`, with its workers a process group of its own."""

    def __init__(self, place: Path, database: str, storage: str) -> None:
        self._command = [sys.executable, "-m", "aimdvc", "serve", str(place), "--json", "--port"]
        self._urls = ["--database", database, "--storage", storage]
        self.port = 0
        self.key: str | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [*self._command, str(self.port), *self._urls],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.port = int(told["url"].rpartition(":")[2])
        self.key = self.key or told["admin_key"]

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def round_robin(ports: list[int]) -> Iterator[str]:
    """Each connection goes to the next server that takes it; what breaks there breaks for the client, too."""
    turns = count()
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def relay(client: socket.socket) -> None:
        with client:
            for _ in ports:
                with suppress(OSError), socket.create_connection(("127.0.0.1", ports[next(turns) % len(ports)])) as to:
                    back = threading.Thread(target=copy, args=(to, client), daemon=True)
                    back.start()
                    copy(client, to)
                    back.join()
                    return

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def aimdvc(here: Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> int:
    """Runs the real program."""
    here.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "aimdvc", *arguments], cwd=here, env=unmeasured(), capture_output=True, text=True
    )
    assert done.returncode in codes, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.returncode


def repeated(here: Path, *arguments: str) -> None:
    """Runs a command again where a server was killed under it, as its message says."""
    for _ in range(10):
        if aimdvc(here, *arguments, codes=(0, 5, 6)) == 0:
            return
        time.sleep(0.3)
    raise AssertionError(arguments)


def push_rounds(here: Path, url: str, name: str, failures: list[BaseException]) -> None:
    try:
        source = random.Random(name)
        aimdvc(here, "init")
        aimdvc(here, "remote", "add", "origin", url)
        (here / name).mkdir()
        for number in range(ROUNDS):
            for small in range(20):
                (here / name / f"small{small}-{number}").write_bytes(source.randbytes(2000))
            (here / name / "large").write_bytes(source.randbytes(1_500_000))
            aimdvc(here, "add", name)
            aimdvc(here, "commit", "-m", f"round {number}")
            repeated(here, "push")
    except BaseException as error:  # told by the test's own thread
        failures.append(error)


def clone_rounds(here: Path, url: str, stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        here.mkdir()
        for number in count():
            if stop.is_set():
                return
            place = here / str(number)
            # 2: the artifact is not there yet.
            if aimdvc(here, "clone", f"{url}/a0", str(place), codes=(0, 2, 5, 6)) == 0 and place.exists():
                aimdvc(place, "fsck")
    except BaseException as error:  # told by the test's own thread
        failures.append(error)


def test_a_server_killed_under_load_loses_nothing(
    tmp_path: Path, home: Path, postgres: Postgres, nanio: BucketServer
) -> None:
    database, storage = postgres.database(), nanio.bucket()
    one = Served(tmp_path / "one", database, storage)
    two = Served(tmp_path / "two", database, storage)
    failures: list[BaseException] = []
    stop = threading.Event()
    with round_robin([one.port, two.port]) as url:
        subprocess.run(
            [sys.executable, "-m", "aimdvc", "login", url], input=f"{one.key}\n", text=True, check=True, cwd=home
        )
        pushers = [
            threading.Thread(target=push_rounds, args=(tmp_path / f"w{number}", url, f"a{number}", failures))
            for number in range(PUSHERS)
        ]
        reader = threading.Thread(target=clone_rounds, args=(tmp_path / "clones", url, stop, failures))
        for thread in (*pushers, reader):
            thread.start()
        killed = 0
        while any(thread.is_alive() for thread in pushers):
            time.sleep(1.5)
            victim = (one, two)[killed % 2]
            victim.kill()
            time.sleep(0.7)
            victim.start()
            killed += 1
        stop.set()
        reader.join()
        assert not failures, failures
        assert killed >= 2
        for number in range(PUSHERS):
            name = f"a{number}"
            aimdvc(tmp_path / "after", "clone", f"{url}/{name}", name)
            assert files_of(tmp_path / "after" / name) == files_of(tmp_path / f"w{number}" / name)
            place = tmp_path / f"stock{number}"
            git(tmp_path, "clone", "-q", url.replace("http://", f"http://x:{one.key}@") + f"/{name}", str(place))
            git(place, "fsck", "--strict")
            assert git(place, "tag").split() == [f"v{version}" for version in range(1, ROUNDS + 1)]
    for server in (one, two):
        server.kill()
