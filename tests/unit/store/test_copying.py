"""Copies of blobs: identical, or refused; small ones, large ones, and on file systems that can't share the work."""

import errno
import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from aimdvc.errors import CorruptBlob
from aimdvc.model.oid import Oid
from aimdvc.model.pointer import Pointer
from aimdvc.store.copying import copy_hashed

SIZES = [1, 70_000, (1 << 20) + 1, (9 << 20) + 5]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def blob(directory: Path, size: int) -> tuple[int, Pointer, bytes]:
    content = random.Random(size).randbytes(size)
    (directory / "blob").write_bytes(content)
    pointer = Pointer(Oid(hashlib.sha256(content).hexdigest()), size)
    return os.open(directory / "blob", os.O_RDONLY), pointer, content


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_is_the_same(size: int, tmp_path: Path, target: int) -> None:
    source, pointer, content = blob(tmp_path, size)
    copy_hashed(source, target, pointer, lambda size: None)
    os.close(source)
    assert (tmp_path / "target").read_bytes() == content


@pytest.mark.parametrize("size", SIZES)
def test_a_damaged_blob_is_refused(size: int, tmp_path: Path, target: int) -> None:
    source, pointer, _ = blob(tmp_path, size)
    with (tmp_path / "blob").open("r+b") as file:
        file.seek(size // 2)
        byte = file.read(1)
        file.seek(size // 2)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(CorruptBlob):
        copy_hashed(source, target, pointer, lambda size: None)
    (tmp_path / "blob").write_bytes(b"")
    with pytest.raises(CorruptBlob):
        copy_hashed(source, target, pointer, lambda size: None)
    os.close(source)


def test_where_the_system_can_not_copy_by_itself(tmp_path: Path, target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EXDEV, "another file system")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    source, pointer, content = blob(tmp_path, SIZES[-1])
    copy_hashed(source, target, pointer, lambda size: None)
    os.close(source)
    assert (tmp_path / "target").read_bytes() == content
