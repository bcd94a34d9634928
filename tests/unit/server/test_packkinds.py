"""The types of a pack's objects, which the server reads without inflating them: through deltas, and in rotten packs."""

import hashlib
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from aimdvc.errors import CorruptRepository
from aimdvc.git.kinds import BLOB, COMMIT, TREE
from aimdvc.server.packkinds import PackKinds
from tests.shell import git

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of stock Git whose one pack holds deltas."""
    place = tmp_path / "r"
    git(tmp_path, "init", "-q", "-b", "main", str(place))
    for turn in range(6):
        (place / "f").write_text("".join(f"{number}\n" for number in range(turn, 500)))
        git(place, "add", "f")
        git(place, "commit", "-qm", f"{turn}")
    return place


def packed(repository: Path, *options: str) -> Path:
    git(repository, *options, "repack", "-adfq", "--depth=10")
    return next((repository / ".git/objects/pack").glob("*.pack"))


def objects(repository: Path) -> dict[bytes, int]:
    listed = git(repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
    kinds = {"commit": COMMIT, "tree": TREE, "blob": BLOB}
    return {bytes.fromhex(name): kinds[kind] for name, kind in (line.split() for line in listed.splitlines())}


@pytest.mark.parametrize("offsets", ["true", "false"])
def test_types_are_found_through_deltas(repository: Path, offsets: str) -> None:
    pack = packed(repository, "-c", f"repack.usedeltabaseoffset={offsets}")
    wanted = objects(repository)
    assert "chain length" in git(repository, "verify-pack", "-v", str(pack.with_suffix(".idx")))
    with PackKinds(pack, len(wanted)) as kinds:
        assert kinds.find(wanted) == wanted
        for name, kind in wanted.items():
            assert kinds.find([name, b"\0" * 20, b"\xff" * 20]) == {name: kind}


def test_offsets_beyond_2_gib_are_followed(repository: Path) -> None:
    pack = packed(repository)
    wanted = objects(repository)
    raw = pack.read_bytes()
    subprocess.run(
        ["git", "index-pack", "--index-version=2,0x1", "-o", str(pack.with_suffix(".far")), "--stdin"],
        cwd=repository,
        input=raw,
        capture_output=True,
    )
    index = pack.with_suffix(".idx")
    if pack.with_suffix(".far").exists():
        index.chmod(0o644)
        index.write_bytes(pack.with_suffix(".far").read_bytes())
    assert index.read_bytes()[:4] == b"\xfftOc"
    with PackKinds(pack, len(wanted)) as kinds:
        assert kinds.find(wanted) == wanted


def test_a_rotten_index_or_pack_is_told(repository: Path) -> None:
    pack = packed(repository)
    wanted = objects(repository)
    index = pack.with_suffix(".idx")
    index.chmod(0o644)
    pack.chmod(0o644)
    good, good_pack = index.read_bytes(), pack.read_bytes()
    offsets = 8 + 1024 + 24 * len(wanted)
    for value in (0x7FFFFFFF, 0x80000000 | 0x7FFFFFFF):
        index.write_bytes(good[:offsets] + struct.pack(">I", value) * len(wanted) + good[offsets + 4 * len(wanted) :])
        with PackKinds(pack, len(wanted)) as kinds, pytest.raises(CorruptRepository, match="leads outside"):
            kinds.find(wanted)
    index.write_bytes(good)
    for byte in (0x50, 0x70, 0x60):
        body = good_pack[:12] + bytes([byte]) * (len(good_pack) - 32)
        pack.write_bytes(body + hashlib.sha1(body).digest())
        with PackKinds(pack, len(wanted)) as kinds, pytest.raises(CorruptRepository):
            kinds.find(wanted)
