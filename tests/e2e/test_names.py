"""Odd names, kinds and depths, through every verb that meets them, and through stock Git as the second judge."""

import os
import shutil
import stat
import subprocess
import unicodedata
from pathlib import Path

import pytest

from aimdvc.cli.output import shown_path
from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, git

DEEP = b"/".join([b"d"] * 300)
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "é.txt").encode() for form in ("NFC", "NFD"))
FILES = [
    *(b"with space", b" leading", b"trailing ", b"dot.", b"new\nline", b"tab\there", b"\x1b[31mred", b"\x7f"),
    *(b'q"uote', b"back\\slash", b"-rf", b"--force", b"@v1", b"a:b", b"a@b:c", b"*.bin", b"[x]?", b"!not", b"#hash"),
    *(b"~tilde", b"\xff\xfe\xe9", b"mixed\xff\xc3\xa9", "\u202eback".encode(), "😀".encode(), b"CON", b"aux.txt"),
    *(b"nul", b"TWIN", b"twin", b"Dir/a", b"dir/a", COMPOSED, DECOMPOSED, b"n" * 255, b"\xc3\xa9" * 127),
    *(DEEP + b"/bottom", b".hidden", b"...", b".gitignore", b".gitmodules", b"HEAD", b"refs/heads/main"),
    *(b"x.git/y", b"pack.lock"),
]  # fmt: skip
EMPTY = [b"empty", b"empty dir/empty.md", b"\xffempty"]
LINKS = {
    b"link": b"with space",
    b"link\nodd": b"new\nline",
    b"dangling": b"no/where\xff",
    b"to dir": b"Dir",
    b"up": b"../../outside",
    b"loop": b"loop",
}
EXECUTABLE = [b"run me.sh", b"-x", b"tool\xff"]

Tree = dict[bytes, tuple[str, bytes]]


def make(root: bytes) -> None:
    for number, path in enumerate([*FILES, *EMPTY, *EXECUTABLE]):
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "wb") as file:
            # Some large enough to be a file of their own in the store.
            file.write(
                b"" if path in EMPTY else b"content %d of %s" % (number, path) * (5000 if number % 9 == 0 else 1)
            )
    for path in EXECUTABLE:
        os.chmod(os.path.join(root, path), 0o755)
    for path, target in LINKS.items():
        os.symlink(target, os.path.join(root, path))


def tree_of(root: bytes, without: tuple[bytes, ...] = (b".git",)) -> Tree:
    """Returns kind and content of all below a directory, by path; without what is not the user's."""
    found: Tree = {}
    for parent, names, files in os.walk(root):
        if parent == root:
            names[:] = [name for name in names if name not in without]
            files = [name for name in files if name not in without]
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(parent, name)))]:
            full = os.path.join(parent, name)
            mode = os.lstat(full).st_mode
            if stat.S_ISLNK(mode):
                found[os.path.relpath(full, root)] = ("link", os.readlink(full))
            else:
                with open(full, "rb") as file:
                    found[os.path.relpath(full, root)] = ("tool" if mode & 0o100 else "file", file.read())
    return found


def fields(raw: bytes) -> list[bytes]:
    return raw.split(b"\0")[:-1]


