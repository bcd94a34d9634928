"""Case S18: the machine's own commands, `server gc` and `server trash`, killed or failed at each durable system call.

So it is with what was removed, when gc deletes it for good. Whatever was cut, all that refs and rows name is there; the
command run again takes what it would have taken.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import update

from aimdvc.model.progress import Silent
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.server.gc import Graces, collect
from aimdvc.server.rights import SYSTEM
from aimdvc.server.schema import owned_blobs, ref_history, removed_nodes
from aimdvc.server.site import Location
from tests.contract.backing import push_version
from tests.contract.git_packs import Made
from tests.contract.server_client import BLOB, Client, first_version, pointer_of, report_of, version_with
from tests.crash.serving import Point
from tests.crash.test_server_cut import hold_all
from tests.shell import Shell, unmeasured

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

LOST = [b"small, lost\n", b"large, lost\n" * 10_000]
OWN = b"of the removed alone\n" * 10
DURABLE = "fsync,fdatasync,syncfs,rename,unlink,unlinkat,rmdir,pwrite64,ftruncate,mkdir"
COMMANDS = {
    "gc": ["server", "gc", "--apply", "--grace", "0", "--keep", "0"],
    "purge": ["server", "gc", "--apply", "--removed-days", "0"],
    "empty": ["server", "trash", "empty", "--older-than", "0"],
}
FAULTS = {
    "kill": (DURABLE, "signal=KILL"),
    "full": ("write,pwrite64,mkdir,rename", "error=ENOSPC"),
    "sync-error": ("fsync,fdatasync,syncfs", "error=EIO"),
}
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$", re.MULTILINE)


class Ground:
    """A server's directory with a version, blobs that nothing names, and a commit that its branch left.

    To purge: an artifact that was removed, which has a blob of its own, and one of the other artifact's.
    """

    def __init__(self, root: Path, command: str) -> None:
        self.directory = root / "srv"
        self._template = root / "template"
        self._arguments = COMMANDS[command]
        self._is_purge = command == "purge"
        self._log = root / "log"
        with EmbeddedServer(self.directory) as server:
            self.key = server.admin_key
            client = Client(server.url, self.key)
            self.commit = first_version(client)
            lost, made, side = client.upload("a", *LOST), Made(), "refs/heads/side"
            left = version_with(made, lost[0], parents=(self.commit,))
            assert report_of(client.push("a", [(None, left, side)], made.pack()))[1] == f"ok {side}"
            assert report_of(client.push("a", [(left, None, side)], b""))[1] == f"ok {side}"
            if self._is_purge:
                push_version(client, "gone/b", BLOB, OWN)
                _remove(server, "admin/gone")
            with server.site.database.write() as connection:
                for column in (owned_blobs.c.marked_s, ref_history.c.time_s):
                    connection.execute(update(column.table).values({column: column - 100_000}))
            for _ in range(2):
                collect(server.site.database, server.site.storage, Graces(0, 0), True, Silent())
        if command == "empty":
            self.finish(COMMANDS["gc"])
        shutil.copytree(self.directory, self._template)

    def reset(self) -> None:
        shutil.rmtree(self.directory)
        shutil.copytree(self._template, self.directory)

    def run(self, fault: str, point: Point | None = None) -> tuple[int, str]:
        """Runs the command under strace; returns its exit code and the log."""
        names, harm = FAULTS[fault]
        command = [
            "strace",
            "-f",
            "-qq",
            "-y",
            "-s",
            "0",
            "-o",
            str(self._log),
            "-e",
            f"trace={point[0] if point else names}",
        ]
        if point is not None:
            command += ["-e", f"inject={point[0]}:{harm}:when={point[1]}"]
        command += [sys.executable, "-m", "aimdvc", *self._arguments]
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, env=unmeasured(), timeout=120
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, self._log.read_text(errors="replace")

    def points(self, fault: str) -> list[Point]:
        seen: Counter[str] = Counter()
        found = []
        for _, name, arguments in _CALL.findall(self.run(fault)[1]):
            seen[name] += 1
            if str(self.directory) in arguments:
                found.append((name, seen[name]))
        self.reset()
        return found

    def finish(self, arguments: list[str] | None = None) -> None:
        """Runs it again, twice: what was marked at the first run goes at the second."""
        for _ in range(2):
            Shell(self.directory)(*(arguments or self._arguments))

    def check(self, is_done: bool) -> None:
        """What the version needs is there; what nothing needs is gone once the command has come to its end."""
        hold_all(Location(self.directory))
        with EmbeddedServer(self.directory) as server:
            client = Client(server.url, self.key)
            assert client.refs("a")["refs/tags/v1"] == self.commit
            blobs = client.batch("a", "download", [pointer_of(one) for one in (BLOB, *LOST)]).json()["objects"]
            assert client.request("GET", blobs[0]["actions"]["download"]["href"], key=False).body == BLOB
            if is_done and not self._is_purge:
                assert ["actions" in blob for blob in blobs[1:]] == [False, False]
            elif is_done:
                assert server.site.removals.read() == []
                assert len(list(self.directory.glob("repos/*/*"))) == 1
            for one in server.site.removals.read():
                # Whole, or never to come back.
                if not one.is_ending:
                    assert server.site.removals.restore(SYSTEM, one.path) == "admin/gone"
                    found = client.batch("gone/b", "download", [pointer_of(OWN)]).json()["objects"][0]
                    assert "actions" in found and "refs/tags/v1" in client.refs("gone/b")
                    _remove(server, one.path)


def _remove(server: EmbeddedServer, path: str) -> None:
    """Removes a folder, a day ago."""
    server.site.removals.remove(SYSTEM, path, True)
    with server.site.database.write() as connection:
        connection.execute(update(removed_nodes).values(removed_s=removed_nodes.c.removed_s - 100_000))


def sweep(ground: Ground, fault: str, points: slice) -> int:
    hit = 0
    for point in ground.points(fault)[points]:
        code, log = ground.run(fault, point)
        if "INJECTED" in log or "killed by SIGKILL" in log:
            hit += 1
            assert code in ((-9, 137) if fault == "kill" else (0, 3, 5, 8)), (point, code)
            ground.check(is_done=False)
            ground.finish()
            ground.check(is_done=True)
        ground.reset()
    return hit


@pytest.mark.parametrize(("command", "step"), [("gc", 17), ("empty", 5), ("purge", 11)])
def test_some_system_calls_of_a_servers_upkeep(tmp_path: Path, command: str, step: int) -> None:
    assert sweep(Ground(tmp_path, command), "kill", slice(3, None, step)) > 1


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_system_call_of_a_servers_upkeep(tmp_path: Path, command: str, fault: str) -> None:
    assert sweep(Ground(tmp_path, command), fault, slice(None)) > 1
