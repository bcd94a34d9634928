"""Rules that are too many, formats of a later aimdvc, and projects that were moved. Cases L38 to L40 and L42."""

import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.shell import Shell, files_of

HOSTILE = {
    "nested stars": b"(a*)*\n" + b"a*" * 499 + b"b\n",
    "10,000 stars": b"*" * 10_000 + b"\n",
    "a line of 1 MB": b"a" * 1_000_000 + b"\n",
    "1,000,000 lines": b"a\n" * 1_000_000,
    "10,000 lines of stars": b"".join(b"a*" * 400 + b"%d\n" % number for number in range(10_000)),
    "10,000 deep lines": b"".join(b"**/a*/" * 150 + b"%d\n" % number for number in range(10_000)),
    "10,000 names": b"".join(b"name-%d.bin\n" % number for number in range(9_999)),
    "brackets": b"[" * 900 + b"\n" + b"[[:alpha:]-\\]]*" * 60 + b"\n" + b"[a-" * 200,
    "backslashes": b"\\" * 999 + b"\n",
}


@pytest.mark.parametrize("name", [".aimdvcignore", ".gitattributes"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_rules_take_a_second_or_are_refused_by_their_line(shell: Shell, kind: str, name: str) -> None:
    """Case L38."""
    text = HOSTILE[kind]
    if name == ".gitattributes":
        text = text.replace(b"\n", b" filter=lfs\n")
    shell.write("data/" + "/".join(["a" * 50] * 20) + "/" + "a" * 200, "1")
    shell.write(f"data/{name}", text)
    start_s = time.process_time()
    done = shell("add", "data", "--json", code=-1)
    assert time.process_time() - start_s < 3
    assert done.code in (0, 4), done.err
    if done.code:
        assert done.json["error"] == "unsafe-path"
        assert f"{name}': line " in done.json["message"]
        assert kind != "10,000 names"


@pytest.mark.parametrize("name", ["state.db", "store.db"])
def test_a_database_of_a_later_aimdvc_is_left_alone(shell: Shell, name: str) -> None:
    """Case L39."""
    shell.write("data/a", "1")
    shell.commit("data")
    path = shell.here / ".aimdvc" / name
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    shell.write("data/a", "2")
    for line in ("add data", "checkout -f", "fsck"):
        done = shell(*line.split(), "--json", code=4).json
        assert done["error"] == "unsupported-format"
        assert done["hint"] == "install a later version of aimdvc"
    assert path.read_bytes() == before
    assert (shell.here / "data/a").read_text() == "2"


@pytest.mark.parametrize(
    "setting", ["repositoryformatversion = 9", "repositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256"]
)
def test_a_repository_of_a_later_git_is_left_alone(shell: Shell, setting: str) -> None:
    """Case L39: what stock Git refuses to touch, we don't touch either."""
    shell.write("data/a", "1")
    shell.commit("data")
    repository = shell.here / ".aimdvc/repos/data.git"
    (repository / "config").write_text(f"[core]\n\tbare = true\n\t{setting}\n")
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    shell.write("data/a", "2")
    done = shell("commit", "-am", "two", "--json", code=4).json
    assert done["error"] == "unsupported-format"
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_a_blob_pack_of_another_version_is_named(shell: Shell) -> None:
    """Case L39."""
    shell.write("data/a", "1")
    shell.commit("data")
    strange = shell.here / ".aimdvc/blobs/packs/0.pack"
    strange.write_bytes(b"AIMDPACK\x02" + bytes(100))
    for line in ("fsck", "add data", "cat data:a"):
        assert str(strange) in shell(*line.split(), code=3).err
    strange.unlink()
    assert shell("fsck").code == 0


def moved(shell: Shell, place: Path) -> Shell:
    shell.here.rename(place)
    return Shell(place)


def copied(shell: Shell, place: Path) -> Shell:
    subprocess.run(["cp", "-r", "--no-preserve=all", str(shell.here), str(place)], check=True)
    shutil.rmtree(shell.here)
    return Shell(place)


def from_tar(shell: Shell, place: Path) -> Shell:
    subprocess.run(["tar", "cf", f"{place}.tar", "-C", str(shell.here), "."], check=True)
    shutil.rmtree(shell.here)
    place.mkdir()
    subprocess.run(["tar", "xf", f"{place}.tar", "-C", str(place)], check=True)
    return Shell(place)


WAYS = {"moved": moved, "copied": copied, "from tar": from_tar}


@pytest.mark.parametrize("in_git", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_project_works_wherever_it_is_put(tmp_path: Path, way: str, in_git: bool) -> None:
    """Case L40."""
    shell = Shell(tmp_path / "before")
    shell.here.mkdir()
    if in_git:
        subprocess.run(["git", "init", "-q", str(shell.here)], check=True)
    shell("init")
    shell("config", "core.link", "hardlink")
    shell.write("data/a", "1")
    shell.write("data/big", os.urandom(100_000))
    shell.commit("data", "one")
    (shell.here / "data/big").unlink()
    shell("restore", "data/big")
    shell.write("data/a", "2")
    shell.commit("data", "two")
    shell.write("data/a", "3")
    before = files_of(shell.here)
    after = WAYS[way](shell, tmp_path / "after")
    assert files_of(after.here) == before
    assert after("status", "-s").out == " M data/a\n"
    after("commit", "-am", "three")
    after("checkout", "data@HEAD~2")
    assert (after.here / "data/a").read_text() == "1"
    assert after("fsck").code == 0


def test_a_bind_mount_and_a_link_to_the_project_are_the_project(shell: Shell, tmp_path: Path) -> None:
    """Case L40."""
    shell.write("data/a", "1")
    shell.commit("data")
    (tmp_path / "link").symlink_to(shell.here)
    linked = Shell(tmp_path / "link")
    linked.write("data/a", "2")
    assert linked("status", "-s").out == " M data/a\n"
    assert linked("add", "data", at=tmp_path / "link/data", code=2)
    linked("commit", "-am", "two")
    assert shell("status", "-s").out == ""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    (tmp_path / "bound").mkdir()
    subprocess.run(["mount", "--bind", str(shell.here), str(tmp_path / "bound")], check=True)
    try:
        bound = Shell(tmp_path / "bound")
        assert bound("status", "-s").out == ""
        bound("checkout", "data@HEAD~1")
        assert (shell.here / "data/a").read_text() == "1"
    finally:
        subprocess.run(["umount", str(tmp_path / "bound")], check=True)