def stock_clone(server: EmbeddedServer, tmp_path: Path, name: str) -> Tree:
    """Clones an artifact with stock Git and Git LFS, has them check it, and returns what is there."""
    place = tmp_path / f"stock-{name}-{os.urandom(3).hex()}"
    git(tmp_path, "lfs", "install", "--skip-repo")
    git(
        tmp_path,
        "clone",
        "-q",
        server.url.replace("http://", f"http://any:{server.admin_key}@") + f"/{name}",
        str(place),
    )
    git(place, "lfs", "pull")
    assert git(place, "status", "--porcelain") == ""
    git(place, "fsck", "--strict")
    assert "OK" in git(place, "lfs", "fsck")
    return tree_of(os.fsencode(place), (b".git", b".aimd", b".gitattributes"))


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_odd_names_go_through_every_verb(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    shell("init", "--remote", server.url)
    root = os.fsencode(shell.here / "data")
    os.mkdir(root)
    make(root)
    first = tree_of(root, ())
    assert len(first) == len({*FILES, *EMPTY, *EXECUTABLE, *LINKS})

    # Into the index and a version.
    notes = shell("add", "data").err
    assert "can't be checked out on Windows" in notes and "\n'" not in notes
    assert {line[3:] for line in fields(shell("status", "-z").raw)} == {b"data/" + path for path in first}
    assert {line[3:] for line in shell("status", "-s").out.splitlines()} == {
        shown_path(os.fsdecode(b"data/" + path)) for path in first
    }
    shell("commit", "-m", "one")
    assert shell("status", "-s").out == ""
    assert set(fields(shell("ls", "data", "-z").raw)) == set(first)
    assert set(fields(shell("blame", "data", "-z").raw)[5::7]) == set(first)
    listed = shell("log", "--stat").out
    assert [path for path in first if f"+ {shown_path(os.fsdecode(path))} (" not in listed] == []

    # Changes of every kind: content, mode, kind, gone, new.
    for path in (b"new\nline", b"\xff\xfe\xe9", b"n" * 255, DEEP + b"/bottom", b"TWIN", b"empty"):
        with open(os.path.join(root, path), "ab") as file:
            file.write(b"changed")
    os.chmod(os.path.join(root, b"-rf"), 0o755)
    os.chmod(os.path.join(root, b"-x"), 0o644)
    os.unlink(os.path.join(root, b"--force"))
    os.unlink(os.path.join(root, b"link"))
    with open(os.path.join(root, b"link"), "wb") as file:
        file.write(b"no link any more")
    changed = {b"new\nline", b"\xff\xfe\xe9", b"n" * 255, DEEP + b"/bottom", b"TWIN", b"empty", b"-rf", b"-x", b"link"}
    below = {b"data/" + name for name in changed}
    assert set(fields(shell("diff", "--name-only", "-z").raw)) == below | {b"data/--force"}
    second = tree_of(root, ())
    shell("add", "data")
    shell("commit", "-m", "two")
    seen = fields(shell("diff", "data@HEAD~1", "data@HEAD", "--name-status", "-z").raw)
    assert dict(zip(seen[1::2], seen[::2], strict=True)) == dict.fromkeys(below, b"M") | {b"data/--force": b"D"}

    # To the server, and from it by both clients.
    shell("push")
    assert stock_clone(server, tmp_path, "data") == second
    Shell(tmp_path)("clone", f"{server.url}/data", "clone")
    assert tree_of(os.fsencode(tmp_path / "clone"), (b".aimdvc", b"aimdvc.lock")) == second
    shell("checkout", "data@v1")
    assert tree_of(root, ()) == first
    assert shell("status", "-s").out == ""
    shell("checkout", "data@main")
    assert tree_of(root, ()) == second

    # Moved, removed, brought back.
    (shell.here / "data" / "to").mkdir()
    gone = [b"twin", COMPOSED, b"\xffempty", b"dangling", b"back\\slash"]
    moved = [*FILES[:30], b"n" * 255, b"up", b"tool\xff"]
    moved = [path for path in moved if path in second and b"/" not in path and path not in gone]
    shell("mv", "--", *(f"data/{os.fsdecode(path)}" for path in moved), "data/to")
    shell("mv", "data/d", f"data/{os.fsdecode(bytes([255]))} d")
    wanted = {b"to/" + path if path in moved else path: what for path, what in second.items()}
    wanted[b"\xff d" + DEEP[1:] + b"/bottom"] = wanted.pop(DEEP + b"/bottom")
    assert tree_of(root, ()) == wanted
    shell("commit", "-m", "moved")
    shell("rm", "--", *(f"data/{os.fsdecode(path)}" for path in gone))
    shell("rm", "-r", "data/Dir")
    shell("commit", "-m", "removed")
    wanted = {path: what for path, what in wanted.items() if path not in gone and not path.startswith(b"Dir/")}
    assert tree_of(root, ()) == wanted
    assert shell("status", "-s").out == ""
    shell("push")
    assert stock_clone(server, tmp_path, "data") == wanted
    shell("restore", "--source", "v2", "--", f"data/{os.fsdecode(COMPOSED)}")
    assert tree_of(root, ())[COMPOSED] == second[COMPOSED]
    assert shell("fsck").code == 0


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_empty_artifacts_and_lone_odd_files(shell: Shell, server: EmbeddedServer, tmp_path: Path) -> None:
    shell("init", "--remote", server.url)
    (shell.here / "nothing/at all").mkdir(parents=True)
    for bad in (b"lone \xff", b"lone\nfile"):
        with open(os.path.join(os.fsencode(shell.here), bad), "wb") as file:
            file.write(b"1")
        assert "rename it" in shell("add", "-n", "bad", "--", os.fsdecode(bad), code=4).err
        os.unlink(os.path.join(os.fsencode(shell.here), bad))
    odd = "-lone * 'é' \"[file]\" \\"
    (shell.here / odd).write_bytes(b"1" * 100_000)
    assert "an empty directory is not kept" in shell("add", "nothing").err
    shell("add", "-n", "lone", "--", odd)
    shell("commit", "-m", "one")
    shell("push")
    assert stock_clone(server, tmp_path, "nothing") == {}
    assert stock_clone(server, tmp_path, "lone") == {os.fsencode(odd): ("file", b"1" * 100_000)}
    for name, place in (("nothing", "there"), ("lone", odd)):
        Shell(tmp_path)("get", f"{server.url}/{name}", "--out", f"got-{name}")
        target = tmp_path / f"ws-{name}"
        target.mkdir()
        Shell(target)("init", "--remote", server.url)
        Shell(target)("clone", "--", f"{server.url}/{name}", place)
        assert Shell(target)("status", "-s").out == ""
    assert tree_of(os.fsencode(tmp_path / "ws-lone"), (b".aimdvc", b"aimdvc.lock")) == {
        os.fsencode(odd): ("file", b"1" * 100_000)
    }
    (shell.here / "sub").mkdir()
    shell("mv", "--", odd, "sub")
    shell("rm", "-rf", "--", f"sub/{odd}", "nothing")
    assert not (shell.here / "sub" / odd).exists()


REFUSED = [
    *(b".aimdvc/x", b".AIMDVC", b".aimd/metadata.json", b"sub/.Aimd", b"aimdvc.lock", b"AIMDVC.LOCK", b"git~1"),
    *(b"sub/GIT~1", b".git. ", b".git\xe2\x80\x8c", b".git::$INDEX_ALLOCATION", b"AIMDVC~1", b"a\\.git\\b"),
]  # fmt: skip


@pytest.mark.parametrize("path", REFUSED, ids=repr)
def test_what_some_system_reads_as_ours_or_gits_is_refused_by_name(shell: Shell, path: bytes) -> None:
    shell.write("data/kept", "1")
    shell.commit("data")
    full = os.path.join(os.fsencode(shell.here / "data"), path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(b"x")
    done = shell("add", "data", "--json", code=4)
    assert done.json["error"] == "unsafe-path"
    assert shell("status", "-s").out.startswith("?? ")
    assert shell("mv", "data/kept", f"data/{os.fsdecode(path)}", "-f", "--json", code=4).json["error"] == "unsafe-path"


def test_a_tree_that_is_too_deep_is_refused_by_name(shell: Shell) -> None:
    shell.write("data/kept", "1")
    shell.commit("data")
    place = os.fsencode(shell.here / "data") + b"/d" * 600
    os.makedirs(place)
    with open(place + b"/x", "wb"):
        pass
    shell("add", "data", "-f", code=0)
    done = shell("commit", "-m", "deep", "--json", code=4)
    assert "directories deep" in done.json["message"]
    shell("rm", "-rf", "--cached", "data/d")
    assert (shell.here / "data/kept").exists()


def test_where_case_does_not_count_one_file_never_stands_for_another(shell: Shell) -> None:
    """Needs a file system that folds case; where there is none, both twins are simply kept."""
    shell.write("data/Twin", "upper")
    shell.write("data/twin", "lower")
    if (shell.here / "data/Twin").read_text() != "upper":
        pytest.skip("this file system folds case")
    shell.commit("data")
    for verb in (["rm", "data/twin"], ["mv", "data/Twin", "data/other"]):
        shell(*verb)
        shell("reset", "--hard", "data@HEAD")
        assert {path.name: path.read_text() for path in (shell.here / "data").iterdir()} == {
            "Twin": "upper",
            "twin": "lower",
        }


def test_commands_take_odd_paths_from_a_pipe_of_their_own(shell: Shell) -> None:
    root = os.fsencode(shell.here / "data")
    os.mkdir(root)
    make(root)
    shell("add", "data")
    names = [os.fsdecode(line[3:]) for line in fields(shell("status", "-z").raw)]
    done = subprocess.run(["ls", "-d", "--", *names], cwd=shell.here, capture_output=True)
    assert done.returncode == 0, done.stderr
