"""Artifacts by their URL through fsspec, as pandas and others open them."""

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pandas
import pytest

import aimdvc
from aimdvc.sdk.filesystem import AimdFileSystem
from aimdvc.server.embedded import EmbeddedServer

LARGE = os.urandom(2 << 20)
ROOT = "default/a@v1"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AimdFileSystem]:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # The name is known by the entry point of an installed package, which a source tree may not be.
    fsspec.register_implementation("aimd", AimdFileSystem, clobber=True)
    with EmbeddedServer(tmp_path / "srv") as running:
        aimdvc.login(running.url, running.admin_key)
        artifact = aimdvc.create_artifact("a", "t", aliases=["best"])
        contents = {"t/x.csv": b"a,b\n1,2\n3,4\n", "t/u/y": b"y", "large": LARGE, "README.md": b"# hi"}
        for key, content in contents.items():
            (tmp_path / "one").write_bytes(content)
            artifact.add_file(tmp_path / "one", key)
        artifact.add_reference("https://example.org/z")
        artifact.upload()
        monkeypatch.setenv("AIMDVC_HOME", str(tmp_path / "elsewhere"))
        AimdFileSystem.clear_instance_cache()
        yield fsspec.filesystem("aimd")


def test_directories_and_files_are_listed(system: AimdFileSystem) -> None:
    assert sorted(system.ls(f"aimd://{ROOT}", detail=False)) == [
        f"{ROOT}/{name}" for name in ("README.md", "large", "t")
    ]
    assert sorted(system.find(ROOT)) == [f"{ROOT}/{name}" for name in ("README.md", "large", "t/u/y", "t/x.csv")]
    assert system.info(f"{ROOT}/large")["size"] == len(LARGE)
    assert system.isdir(f"{ROOT}/t/u")
    assert system.isfile(f"{ROOT}/t/u/y")
    assert system.glob(f"{ROOT}/t/*.csv") == [f"{ROOT}/t/x.csv"]
    assert not system.exists(f"{ROOT}/nothing")
    with pytest.raises(FileNotFoundError):
        system.ls(f"{ROOT}/nothing")
    with pytest.raises(FileNotFoundError):
        system.ls("default/a@v9")


def test_files_are_read(system: AimdFileSystem) -> None:
    assert system.cat(f"{ROOT}/t/u/y") == b"y"
    assert system.cat_file(f"{ROOT}/large", start=1000, end=1010) == LARGE[1000:1010]
    with fsspec.open(f"aimd://{ROOT}/README.md") as file:
        assert file.read() == b"# hi"
    with pytest.raises(FileNotFoundError):
        system.cat(f"{ROOT}/nothing")
    with pytest.raises(NotImplementedError, match="create_artifact"):
        system.open(f"{ROOT}/x", "wb")
    with pytest.raises(ValueError, match="names no version"):
        system.cat("default/a/t/u/y")


def test_pandas_reads_by_url(system: AimdFileSystem) -> None:
    frame = pandas.read_csv("aimd://default/a@best/t/x.csv")
    assert frame.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_what_would_change_something_says_why_not(system: AimdFileSystem) -> None:
    changes = (
        lambda: system.mkdir(f"{ROOT}/new"),
        lambda: system.makedirs(f"{ROOT}/new/deep"),
        lambda: system.rmdir(f"{ROOT}/t"),
        lambda: system.rm(f"{ROOT}/large"),
        lambda: system.cp_file(f"{ROOT}/large", f"{ROOT}/copy"),
        lambda: system.pipe_file(f"{ROOT}/large", b""),
        lambda: system.touch(f"{ROOT}/new"),
    )
    for change in changes:
        with pytest.raises(NotImplementedError, match="a version never changes"):
            change()
    assert system.info(f"{ROOT}/large")["size"] == len(LARGE)
