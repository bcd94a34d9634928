"""Bits that rot: never wrong bytes, never a traceback, and `fsck` names what is damaged. Cases L19 to L21."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aimdvc.git.kinds import BLOB
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer, encode_pointer
from tests.planting import plant, plant_version, tree_line
from tests.shell import Shell


def flip(at: float) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        place = min(int(len(raw) * at), len(raw) - 1)
        return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]

    return change


HOW: dict[str, Callable[[bytes], bytes]] = {
    "first bit": flip(0),
    "middle bit": flip(0.5),
    "last bit": flip(1),
    "cut to nothing": lambda raw: b"",
    "cut to half": lambda raw: raw[: len(raw) // 2],
    "one more byte": lambda raw: raw + b"x",
    "zeros": lambda raw: bytes(len(raw)),
}


def rot(path: Path, how: Callable[[bytes], bytes]) -> None:
    path.chmod(0o644)
    path.write_bytes(how(path.read_bytes()))


@pytest.mark.parametrize("how", HOW)
def test_a_rotten_blob_is_named_and_never_handed_out(shell: Shell, how: str) -> None:
    """Case L19, a blob that is a file."""
    shell.write("data/sub/big", os.urandom(2_500_000))
    shell.commit("data")
    blob = next(shell.here.glob(".aimdvc/blobs/files/*/*"))
    rot(blob, HOW[how])
    found = shell("fsck", "--json", code=3).json["checked"]["damage"]
    assert [(one["what"], one["needed_by"]) for one in found] == [(blob.name, ["data@v1?:sub/big"])]
    (shell.here / "data/sub/big").unlink()
    assert shell("restore", "data", "--json", code=3).json["error"] == "corrupt-blob"
    assert not (shell.here / "data/sub/big").exists()
    assert len(shell("cat", "data:sub/big", code=3).raw) < 2_500_000


@pytest.mark.parametrize("how", ["first bit", "middle bit", "zeros", "cut to half", "cut to nothing"])
def test_a_rotten_pack_of_blobs_gives_none_of_its_wrong_bytes(shell: Shell, how: str) -> None:
    """Case L19, blobs in a pack."""
    contents = {f"data/f{number}": b"%d" % number * 300 for number in range(20)}
    for path, content in contents.items():
        shell.write(path, content)
    shell.commit("data")
    rot(next(shell.here.glob(".aimdvc/blobs/packs/*")), HOW[how])
    for path in contents:
        (shell.here / path).unlink()
    told = shell("fsck", code=-1).code
    shell("restore", "data", code=-1)
    for path, content in contents.items():
        assert not (shell.here / path).exists() or (shell.here / path).read_bytes() == content
    if how != "first bit":  # The magic's: no blob has it.
        assert told == 3


def test_two_blobs_that_were_swapped_are_both_named(shell: Shell) -> None:
    """Case L19."""
    shell.write("data/a", os.urandom(100_000))
    shell.write("data/b", os.urandom(100_000))
    shell.commit("data")
    one, other = shell.here.glob(".aimdvc/blobs/files/*/*")
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)
    found = shell("fsck", "--json", code=3).json["checked"]["damage"]
    assert {one["what"] for one in found} == {one.name, other.name}


FILES = ["HEAD", "config", "refs/heads/main", "packed-refs", "refs/remotes/origin/heads/main", "logs/refs/heads/main"]
LINES = ["status", "log", "ls data", "diff", "fsck", "checkout data@HEAD", "commit -am two", "alias", "push", "fetch"]


@pytest.mark.parametrize("content", [b"", b"\0" * 41, b"\xff\xfe garbage\n", b"ref: refs/heads/../../x\n", b"[\n"])
@pytest.mark.parametrize("name", FILES)
def test_a_rotten_file_of_a_repository_is_told_or_does_not_matter(
    shell: Shell, tmp_path: Path, name: str, content: bytes
) -> None:
    """Case L20: an error of ours, whatever stands in it, and nothing of the user's files changes."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    shell.write("data/a", "1")
    shell.commit("data", "one")
    shell("push")
    shell.write("data/a", "2")
    path = shell.here / ".aimdvc/repos/data.git" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    for line in LINES:
        done = shell(*line.split(), code=-1)
        assert done.code in (0, 1, 2, 3, 4, 5, 6), f"{line}: {done.err}"
        assert (shell.here / "data/a").read_text() == "2"


def test_a_pointer_with_another_size_than_its_blob_is_refused(shell: Shell, tmp_path: Path) -> None:
    """Case L21: the right oid with a wrong size, and the right size with a wrong oid."""
    (tmp_path / "remote").mkdir()
    shell("remote", "add", "origin", str(tmp_path / "remote"))
    content = os.urandom(100_000)
    shell.write("data/a", content)
    shell.commit("data")
    shell("push")
    oid = Oid(hashlib.sha256(content).hexdigest())
    remote = tmp_path / "remote/data.git"
    for number, pointer in enumerate((Pointer(oid, 99_999), Pointer(oid, 1), Pointer(Oid("1" * 64), 100_000))):
        rules = tree_line(b"100644", b".gitattributes", plant(remote, BLOB, b"* filter=lfs\n"))
        line = tree_line(b"100644", b"a", plant(remote, BLOB, encode_pointer(pointer)))
        plant_version(remote, rules + line, "refs/heads/main")
        done = Shell(tmp_path)("clone", str(tmp_path / "remote/data"), f"clone{number}", "--json", code=3).json
        assert done["error"] in ("corrupt-blob", "missing-blob")
        assert not (tmp_path / f"clone{number}/a").exists()
