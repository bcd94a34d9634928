"""Processes that are stopped, that leave things behind, and that run at once where locks do nothing. L24 to L26."""

import fcntl
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.fs.leftovers import owner
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.server.embedded import EmbeddedServer
from aimdvc.store.blobs import BlobStore
from tests.shell import Shell, files_of, unmeasured

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def prepared(shell: Shell, remote: str) -> None:
    """One version pushed, a second one staged, so that each verb has something to do for some time."""
    shell("remote", "add", "origin", remote)
    for number in range(150):
        shell.write(f"data/f{number}", f"old {number}" * 100)
    shell.write("data/large", b"old" * 100_000)
    shell.commit("data", "one")
    shell("push")
    for number in range(0, 150, 2):
        shell.write(f"data/f{number}", f"new {number}" * 100)
    shell.write("data/large", b"new" * 200_000)


LINES = {
    "add": ["add", "data"],
    "commit": ["commit", "-am", "two"],
    "checkout": ["checkout", "-f", "data@v1"],
    "push": ["push"],
}


def started(here: Path, arguments: list[str]) -> "subprocess.Popen[str]":
    """Starts a command and returns when it has opened the workspace: all that Python itself does is over then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "aimdvc", *arguments],
        cwd=here,
        env=unmeasured(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline_s = time.monotonic() + 30
    while process.poll() is None and not _has_open(process.pid, "state.db"):
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
    return process


def _has_open(pid: int, name: str) -> bool:
    try:
        return any(os.readlink(f"/proc/{pid}/fd/{number}").endswith(name) for number in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see when a command begins its work")
@pytest.mark.parametrize("verb", LINES)
def test_a_signal_at_any_time_loses_nothing(shell: Shell, tmp_path: Path, verb: str) -> None:
    """Case L26: the exit code tells the signal, and running it again ends where an uncut run ends."""
    (tmp_path / "remote").mkdir()
    prepared(shell, str(tmp_path / "remote"))
    if verb in ("checkout", "push"):
        shell("commit", "-am", "two")
    source = random.Random(verb)
    stopped = 0
    for turn in range(9):
        number = SIGNALS[turn % 3]
        process = started(shell.here, LINES[verb])
        time.sleep(source.random() * 0.02 * turn)
        process.send_signal(number)
        if turn % 2:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode in (0, 128 + number, -number), (out, err)
        assert "Traceback" not in err, err
        stopped += process.returncode != 0
        assert shell("fsck").code == 0
        for path, content in files_of(shell.here / "data").items():
            assert content[:3] in (b"old", b"new"), path
    assert stopped
    shell(*LINES[verb])
    assert shell("status", "-s").out == ("" if verb != "add" else shell("status", "-s").out)
    assert not list((shell.here / ".aimdvc/tmp").glob("tmp-*"))


def test_what_a_dead_process_left_goes_and_a_living_ones_stays(shell: Shell) -> None:
    """Case L24: a name tells the machine and the process; one that was given the id anew is left alone for a day."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = shell.here / ".aimdvc/tmp"
    shell.write("data/a", "1")
    shell("add", "data")
    names = {
        "dead": f"tmp-{owner(dead.pid)}-00",
        "alive": f"tmp-{owner(os.getppid())}-00",
        "elsewhere": f"tmp-0123abcd.{dead.pid}-00",
    }
    for name in names.values():
        (left / name).write_text("left")
    shell.write("data/b", "1")
    shell("add", "data")
    assert [kind for kind, name in names.items() if (left / name).exists()] == ["alive", "elsewhere"]


