"""Names of files: kept byte for byte, printed escaped, refused by name where they could do harm. Cases L33 to L37."""

import os
import stat
import unicodedata
from pathlib import Path

import pytest

from aimdvc.fs.disk import Disk
from aimdvc.git.history import History
from aimdvc.git.kinds import BLOB
from aimdvc.git.trees import Node, dump_tree
from aimdvc.model.entries import Mode
from aimdvc.model.oid import GitId
from tests.planting import plant, plant_version
from tests.shell import Shell, files_of

STRANGE = [b"tab\there", b"new\nline", b"\x1b[31mred", b"quo\"te's", b"-rf", b"--json", b"dot.", b"space ", b" lead"]
STRANGE += [
    b"\xff\xfe bytes",
    "\u202egnp.exe".encode(),
    b"\xed\xb2\x80",
    b"$(touch x)",
    b"a\\b",
    b"*?[x]",
    b"#x",
    b"!x",
]


def write(root: Path, name: bytes, content: bytes) -> None:
    with open(os.path.join(os.fsencode(root), name), "wb") as file:
        file.write(content)


def test_strange_names_are_kept_and_steer_no_terminal(shell: Shell) -> None:
    data = shell.here / "data"
    data.mkdir()
    for number, name in enumerate(STRANGE):
        write(data, name, b"%d" % number)
    before = {os.fsencode(name) for name in os.listdir(data)}
    assert before == set(STRANGE)
    said = [shell("add", "data").out, shell("status").out, shell("status", "-s").out]
    shell("commit", "-m", "m")
    said += [shell("ls", "data").out, shell("show").out]
    for out in said:
        assert not set(out) & set("\x1b\u202e\r\t\x07"), out
    for name in before:
        os.unlink(os.path.join(os.fsencode(data), name))
    shell("restore", "--", "data")
    for number, name in enumerate(STRANGE):
        assert Path(os.fsdecode(os.path.join(os.fsencode(data), name))).read_bytes() == b"%d" % number
    assert shell("status", "-s").out == ""


def test_a_name_like_an_option_is_a_path_after_two_dashes(shell: Shell, tmp_path: Path) -> None:
    """Case C10, too."""
    shell.write("data/--force", "1")
    shell.write("data/-n", "1")
    shell.commit("data")
    shell.write("data/--force", "2")
    here = shell.here / "data"
    assert shell("diff", "--", "--force", at=here).out.count("+2") == 1
    shell("restore", "--", "--force", at=here)
    assert (here / "--force").read_text() == "1"
    for arguments in (["clone", "--", "--upload-pack=touch x"], ["remote", "add", "origin", "--", "--exec=touch x"]):
        shell(*arguments, code=-1)
        assert not list(tmp_path.rglob("x"))
    shell("alias", "set", "data", "--", "--force", code=2)


