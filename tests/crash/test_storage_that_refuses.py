"""Storage that refuses: read-only, too large, not ours, too few descriptors, too little memory. Cases L11, L13 to L16
and L41."""

import importlib
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimdvc.cli.table import COMMANDS
from tests.crash.mounts import read_only, tmpfs
from tests.shell import Shell, files_of, unmeasured

NOBODY = 65534


def versions(shell: Shell) -> None:
    """Makes two versions, and a change that is not staged."""
    shell("init")
    shell.write("data/a", "1\n")
    shell.write("data/big", os.urandom(200_000))
    shell.commit("data", "one")
    shell.write("data/a", "2\n")
    shell.commit("data", "two")
    shell.write("data/a", "3\n")


def limited(here: Path, limit: Callable[[], None], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program in a process of its own, after `limit` was called in it."""
    return subprocess.run(
        [sys.executable, "-m", "aimdvc", *arguments],
        cwd=here,
        env=unmeasured(),
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )


READING = ["status", "log", "show", "ls", "ls data", "cat data:a", "diff", "fsck", "du", "alias", "meta get data"]
READING += ["config", "remote", "track"]
WRITING = ["add data", "commit -am m", "checkout -f data@HEAD~1", "restore data", "reset", "alias set data x"]
WRITING += ["config core.link copy", "track *.x", "meta set data type x", "remote add origin /x"]


@pytest.mark.parametrize("what", ["all", "store"])
def test_what_is_read_only_can_be_read_and_is_not_changed(tmp_path: Path, what: str) -> None:
    """Case L14."""
    with tmpfs(tmp_path / "project", "size=64M") as place:
        shell = Shell(place)
        versions(shell)
        staged = shell("status", "-s").out
        before = files_of(place)
        with read_only(place if what == "all" else place / ".aimdvc"):
            for line in READING:
                shell(*line.split())
            assert shell("status", "-s").out == staged == " M data/a\n"
            for line in WRITING:
                done = shell(*line.split(), "--json", code=8).json
                assert done["error"] == "read-only-storage", line
                assert done["hint"] == "make it writable, then run it again", line
        assert files_of(place) == before
        assert shell("status", "-s").out == staged
        assert shell("fsck").code == 0


def test_a_read_only_workspace_is_left_as_it_is(tmp_path: Path) -> None:
    """Case L14: the store can be written, the files can't."""
    with tmpfs(tmp_path / "project", "size=64M") as place:
        shell = Shell(place)
        versions(shell)
        before = files_of(place)
        with read_only(place / "data"):
            for line in ("status", "diff", "add data", "commit -m staged"):
                shell(*line.split())
            done = shell("checkout", "data@HEAD~1", "--json", code=8).json
            assert done["error"] == "read-only-storage"
            assert str(place / "data/a") in done["message"]
        assert files_of(place) == before
        shell("checkout", "data@HEAD~1")


def test_a_log_that_a_crash_left_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Case L14: what only the write-ahead log knows is not forgotten."""
    with tmpfs(tmp_path / "project", "size=64M") as place:
        shell = Shell(place)
        versions(shell)
        code = "import os, sys; from tests.shell import Shell; from pathlib import Path;"
        code += "from aimdvc.store.state import State; state = State(Path('.aimdvc'));"
        code += "Shell(Path('.'))('add', 'data'); os._exit(0)"
        root = str(Path(__file__).parents[2])
        subprocess.run([sys.executable, "-c", code], cwd=place, check=True, env={**unmeasured(), "PYTHONPATH": root})
        assert (place / ".aimdvc/state.db-wal").stat().st_size
        with read_only(place):
            assert shell("status", "-s").out == "M  data/a\n"


@pytest.mark.parametrize("kib", [0, 4, 16, 40, 100, 300])
def test_a_limit_on_the_size_of_files_stops_us_and_loses_nothing(shell: Shell, kib: int) -> None:
    """Case L11, and L13: the write that reaches the limit is short before the next one fails."""
    content = {"data/big": os.urandom(500_000), "data/a": b"1"}
    for path, data in content.items():
        shell.write(path, data)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kib << 10, kib << 10))

    done = limited(shell.here, limit, "add", "data")
    assert done.returncode == 8, done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(shell.here) == content
    assert not list((shell.here / ".aimdvc").glob("blobs/files/*/*"))
    shell.commit("data")
    assert shell("fsck").code == 0


@pytest.mark.parametrize("remote", ["folder", "http"])
def test_every_write_may_be_short(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote: str, request: pytest.FixtureRequest
) -> None:
    """Case L13."""
    (tmp_path / "remote").mkdir()
    url = str(tmp_path / "remote") if remote == "folder" else request.getfixturevalue("server").url
    write, pwrite, copy = os.write, os.pwrite, os.copy_file_range
    monkeypatch.setattr(os, "write", lambda fd, content: write(fd, bytes(content[:1009])))
    monkeypatch.setattr(os, "pwrite", lambda fd, content, at: pwrite(fd, bytes(content[:1009]), at))
    monkeypatch.setattr(os, "copy_file_range", lambda one, other, size, *at: copy(one, other, min(size, 100_003), *at))
    shell("remote", "add", "origin", url)
    shell.write("data/small", os.urandom(9000))
    shell.write("data/notes.md", "n" * 9000)
    shell.write("data/large", os.urandom(200_000))
    shell.write("data/huge", os.urandom(9 << 20))
    content = files_of(shell.here / "data")
    shell.commit("data")
    shell("push")
    Shell(tmp_path)("clone", f"{url}/data", "clone")
    assert files_of(tmp_path / "clone") == content
    assert Shell(tmp_path / "clone")("fsck").code == 0


@pytest.fixture
def public(home: Path) -> Iterator[Path]:
    """A directory that every user can enter, as pytest's own isn't."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@contextmanager
def as_user(user: int) -> Iterator[None]:
    """Is another user than root while the `with` lasts. What is loaded late must be loaded by then."""
    os.setresgid(user, user, 0)
    os.setresuid(user, user, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


def own(place: Path, user: int) -> None:
    for path in [place, *place.rglob("*")]:
        os.chown(path, user, user, follow_symlinks=False)


@pytest.fixture
def nobody(public: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A workspace of another user than root, who can run the program."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    monkeypatch.setenv("HOME", str(public))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(public / ".config"))
    for row in COMMANDS.values():
        importlib.import_module(row.module)
    place = public / "work"
    place.mkdir()
    shell = Shell(place)
    versions(shell)
    own(public, NOBODY)
    return shell


@pytest.mark.parametrize("git", [False, True])
def test_a_workspace_of_another_user_is_not_trusted(nobody: Shell, git: bool) -> None:
    """Case L15, and C27: a store that others may have filled."""
    if git:
        subprocess.run(["git", "init", "-q", str(nobody.here)], check=True)
        own(nobody.here, NOBODY)
    other = nobody.here / (".git" if git else ".aimdvc")
    own(other, 1234)
    for command in (["status"], ["add", "data"], ["log"]):
        with as_user(NOBODY):
            done = nobody(*command, code=4)
        assert f"{str(other)!r}: belongs to user 1234, not to you; chown it, or copy it" in done.err


def test_a_bare_repository_that_came_with_the_code_is_no_code_repository(shell: Shell) -> None:
    """Case L15: as with Git's safe.bareRepository=explicit, its settings count for nothing."""
    place = shell.here / "code"
    subprocess.run(["git", "init", "-q", "--bare", str(place)], check=True)
    inner = Shell(place / "hooks")
    inner("init", code=2)
    assert not (place / "aimdvc").exists()
    outside = Shell(place.rename(shell.here.parent / "code"))
    outside("init")
    assert not (outside.here / "aimdvc").exists()
    assert (outside.here / ".aimdvc/repos").exists() is False
    outside.write("data/a", "1")
    outside("add", "data")
    assert (outside.here / ".aimdvc/repos/data.git").exists()


MATRIX = [
    ("data/a", 0o000, "add data", "data/a"),
    ("data", 0o000, "add data", "data"),
    ("data", 0o500, "checkout -f data@HEAD~1", "data/a"),
    (".aimdvc", 0o500, "add data", ".aimdvc"),
    (".aimdvc/blobs/packs", 0o500, "add data", ".aimdvc/blobs/packs"),
    (".aimdvc/repos/data.git", 0o500, "commit -m m --allow-empty", ".aimdvc/repos/data.git"),
    (".aimdvc/config", 0o000, "push", ".aimdvc/config"),
]


@pytest.mark.parametrize(("path", "mode", "line", "named"), MATRIX)
def test_what_must_not_be_read_or_written_is_named(nobody: Shell, path: str, mode: int, line: str, named: str) -> None:
    """Case L16."""
    (nobody.here / path).chmod(mode)
    with as_user(NOBODY):
        done = nobody(*line.split(), "--json", code=8).json
    assert done["error"] == "read-only-storage"
    assert done["message"].startswith(f"'{nobody.here / named}")
    (nobody.here / path).chmod(0o755)
    with as_user(NOBODY):
        assert nobody(*line.split(), code=2 if line == "push" else 0)
        assert nobody("fsck").code == 0


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002, 0o000])
def test_modes_follow_the_umask_and_blobs_are_read_only(shell: Shell, umask: int) -> None:
    """Case L16."""

    def limit() -> None:
        os.umask(umask)

    shell.write("data/a", "1")
    shell.write("data/big", b"1" * 100_000)
    shell.write("data/run", "1").chmod(0o755)
    for line in ("add data", "commit -m m"):
        assert limited(shell.here, limit, *line.split()).returncode == 0
    for name in ("a", "big", "run"):
        (shell.here / "data" / name).unlink()
    assert limited(shell.here, limit, "restore", "data").returncode == 0
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (shell.here / "data").iterdir()}
    assert modes == {"a": 0o666 & ~umask, "big": 0o666 & ~umask, "run": 0o777 & ~umask}
    stored = [*shell.here.glob(".aimdvc/blobs/files/*/*"), *shell.here.glob(".aimdvc/blobs/packs/*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in stored} == {0o444}
    assert stat.S_IMODE((shell.here / "aimdvc.lock").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("count", [5, 9, 13, 17, 20, 32])
def test_too_few_descriptors_are_told_of(tmp_path: Path, count: int) -> None:
    """Case L41."""
    shell = Shell(tmp_path)
    versions(shell)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    for line in ("status", "add data", "commit -m m", "checkout -f data@HEAD~1", "fsck"):
        done = limited(tmp_path, limit, *line.split())
        assert done.returncode in ((0,) if count >= 20 else (0, 8)), done.stderr
        assert "Traceback" not in done.stderr
    assert shell("fsck").code == 0


@pytest.mark.parametrize("mib", [50, 80, 256])
def test_too_little_memory_is_told_of(tmp_path: Path, mib: int) -> None:
    """Case L41."""
    shell = Shell(tmp_path)
    versions(shell)
    (tmp_path / "data/large").touch()
    os.truncate(tmp_path / "data/large", 600 << 20)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))

    for line in ("add data", "commit -m m", "checkout -f data@HEAD", "fsck"):
        done = limited(tmp_path, limit, *line.split())
        assert done.returncode in ((0,) if mib >= 256 else (0, 8)), (line, done.returncode, done.stderr)
        assert "Traceback" not in done.stderr
    assert shell("fsck").code == 0
