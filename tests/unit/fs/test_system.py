"""Where the operating system has less, the work is done all the same: import, add, commit, status, checkout, mv, rm."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aimdvc.fs import system

PACKAGE = Path(__file__).parents[3] / "aimdvc"
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "server" not in path.parts and path.name != "system.py"]

NOT_EVERYWHERE = {
    *("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "fchmod", "fchown", "pread", "pwrite", "preadv"),
    *("pwritev", "getuid", "geteuid", "statvfs", "fork", "mkfifo", "uname", "SIGHUP", "SIGPIPE", "posix_fadvise"),
    *("fdatasync", "flock", "lockf", "sendfile", "getpgid", "killpg", "RLIMIT_NOFILE", "chown", "lchown"),
}
MODULES_NOT_EVERYWHERE = {"fcntl", "resource", "pwd", "grp", "termios", "posix", "syslog", "tty", "pty"}

# Takes away what Windows lacks, before anything of ours is imported, then runs a session of commands.
SESSION = """
import os, sys, signal, shutil, json
for name in %r:
    for module in (os, signal):
        if hasattr(module, name):
            delattr(module, name)
for name in ("copy_file_range", "sync"):
    if hasattr(os, name):
        delattr(os, name)
for name in %r:
    sys.modules[name] = None
os.supports_dir_fd = set()
def without_dir_fd(function):
    def refusing(*arguments, **named):
        assert not any(key.endswith("dir_fd") and value is not None for key, value in named.items()), function
        return function(*arguments, **named)
    return refusing
for name in ("open", "stat", "lstat", "unlink", "rmdir", "mkdir", "rename", "link", "symlink", "readlink", "chmod"):
    setattr(os, name, without_dir_fd(getattr(os, name)))
shutil._use_fd_functions = False

from aimdvc.cli.main import run
from aimdvc.fs import system
assert not system.HAS_DIR_FD and not system.HAS_DIRECTORIES and system._fcntl is None and not system._NOFOLLOW
from pathlib import Path

def do(*arguments):
    code = run(["--debug", *arguments])
    sys.stdout.flush()
    assert code == 0, (arguments, code)

do("init", "--remote", str(Path("remote").resolve()))
Path("remote").mkdir()
Path("data/sub").mkdir(parents=True)
Path("data/small").write_text("1")
Path("data/empty").touch()
Path("data/large").write_bytes(os.urandom(9 << 20))
Path("data/sub/text.md").write_text("one")
Path("data/link").symlink_to("small")
for number in range(60):
    Path(f"data/sub/{number}").write_text(str(number))
do("add", "data")
do("commit", "-m", "one")
first = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
Path("data/small").write_text("2")
Path("data/large").write_bytes(os.urandom(100_000))
shutil.rmtree("data/sub")
do("add", "data")
do("status")
do("commit", "-m", "two")
do("checkout", "data@HEAD~1")
assert {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()} == first
assert os.path.islink("data/link")
do("checkout", "data@main")
assert not Path("data/sub").exists()
do("mv", "data/small", "data/moved")
do("rm", "data/empty")
do("commit", "-m", "three")
do("diff", "data@HEAD~1", "data")
do("push")
do("-C", "..", "clone", str(Path("remote/data").resolve()), "clone")
assert Path("../clone/moved").read_text() == "2"
do("pull")
do("mv", "data", "elsewhere")
do("fsck")
"""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_not_everywhere_is_named_in_one_place(path: Path) -> None:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
            assert node.attr not in NOT_EVERYWHERE, f"line {node.lineno}: {node.attr} is for aimdvc/fs/system.py"
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & MODULES_NOT_EVERYWHERE, f"line {node.lineno}"
        if isinstance(node, ast.keyword) and (node.arg or "").endswith("dir_fd"):
            assert path.name == "directories.py", f"line {node.lineno}: dir_fd is for aimdvc/fs/directories.py"


def test_the_work_is_done_where_the_system_has_less(tmp_path: Path) -> None:
    place = tmp_path / "work"
    place.mkdir()
    code = SESSION % (sorted(NOT_EVERYWHERE), sorted(MODULES_NOT_EVERYWHERE))
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fallbacks_read_and_write_as_the_system_does(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"0123456789")
    descriptor = os.open(place, os.O_RDWR)
    try:
        os.lseek(descriptor, 3, os.SEEK_SET)
        for size, offset in ((4, 0), (4, 8), (4, 20)):
            assert system._pread(descriptor, size, offset) == os.pread(descriptor, size, offset)
        buffer = bytearray(4)
        assert system._read_into(descriptor, buffer, 8) == 2
        assert buffer == b"89\0\0"
        assert system._pwrite(descriptor, b"ab", 5) == 2
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 3
    finally:
        os.close(descriptor)
    assert place.read_bytes() == b"01234ab789"