def test_a_lock_that_another_holds_is_waited_for_and_then_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case L24: the kernel lets go of it when its holder dies, so none is ever stale."""
    shell.write("data/a", "1")
    shell.commit("data", "one")
    monkeypatch.setattr("aimdvc.ops.workspace._LOCK_WAIT_S", 0.2)
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"
    lock = shell.here / ".aimdvc/files.lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        (shell.here / "data/a").unlink()
        done = shell("checkout", "-f", "data@HEAD", "--json", code=5).json
        assert done["error"] == "busy"
        assert done["hint"] == "wait for the other command to end, then run this again"
        holder.kill()
    shell("checkout", "-f", "data@HEAD")


WITHOUT_LOCKS = """
import fcntl, sys
fcntl.flock = lambda *_: None
from aimdvc.cli.main import run
sys.exit(run(["checkout", "-f"]))
"""


def test_two_downloads_where_locks_do_nothing(
    shell: Shell, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case L25: network file systems whose `flock` succeeds and does nothing."""
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, operation: None)
    shell("remote", "add", "origin", server.url)
    for name in "abcdef":
        shell.write(f"data/{name}", os.urandom(700_000))
    shell.commit("data")
    shell("push")
    wanted = files_of(shell.here / "data")
    Shell(tmp_path)("clone", f"{server.url}/data", "clone")
    clone = Shell(tmp_path / "clone")
    for _ in range(3):
        for path in [*clone.here.glob(".aimdvc/blobs/files/*/*"), *(clone.here / name for name in wanted)]:
            path.unlink()
        codes: list[int] = []
        running = [subprocess.Popen([sys.executable, "-c", WITHOUT_LOCKS], cwd=clone.here, stderr=-1) for _ in range(3)]
        for process in running:
            process.communicate(timeout=60)
            codes.append(process.returncode)
        assert set(codes) <= {0, 5} and 0 in codes, codes
        assert files_of(clone.here) == wanted
        assert clone("fsck").code == 0


def test_a_download_is_nobody_elses_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case L25: two that fetch one blob write into files of their own; what one left the next goes on with."""
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, operation: None)
    content = os.urandom(200_000)
    pointer = Pointer(Oid(hashlib.sha256(content).hexdigest()), len(content))
    with BlobStore(tmp_path, Disk()) as store, store.writer() as writer:
        one, other = writer.partial(pointer), writer.partial(pointer)
        one.append(content[:150_000])
        other.append(content[:100])
        other.restart()
        other.append(content)
        other.finish()
        one.append(content[150_000:])
        one.finish()
        store.verify(pointer.oid)
        left = writer.partial(pointer)
        left.append(content[:70_000])
        left.close()
        again = writer.partial(pointer)
        assert again.size_bytes == 70_000
        again.append(content[70_000:])
        again.finish()
        store.verify(pointer.oid)
    assert not list((tmp_path / "tmp/partial").iterdir())


def test_a_download_that_a_kill_cut_is_gone_on_with(tmp_path: Path) -> None:
    content = os.urandom(200_000)
    pointer = Pointer(Oid(hashlib.sha256(content).hexdigest()), len(content))
    code = (
        "import os, sys; from pathlib import Path; from aimdvc.fs.disk import Disk; from aimdvc.model.oid import Oid;"
        "from aimdvc.model.pointer import Pointer; from aimdvc.store.blobs import BlobStore;"
        f"writer = BlobStore(Path({str(tmp_path)!r}), Disk()).writer();"
        f"writer.partial(Pointer(Oid({pointer.oid!r}), {pointer.size})).append(sys.stdin.buffer.read());"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], input=content[:90_000], check=False)
    with BlobStore(tmp_path, Disk()) as store, store.writer() as writer:
        again = writer.partial(pointer)
        assert again.size_bytes == 90_000
        again.append(content[90_000:])
        again.finish()
        store.verify(pointer.oid)


@pytest.mark.parametrize("count", [2, 6])
def test_threads_that_fetch_one_blob_at_once(tmp_path: Path, count: int) -> None:
    content = os.urandom(900_000)
    pointer = Pointer(Oid(hashlib.sha256(content).hexdigest()), len(content))
    with BlobStore(tmp_path, Disk()) as store, store.writer() as writer:

        def fetch() -> None:
            partial = writer.partial(pointer)
            for start in range(partial.size_bytes, len(content), 50_000):
                partial.append(content[start : start + 50_000])
            partial.finish()

        threads = [threading.Thread(target=fetch) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.verify(pointer.oid)
    assert not list((tmp_path / "tmp").glob("tmp-*"))


@pytest.mark.parametrize("error", [OSError(9, "bad file descriptor"), BufferError("still viewed")])
def test_an_error_that_comes_of_unwinding_is_the_stop_behind_it(
    shell: Shell, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise error

    monkeypatch.setattr("aimdvc.cli.commands.status.status", stopped)
    done = shell("status", "--json", code=130)
    assert done.json["error"] == "interrupted"
