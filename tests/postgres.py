"""A real PostgreSQL for the tests: a cluster of its own in a directory, which can be stopped and started again."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from aimdvc.server.database import Database

_SETTINGS = {
    # The tests look at what the server does, not at what a power cut leaves of PostgreSQL.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "32MB",
}
_TOGETHER = 25
"""Databases that are dropped by one command."""


@cache
def programs() -> Path | None:
    """Returns the directory of PostgreSQL's programs, None where it is not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    found = versions[-1] if versions else shutil.which("pg_ctl")
    return Path(found).resolve().parent if found is not None else None


class Postgres:
    """One cluster. PostgreSQL refuses to run as root: there it runs as the user that its package made."""

    def __init__(self, directory: Path) -> None:
        self._data = directory / "data"
        self._numbers = count(1)
        self.made: list[str] = []
        self._unneeded: list[str] = []
        self._prepared: str | None = None
        self._as = [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]
        directory.mkdir(parents=True)
        if self._as:
            user = pwd.getpwnam("postgres")
            os.chown(directory, user.pw_uid, user.pw_gid)
        self._run(
            "initdb", "-D", str(self._data), "-U", "aimdvc", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in _SETTINGS.items())
        log = self._data / "log"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(log), "-o", f"-p {self.port} {options}", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops it; `immediate` is as when it is killed."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def database(self) -> str:
        """Makes an empty database and returns its URL."""
        return self._database("template1")

    def with_tables(self) -> str:
        """Makes a database that has the server's tables already, as after its first start, and returns its URL.

        A copy of one that all share, so their secrets are the same: four times as fast as making the tables anew.
        """
        if self._prepared is None:
            self._prepared = "prepared"
            self.sql(f"CREATE DATABASE {self._prepared}")
            Database(self._url(self._prepared)).close()
        return self._database(self._prepared)

    def _database(self, template: str) -> str:
        name = f"made_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        self.made.append(name)
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://aimdvc@127.0.0.1:{self.port}/{name}"

    def drop_after(self, count_made: int) -> None:
        """Drops all databases but the first so many that were made, many at once: each takes 7 MiB of the disk."""
        self._unneeded += self.made[count_made:]
        del self.made[count_made:]
        if len(self._unneeded) >= _TOGETHER:
            self.sql(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in self._unneeded))
            self._unneeded.clear()

    def sql(self, *statements: str, database: str = "postgres") -> str:
        """Runs statements by psql, and returns what they printed."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "aimdvc", "-d", database]
        commands = [word for statement in statements for word in ("-c", statement)]
        return self._run("psql", *where, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", *commands)

    def _run(self, program: str, *arguments: str) -> str:
        place = programs()
        assert place is not None, "PostgreSQL is not installed"
        done = subprocess.run(
            [*self._as, str(place / program), *arguments],
            # Whatever it leaves running must not hold a pipe of ours: else this would never end.
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program != "pg_ctl" else subprocess.DEVNULL,
            cwd="/",
            timeout=120,
        )
        assert done.returncode == 0, (program, arguments, done.stdout)
        return (done.stdout or b"").decode()


@contextmanager
def running() -> Iterator[Postgres]:
    """A cluster while the `with` lasts; without PostgreSQL the test is skipped."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed")
    # Its user is another one, and has to come through; what TMPDIR names may be root's alone.
    with tempfile.TemporaryDirectory(dir=None if os.geteuid() else "/tmp") as place:
        Path(place).chmod(0o755)
        made = Postgres(Path(place) / "postgresql")
        try:
            yield made
        finally:
            made.stop()