def test_twins_of_letter_case_and_of_composition_are_two_files(shell: Shell) -> None:
    """Case L35, on a file system that keeps them apart."""
    names = ["A", "a", unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")]
    for number, name in enumerate(names):
        shell.write(f"data/{name}", str(number))
    before = files_of(shell.here)
    if len(before) < 4:
        pytest.skip("this file system folds names")
    shell.commit("data")
    for path in before:
        (shell.here / path).unlink()
    shell("restore", "data")
    assert files_of(shell.here) == before


def test_what_only_windows_can_not_hold_is_kept_and_said_once(shell: Shell) -> None:
    """Case L36."""
    for name in ("12:30:00.png", "con", "aux.txt", "x."):
        shell.write(f"data/{name}", "1")
    said = shell("add", "data").err
    assert said.count("can't be checked out on Windows") == 4
    assert "can't be checked out" not in shell("add", "data").err
    shell("commit", "-m", "m")
    assert len(shell("ls", "data", "--json").json["entries"]) == 4


OWN = [".git", ".GIT", ".aimdvc", ".AimDvc", ".aimd", "git~1", "AIMDVC~1", ".git ", ".git.", ".aim\u200cd"]
OWN += [".git::$INDEX_ALLOCATION", ".aimdvc:x", "sub\\.git", ".gi\u200ct", ".\ufeffgit", "aimd0f~1"]


@pytest.mark.parametrize("name", OWN)
def test_what_some_system_reads_as_ours_is_never_stored(shell: Shell, name: str) -> None:
    """Case L36: a nested `.git` is skipped and said, every other spelling is refused by name."""
    shell.write("data/a", "1")
    shell.write(f"data/sub/{name}/x", "1")
    done = shell("add", "data", "--json", code=0 if name == ".git" else 4)
    if name != ".git":
        assert done.json["error"] == "unsafe-path"
    listed = shell("status", "--json").json["artifacts"]
    assert not any("x" in change["path"] for one in listed for change in one["staged"])


@pytest.mark.parametrize("name", ["aimdvc.lock", "AIMDVC.LOCK"])
def test_the_name_of_the_lock_is_kept_for_the_lock(shell: Shell, name: str) -> None:
    shell.write(f"data/{name}", "1")
    assert shell("add", "data", "--json", code=4).json["error"] == "unsafe-path"


def test_empty_and_long_and_deep_ones(shell: Shell) -> None:
    """Case L33."""
    shell.write("data/empty", "")
    (shell.here / "data/nothing").mkdir()
    shell.write("data/" + "n" * 255, "1")
    deep = "/".join(["d"] * 300)
    shell.write(f"data/{deep}/f", "1")
    added = shell("add", "data")
    assert "an empty directory is not kept" in added.err
    shell("commit", "-m", "m")
    before = files_of(shell.here)
    assert len(before) == 3
    for path in before:
        (shell.here / path).unlink()
    shell("restore", "data")
    assert files_of(shell.here) == before
    assert shell("fsck").code == 0


def test_a_path_that_the_system_can_not_name_is_refused_by_name(shell: Shell) -> None:
    """Case L33: beyond 4096 bytes, files can only be reached step by step."""
    shell.write("data/a", "1")
    here = os.open(shell.here / "data", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        inner = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    done = shell("add", "data", "--json", code=4).json
    assert done["error"] == "unsafe-path"
    assert "d" * 50 in done["message"]


def test_only_the_executable_bit_of_a_mode_counts(shell: Shell) -> None:
    """Case L37."""
    shell.write("data/.gitattributes", "")
    shell.commit("data")
    repository = shell.here / ".aimdvc/repos/data.git"
    blob = plant(repository, BLOB, b"content")
    modes = {b"suid": 0o104755, b"sticky": 0o101644, b"open": 0o100666, b"group": 0o100664, b"run": 0o100777}
    lines = {name: Node(mode, blob) for name, mode in modes.items()}
    lines[b"module"] = Node(int(Mode.GITLINK), GitId("1" * 40))
    plant_version(repository, dump_tree(lines), "refs/heads/foreign")
    shell("checkout", "data@foreign")
    found = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (shell.here / "data").iterdir()}
    assert found == {"suid": 0o755, "sticky": 0o644, "open": 0o644, "group": 0o644, "run": 0o755}
    assert shell("status", "-s").out == ""
    shell.write("data/open", "changed")
    shell("commit", "-am", "m")
    with History(repository, Disk()) as history:
        entries = history.iter_entries(history.commit(history.refs()["refs/heads/foreign"]).tree)
        kept = {entry.path: entry.mode for entry in entries}
    assert kept["module"] == Mode.GITLINK
    assert {kept[path.decode()] for path in modes} == {Mode.FILE, Mode.EXECUTABLE}


@pytest.mark.parametrize("bits", [stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX])
def test_setuid_and_sticky_bits_do_not_come_back(shell: Shell, bits: int) -> None:
    """Case L37."""
    path = shell.write("data/run", "1")
    path.chmod(0o755 | bits)
    shell.commit("data")
    path.unlink()
    shell("restore", "data/run")
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
