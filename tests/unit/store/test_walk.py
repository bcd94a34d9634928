"""The walk of an artifact's files: in the order of their paths, each once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aimdvc.store.walk import Walked, walk


def paths(root: Path) -> list[bytes]:
    return [file[0] for file in walk(os.fsencode(root), b"", None, Walked())]


def test_files_come_in_the_order_of_their_whole_paths(tmp_path: Path) -> None:
    for path in ("a/x", "a-b", "a.b/y", "a0", "b"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert paths(tmp_path) == [b"a-b", b"a.b/y", b"a/x", b"a0", b"b"] == sorted(paths(tmp_path))


def test_a_name_that_the_system_lists_twice_comes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As tmpfs does with a file that is replaced while its directory is read; here with every name."""
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b").write_bytes(b"")
    scandir = os.scandir

    @contextmanager
    def twice(directory: bytes) -> Iterator[list["os.DirEntry[bytes]"]]:
        with scandir(directory) as first, scandir(directory) as second:
            yield [*first, *second]

    monkeypatch.setattr(os, "scandir", twice)
    assert paths(tmp_path) == [b"a", b"d/b"]
