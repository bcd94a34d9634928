"""Git objects that are damaged on disk are told as such, whatever the damage; none is handed out as right."""

import random
import zlib
from pathlib import Path

import pytest

from aimdvc.errors import CorruptRepository
from aimdvc.fs.disk import Disk
from aimdvc.git.consolidate import consolidate
from aimdvc.git.history import History
from aimdvc.git.kinds import BLOB
from aimdvc.git.writer import LOOSE_LIMIT
from aimdvc.model.oid import GitId


def write(path: Path, count: int) -> tuple[History, dict[GitId, bytes]]:
    history = History.create(path, Disk())
    contents = [b"content %d\n" % number for number in range(count)]
    with history.writer() as writer:
        return history, {writer.blob(content): content for content in contents}


def test_a_loose_object_with_another_content_is_not_handed_out(tmp_path: Path) -> None:
    history, blobs = write(tmp_path / "r.git", 1)
    git_id = next(iter(blobs))
    path = history.path / "objects" / git_id[:2] / git_id[2:]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob 4\0evil"))
    with pytest.raises(CorruptRepository, match="another hash"):
        history.read_blob(git_id)


@pytest.mark.parametrize("count", [3, LOOSE_LIMIT + 3], ids=["loose", "packed"])
def test_damage_of_any_kind_is_a_corrupt_repository(tmp_path: Path, count: int) -> None:
    history, blobs = write(tmp_path / "r.git", count)
    history.close()
    source = random.Random(1)
    files = [path for path in (history.path / "objects").rglob("*") if path.is_file()]
    told = 0
    for path in files:
        path.chmod(0o644)
    for turn in range(120):
        path = source.choice(files)
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, source, turn % 4))
        with History(history.path, Disk()) as opened:
            for git_id, content in blobs.items():
                try:
                    opened.has(git_id)
                    opened.expand(git_id[:4])
                    assert opened.read_object(git_id) == (BLOB, content)
                except CorruptRepository as error:
                    told += git_id[:4] in error.message
        path.write_bytes(whole)
    assert told > 40


def damaged(whole: bytes, source: random.Random, how: int) -> bytes:
    if how == 0:
        return whole[: source.randrange(len(whole))]
    if how == 1:
        return b""
    if how == 2:
        return source.randbytes(len(whole))
    raw = bytearray(whole)
    for _ in range(source.randrange(1, 6)):
        raw[source.randrange(len(raw))] = source.randrange(256)
    return bytes(raw)


def test_packs_that_are_joined_meanwhile_are_looked_for_again(tmp_path: Path) -> None:
    made = History.create(tmp_path / "r.git", Disk())
    packs = []
    for number in range(3):
        with made.writer() as writer:
            packs.append([writer.blob(b"%d %d" % (number, count)) for count in range(LOOSE_LIMIT + 1)])
    made.close()
    reader = History.open(tmp_path / "r.git", Disk())
    assert reader.read_blob(packs[0][0]) == b"0 0"
    assert consolidate(made.path, Disk(), is_forced=True) is not None
    for number, names in enumerate(packs):
        assert reader.read_blob(names[-1]) == b"%d %d" % (number, LOOSE_LIMIT)
    reader.close()
