"""The hook large-files, by itself and before a real commit of Git's."""

import os
from pathlib import Path

import pytest

from tests.e2e.projects import project, tried
from tests.shell import Shell, git
from tests.unit.model.test_contentkinds import SAMPLES

BIG = b"0" * (501 * 1024)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a project with the hook pre-commit."""
    return project(tmp_path / "project", ("pre-commit",))


def test_a_large_file_is_stopped_and_the_command_that_is_told_works(shell: Shell) -> None:
    shell.write("model dir/a.bin", BIG)
    git(shell.here, "add", "-A")
    done = tried(shell.here, "commit", "-qm", "x")
    command = "git rm -q --cached 'model dir/a.bin' && aimdvc add 'model dir/a.bin'"
    assert (done.returncode, done.stdout) == (1, f"aimdvc: model dir/a.bin (501 KB) exceeds 500 KB: run `{command}`\n")
    git(shell.here, "rm", "-q", "--cached", "model dir/a.bin")
    shell("add", "model dir/a.bin")
    shell("commit", "-m", "x")
    git(shell.here, "add", "-A")
    git(shell.here, "commit", "-qm", "x")


def test_limits_can_be_set(shell: Shell) -> None:
    shell.write("a.bin", BIG)
    shell.write("b.parquet", SAMPLES["Parquet"] + bytes(20_000))
    assert shell("hook", "large-files", "--maxkb", "501", "a.bin").out == ""
    told = shell("hook", "large-files", "a.bin", "b.parquet", "code.py", code=1).out.splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "a.bin (501 KB) exceeds 500 KB",
        "b.parquet (20 KB) is a file of Parquet",
    ]
    assert shell("hook", "large-files", "--kind-maxkb", "20", "b.parquet").out == ""
    assert "--maxkb" in shell("hook", "large-files", "--maxkb", "x", code=2).err


def test_small_files_of_an_artifacts_kind_pass(shell: Shell) -> None:
    for kind, content in SAMPLES.items():
        shell.write(f"tests/{kind}", content)
    assert shell("hook", "large-files", *(f"tests/{kind}" for kind in SAMPLES)).out == ""


def test_many_images_at_once_are_stopped(shell: Shell) -> None:
    names = [f"pictures/{number}.png" for number in range(21)]
    for name in names:
        shell.write(name, SAMPLES["image"])
    assert shell("hook", "large-files", *names[:20]).out == ""
    told = shell("hook", "large-files", *names, code=1).out
    assert told == "pictures gets 21 images at once: run `git rm -r -q --cached pictures && aimdvc add pictures`\n"
    git(shell.here, "add", "-A")
    assert "pictures gets 21 images" in tried(shell.here, "commit", "-qm", "x").stdout
    assert shell("hook", "large-files", "--max-images", "21").out == ""


def test_what_git_has_already_passes_unless_all_are_to_be_looked_at(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("a.bin", BIG)
    git(shell.here, "add", "-A")
    monkeypatch.setenv("SKIP", "aimdvc-large-files")
    git(shell.here, "commit", "-qm", "x")
    monkeypatch.delenv("SKIP")
    shell.write("a.bin", BIG + b"1")
    git(shell.here, "commit", "-qam", "x")
    assert shell("hook", "large-files", "a.bin").out == ""
    assert "exceeds" in shell("hook", "large-files", "--enforce-all", "a.bin", code=1).out


def test_pointers_links_and_what_is_gone_pass(shell: Shell) -> None:
    shell.write("sub/a.bin", BIG)
    shell.write("sub/.gitattributes", "*.bin filter=lfs\n")
    (shell.here / "link").symlink_to("sub/a.bin")
    os.mkfifo(shell.here / "pipe")
    assert shell("hook", "large-files", "sub/a.bin", "link", "pipe", "gone", "sub").out == ""
    shell.write("sub/.gitattributes", "*.bin filter=other\n")
    assert "exceeds" in shell("hook", "large-files", "sub/a.bin", code=1).out
