"""Paths as they are printed: what Git reads back when quoted, and byte for byte with -z."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aimdvc.cli.output import shown_path
from tests.shell import Shell, git

ODD = [
    b"plain",
    b"a b",
    b'q"uote',
    b"back\\slash",
    b"new\nline",
    b"tab\t",
    b"\x1b[31m",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"-x",
    b"\xe2\x80\xaeback",
    b"\xc2\x9b",
    b"mixed\xff\xc3\xa9\n",
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_reads_back_what_is_printed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    blob = git(tmp_path, "hash-object", "-w", "/dev/null")
    lines = "".join(f"100644 {blob.strip()}\t{shown_path(os.fsdecode(name))}\n" for name in ODD)
    subprocess.run(["git", "update-index", "--index-info"], cwd=tmp_path, input=lines.encode(), check=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert set(listed.split(b"\0")) == {*ODD, b""}


@given(st.binary(min_size=1, max_size=12))
@example(b"\xed\xb3\xbf")
@settings(max_examples=300, deadline=None)
def test_a_printed_path_is_one_printable_line(raw: bytes) -> None:
    shown = shown_path(raw.decode("utf-8", "surrogateescape"))
    assert shown.isprintable()
    if shown.startswith('"'):
        text = shown[1:-1].encode("utf-8").decode("latin-1")
        assert text.encode("latin-1").decode("unicode_escape").encode("latin-1") == raw
    else:
        assert shown.encode() == raw


def test_each_command_that_prints_paths_quotes_them_and_has_z(shell: Shell) -> None:
    place = os.fsencode(shell.here) + b"/data/"
    os.mkdir(place)
    for name in ODD:
        with open(place + name, "wb") as file:
            file.write(b"content of " + name)
    quoted = {shown_path(os.fsdecode(b"data/" + name)) for name in ODD}
    shell("add", "data")
    assert {line[3:] for line in shell("status", "-s").out.splitlines()} == quoted
    whole, inside = {b"data/" + name for name in ODD}, set(ODD)
    assert {one[3:] for one in shell("status", "-z").raw.split(b"\0")[:-1]} == whole
    shell("commit", "-m", "one")
    assert set(shell("ls", "data", "-z").raw.split(b"\0")[:-1]) == inside
    assert {one.split(b" ")[-1] for one in shell("ls", "data:plain", "-lz").raw.split(b"\0")[:-1]} == {b"plain"}
    assert shell("ls", "-z").raw == b"data\0data\0"
    assert set(shell("blame", "data", "-z").raw.split(b"\0")[5::7]) == inside
    for name in ODD:
        with open(place + name, "wb") as file:
            file.write(b"changed of " + name)
    assert set(shell("diff", "--name-only", "-z").raw.split(b"\0")[:-1]) == whole
    assert shell("diff", "--name-status", "-z").raw.split(b"\0")[:-1:2] == [b"M"] * len(ODD)
    assert {line[2:] for line in shell("diff", "--name-status").out.splitlines()} == quoted
    assert "--name-only" in shell("diff", "-z", code=2).err
    shell("restore", "data")
    assert shell("mv", "-z", "data/plain", "data/sub\n").raw == b"data/plain\0data/sub\n\0"
    assert set(shell("rm", "-rfz", "data").raw.split(b"\0")[:-1]) == whole - {b"data/plain"} | {b"data/sub\n"}


def test_fsck_prints_what_needs_a_lost_blob(shell: Shell) -> None:
    shell.write("data/new\nline", b"1" * 100_000)
    shell.commit("data")
    for blob in (shell.here / ".aimdvc/blobs/files").glob("*/*"):
        blob.unlink()
    assert shell("fsck", "-z", code=3).raw == b"data@v1?:new\nline\0"
    assert '"data@v1?:new\\nline"' in shell("fsck", code=3).out
