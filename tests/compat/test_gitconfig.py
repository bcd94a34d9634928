"""Our reader and writer of Git's config syntax against `git config`."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimdvc.errors import ConfigSyntaxError
from aimdvc.model.gitconfig import parse

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=40)


def git_reads(path: Path) -> dict[str, list[str]] | None:
    done = subprocess.run(
        ["git", "config", "--file", str(path), "--no-includes", "-z", "--list"], capture_output=True, timeout=30
    )
    if done.returncode:
        return None
    found: dict[str, list[str]] = {}
    for item in done.stdout.split(b"\0"):
        if item:
            key, _, value = item.partition(b"\n")
            found.setdefault(key.decode(), []).append(value.decode("utf-8", "surrogateescape"))
    return found


@settings(max_examples=60, deadline=None)
@given(value=VALUES)
def test_what_we_write_git_reads(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("config") / "config"
    config = parse(b"", "test")
    config.set("remote", "or.i gin", "url", value)
    path.write_bytes(config.dump())
    assert git_reads(path) == {"remote.or.i gin.url": [value]}
    assert parse(path.read_bytes(), "test").get("remote", "or.i gin", "url") == value


FILES = [
    b'[a]\n\tb = c\n[remote "x"]\nurl = "with space" ; comment\n',
    b"[a] b = c # comment\n d = e\\\n f\n",
    b'[a "q\\"uote"]\nb = "x\\ty\\n"\n',
    b"[a.Sub]\nKey = 1\n",
    b"; only a comment\n",
    b"[a]\nflag\nflag = no\n",
    b"\xef\xbb\xbf[a]\nb=1\n",
    b"[a]\nb = trailing   \n",
    b"[a]\nb = mid ; dle\n",
    b"[a\nb = 1\n",
    b"[a]\n1b = 1\n",
    b'[a]\nb = "open\n',
    b"[a]\nb = bad\\q\n",
]


@pytest.mark.parametrize("content", FILES)
def test_what_git_reads_we_read_the_same(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    expected = git_reads(path)
    if expected is None:
        with pytest.raises(ConfigSyntaxError):
            parse(content, "test")
        return
    config = parse(content, "test")
    for full, values in expected.items():
        section, _, rest = full.partition(".")
        name, dot, key = rest.rpartition(".")
        found = config.get_all(section, name if dot else None, key)
        assert [value or "" for value in found][: len(values)] in (values, ["true" if v == "" else v for v in values])


def test_a_key_before_any_section_is_refused() -> None:
    with pytest.raises(ConfigSyntaxError):
        parse(b"b = 1\n", "test")
