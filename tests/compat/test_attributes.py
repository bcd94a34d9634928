"""Our reading of `.gitattributes` against `git check-attr`: hand-made and random files, the same answer everywhere."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from aimdvc.model.attributes import DEFAULT_ATTRIBUTES, Attributes

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

NAMES = [
    "a.md",
    "a.bin",
    "README",
    "READMEx",
    "LICENSE.txt",
    "x y",
    "a[b",
    "a]b",
    "é.npy",
    "a\tb",
    "#c",
    "!d",
    "-e",
    "a*b",
]
NAMES += ["a?b", ".gitattributes", "v1.2.py", '"q"', "a\\b"]
PATHS = NAMES + [f"d/{name}" for name in NAMES] + [f"d/e/{name}" for name in NAMES] + [".aimd/x", ".aimd/d/e"]
PATTERNS = [
    "*",
    "*.md",
    "a*",
    "/a*",
    "d/*",
    "d/**",
    "**/e/*",
    "**/a.bin",
    "a?b",
    "a[[]b",
    "[a-c]*",
    "[!a]*",
    '"x y"',
    "?",
]
PATTERNS += [
    "[[:alpha:]]*",
    '"a\\tb"',
    "d/",
    "!x",
    "\\#c",
    "\\!d",
    "*b",
    "d/**/a.bin",
    "**",
    "e/a.bin",
    "[^d]/*",
    "a\\*b",
]
PATTERNS += ['"\\303\\251"', "??*", "[]a]*", '"\\"q\\""', "[attr]big", "d", "*.??", "a[!x]b", "[a-]*", "a\\\\b"]
SETTINGS = ["filter=lfs", "!filter", "-filter", "filter", "filter=other", "lfsx", "-lfsx", "!lfsx", "text", "binary"]
SETTINGS += ["big filter=lfs", "bad=%; ~x"]


def judged(repository: Path, files: dict[str, bytes]) -> dict[str, bool]:
    """Returns what git says of each path: whether its filter is lfs."""
    for directory, content in files.items():
        (repository / directory).mkdir(parents=True, exist_ok=True)
        (repository / directory / ".gitattributes").write_bytes(content)
    done = subprocess.run(
        ["git", "check-attr", "-z", "--stdin", "filter"],
        cwd=repository,
        input=b"".join(os.fsencode(path) + b"\0" for path in PATHS),
        capture_output=True,
        check=True,
    )
    for directory in files:
        (repository / directory / ".gitattributes").unlink()
    fields = done.stdout.split(b"\0")
    return {os.fsdecode(fields[at]): fields[at + 2] == b"lfs" for at in range(0, len(fields) - 1, 3)}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path / "git")], check=True)
    return tmp_path / "git"


def test_the_default_rules(repository: Path) -> None:
    files = {"": DEFAULT_ATTRIBUTES}
    attributes = Attributes.parse(files)
    assert {path: attributes.is_lfs(path) for path in PATHS} == judged(repository, files)


def test_random_rules(repository: Path) -> None:
    source = random.Random(5)
    for _ in range(120):
        files = {}
        for directory in source.sample(["", "d", "d/e"], source.randint(1, 3)):
            lines = [f"{source.choice(PATTERNS)} {source.choice(SETTINGS)}" for _ in range(source.randint(1, 6))]
            if not directory and source.random() < 0.4:
                lines.insert(0, "[attr]lfsx filter=lfs -text")
            files[directory] = ("\n".join(lines) + "\n").encode()
        attributes = Attributes.parse(files)
        expected = judged(repository, files)
        assert {path: attributes.is_lfs(path) for path in PATHS} == expected, files
